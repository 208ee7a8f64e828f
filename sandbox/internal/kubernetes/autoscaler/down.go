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
	state := a.Pools.Snapshot()
	candidates := Empty(state, pods)
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

// Empty names the nodes that could go now: booted, in a pool that autoscales
// and is above its minimum, and with nothing on them but what every node has.
func Empty(state nodepool.State, pods []*corev1.Pod) (names []string) {
	busy := map[string]bool{}
	for _, pod := range pods {
		if pod.Spec.NodeName != "" && !fit.Ended(pod) && !onEveryNode(pod) {
			busy[pod.Spec.NodeName] = true
		}
	}
	for _, pool := range state.Pools {
		spare := pool.Count - pool.Min
		if !pool.Autoscaling {
			continue
		}
		for _, node := range state.Nodes {
			if spare > 0 && node.Pool == pool.Name && !busy[node.Name] && time.Now().After(node.Boots) {
				names = append(names, node.Name)
				spare--
			}
		}
	}
	return names
}

func onEveryNode(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && (owner.Kind == "DaemonSet" || owner.Kind == "Node")
}
