package kube

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daskbot/daskbot/internal/environment"
)

// controller is what a Deployment or StatefulSet of a release amounts to.
type controller struct {
	name          string
	component     string
	namespace     string
	worker        bool
	selector      labels.Selector
	ready, wanted int
	// failure is what the controller says about pods it could not make.
	failure string
}

// controllers lists those of the plan's releases. Placeholder pods only keep
// room for people, so they are nobody's readiness. Workers are: but those that
// merely wait for a node do not count, because how many nodes there are is the
// autoscaler's affair and the notebook works without them.
func controllers(s survey, p environment.Plan, isWorker labels.Selector) []controller {
	var out []controller
	for _, d := range s.deployments {
		if d.Spec.Replicas == nil || !ofPlan(d.ObjectMeta, p) {
			continue
		}
		c := newController(d.ObjectMeta, d.Spec.Template.Labels, d.Spec.Selector, isWorker)
		c.wanted = int(*d.Spec.Replicas)
		if d.Status.ObservedGeneration >= d.Generation {
			c.ready = settled(c.wanted, d.Status.UpdatedReplicas, d.Status.AvailableReplicas, d.Status.Replicas)
		}
		c.failure = replicaFailure(d)
		out = append(out, c.withoutHomeless(s.pods, d.Status.Replicas == d.Status.UpdatedReplicas))
	}
	for _, set := range s.statefulSets {
		if set.Spec.Replicas == nil || !ofPlan(set.ObjectMeta, p) {
			continue
		}
		c := newController(set.ObjectMeta, set.Spec.Template.Labels, set.Spec.Selector, isWorker)
		c.wanted = int(*set.Spec.Replicas)
		if set.Status.ObservedGeneration >= set.Generation {
			c.ready = settled(c.wanted, set.Status.UpdatedReplicas, set.Status.ReadyReplicas, set.Status.Replicas)
		}
		out = append(out, c.withoutHomeless(s.pods, set.Status.Replicas == set.Status.UpdatedReplicas))
	}
	out = slices.DeleteFunc(out, func(c controller) bool { return isPlaceholder(c.component, c.name) })
	slices.SortFunc(out, func(a, b controller) int { return compare(a.name, b.name) })
	return out
}

// settled counts pods of the newest template that are ready. While pods of an
// older one are still there the roll-out is not over, so one stays missing.
func settled(wanted int, updated, ready, total int32) int {
	n := min(int(updated), int(ready), wanted)
	if total > updated && n == wanted && n > 0 {
		n--
	}
	return n
}

func newController(m metav1.ObjectMeta, template map[string]string, selector *metav1.LabelSelector, isWorker labels.Selector) controller {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil { // the API server would not have stored it
		parsed = labels.Nothing()
	}
	return controller{name: m.Name, namespace: m.Namespace, component: component(template, m.Name),
		worker: isWorker.Matches(labels.Set(template)), selector: parsed}
}

// withoutHomeless takes workers that wait for a node out of the count.
func (c controller) withoutHomeless(pods []corev1.Pod, rolledOut bool) controller {
	if !c.worker || !rolledOut {
		return c
	}
	for _, pod := range pods {
		if c.owns(pod) && homeless(pod) && c.wanted > c.ready {
			c.wanted--
		}
	}
	return c
}

func (c controller) owns(pod corev1.Pod) bool {
	return pod.Namespace == c.namespace && c.selector.Matches(labels.Set(pod.Labels))
}

// ofPlan reports whether Helm made the object for one of the plan's releases.
// Objects that others made (a notebook's own Dask cluster) are not waited for.
func ofPlan(m metav1.ObjectMeta, p environment.Plan) bool {
	return slices.ContainsFunc(p.Releases, func(r environment.Release) bool {
		return r.Name == m.Annotations[annotationRelease]
	})
}

func replicaFailure(d appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return c.Message
		}
	}
	return ""
}

// component is the name under which people know a part: what the charts and
// the operator write on it, else its own name.
func component(labels map[string]string, name string) string {
	for _, key := range []string{"app.kubernetes.io/component", "component", "dask.org/component", "app.kubernetes.io/name"} {
		if value := labels[key]; value != "" {
			return value
		}
	}
	return name
}

func isPlaceholder(component, name string) bool {
	return component == "user-placeholder" || strings.HasPrefix(name, "user-placeholder")
}

func compare(a, b string) int { return strings.Compare(a, b) }
