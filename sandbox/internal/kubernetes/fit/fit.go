package fit

import (
	corev1 "k8s.io/api/core/v1"
	podresource "k8s.io/component-helpers/resource"
	scheduling "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// Resources are amounts by name: CPU in thousandths, everything else in units.
type Resources map[corev1.ResourceName]int64

// Of turns a list of quantities into amounts.
func Of(list corev1.ResourceList) Resources {
	amounts := make(Resources, len(list))
	for name, quantity := range list {
		if name == corev1.ResourceCPU {
			amounts[name] = quantity.MilliValue()
		} else {
			amounts[name] = quantity.Value()
		}
	}
	return amounts
}

// Requests is what a pod takes from its node, itself included.
func Requests(pod *corev1.Pod) Resources {
	amounts := Of(podresource.PodRequests(pod, podresource.PodResourcesOptions{}))
	amounts[corev1.ResourcePods] = 1
	return amounts
}

// Subtract takes b away from a.
func (a Resources) Subtract(b Resources) {
	for name, amount := range b {
		a[name] -= amount
	}
}

// Lacks names the first resource of which a has less than b asks for, or "".
func (a Resources) Lacks(b Resources) corev1.ResourceName {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourcePods} {
		if b[name] > 0 && a[name] < b[name] {
			return name
		}
	}
	for name, amount := range b {
		if amount > 0 && a[name] < amount {
			return name
		}
	}
	return ""
}

// Node is a node and what is still free on it.
type Node struct {
	*corev1.Node
	Free Resources
}

// Nodes pairs each node with what the pods bound to it leave free. Pods that
// have ended take nothing.
func Nodes(nodes []*corev1.Node, pods []*corev1.Pod) []Node {
	free := make(map[string]Resources, len(nodes))
	result := make([]Node, 0, len(nodes))
	for _, node := range nodes {
		free[node.Name] = Of(node.Status.Allocatable)
		result = append(result, Node{Node: node, Free: free[node.Name]})
	}
	for _, pod := range pods {
		if amounts, ok := free[pod.Spec.NodeName]; ok && !Ended(pod) {
			amounts.Subtract(Requests(pod))
		}
	}
	return result
}

// Ended reports whether a pod has finished its work.
func Ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Why says in a few words why a pod does not go on a node; "" when it does.
func (n Node) Why(pod *corev1.Pod) string {
	if n.Spec.Unschedulable {
		return "node(s) were unschedulable"
	}
	if taint, found := scheduling.FindMatchingUntoleratedTaint(klog.Background(), n.Spec.Taints, pod.Spec.Tolerations, hard, false); found {
		return "node(s) had untolerated taint {" + taint.Key + ": " + taint.Value + "}"
	}
	// An affinity that cannot be parsed matches nothing, as in the scheduler.
	if match, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(n.Node); err != nil || !match {
		return "node(s) didn't match Pod's node affinity/selector"
	}
	if name := n.Free.Lacks(Requests(pod)); name == corev1.ResourcePods {
		return "Too many pods"
	} else if name != "" {
		return "Insufficient " + string(name)
	}
	return ""
}

func hard(taint *corev1.Taint) bool {
	return taint.Effect == corev1.TaintEffectNoSchedule || taint.Effect == corev1.TaintEffectNoExecute
}
