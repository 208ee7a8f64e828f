package autoscaler

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
)

// scaleDown removes nodes that have been empty for long enough, down to each
// pool's minimum.
func (a *Autoscaler) scaleDown(ctx context.Context) (time.Duration, error) {
	pods, err := a.pods.List(labels.Everything())
	if err != nil {
		return 0, err
	}
	nodes, err := a.nodes.List(labels.Everything())
	if err != nil {
		return 0, err
	}
	candidates := Empty(a.Pools.Snapshot(), nodes, pods)
	a.forgetBusy(candidates)
	now := time.Now()
	var next time.Duration
	for _, name := range candidates {
		due, known := a.empty[name]
		if !known {
			due = now.Add(a.latency.Draw(cloud.ScaleDown))
			a.empty[name] = due
		}
		if left := due.Sub(now); left > 0 {
			if next == 0 || left < next {
				next = left
			}
			continue
		}
		delete(a.empty, name)
		if err := a.Pools.Shrink(ctx, name); err != nil {
			return 0, err
		}
		a.Log.Info("empty node removed", "node", name)
	}
	return next, nil
}

func (a *Autoscaler) forgetBusy(candidates []string) {
	for name := range a.empty {
		if !slices.Contains(candidates, name) {
			delete(a.empty, name)
		}
	}
}

// Empty names the nodes that could go now: ready, in a pool that autoscales and
// is above its minimum, with nothing on them but what every node has, and with
// nothing waiting that has room there. The last two are what keeps a node that
// was just asked for: its pods come only once it is ready, and the scheduler
// may take seconds to notice.
func Empty(state nodepool.State, nodes []*corev1.Node, pods []*corev1.Pod) (names []string) {
	taken := busy(nodes, pods)
	up := map[string]bool{}
	for _, node := range nodes {
		up[node.Name] = isReady(node)
	}
	for _, pool := range state.Pools {
		spare := pool.Count - pool.Min
		if !pool.Autoscaling {
			continue
		}
		for _, node := range state.Nodes {
			if spare > 0 && node.Pool == pool.Name && up[node.Name] && !taken[node.Name] {
				names = append(names, node.Name)
				spare--
			}
		}
	}
	return names
}

// busy are the nodes with pods of their own, or with room that a waiting pod is
// about to take.
func busy(nodes []*corev1.Node, pods []*corev1.Pod) map[string]bool {
	taken := map[string]bool{}
	for _, pod := range pods {
		if pod.Spec.NodeName != "" && !fit.Ended(pod) && !onEveryNode(pod) {
			taken[pod.Spec.NodeName] = true
		}
	}
	room := fit.Nodes(nodes, pods)
	for _, pod := range pods {
		if !waiting(pod) {
			continue
		}
		if i := place(pod, room); i >= 0 {
			taken[room[i].Name] = true
		}
	}
	return taken
}

func isReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func onEveryNode(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node")
}
