package autoscaler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
)

// Pool is a node pool the plan may grow.
type Pool struct {
	Name     string
	Size     int // nodes it has or has been promised
	Max      int
	Template *corev1.Node // what one more node would be
}

// Plan says what to add and why some pods get nothing.
type Plan struct {
	Grow    map[string]int         // nodes to add, by pool
	For     map[string][]types.UID // the pods they are added for, by pool
	Refused map[types.UID]string   // why growing does not help a pod
}

// Make estimates how many nodes must be added so that the pods fit. existing
// are the nodes that are there or are booting, with what is free on them; pods
// that fit there cause nothing. Pools are preferred in the order given. It
// changes Free of existing.
func Make(pods []*corev1.Pod, existing []fit.Node, pools []Pool) Plan {
	plan := Plan{Grow: map[string]int{}, For: map[string][]types.UID{}, Refused: map[types.UID]string{}}
	pods = slices.Clone(pods)
	slices.SortStableFunc(pods, largestFirst)
	origin := make([]string, len(existing)) // the pool of a node that is only planned
	for _, pod := range pods {
		if i := place(pod, existing); i >= 0 {
			if origin[i] != "" {
				plan.For[origin[i]] = append(plan.For[origin[i]], pod.UID)
			}
			continue
		}
		pool, why := choose(pod, pools, plan.Grow)
		if pool == nil {
			plan.Refused[pod.UID] = why
			continue
		}
		plan.Grow[pool.Name]++
		plan.For[pool.Name] = append(plan.For[pool.Name], pod.UID)
		node := fit.Node{Node: pool.Template, Free: fit.Of(pool.Template.Status.Allocatable)}
		node.Free.Subtract(fit.Requests(pod))
		existing, origin = append(existing, node), append(origin, pool.Name)
	}
	return plan
}

// place takes the first node with room for the pod.
func place(pod *corev1.Pod, nodes []fit.Node) int {
	for i, node := range nodes {
		if node.Why(pod) == "" {
			node.Free.Subtract(fit.Requests(pod))
			return i
		}
	}
	return -1
}

// choose takes the first pool whose template would hold the pod and that may
// still grow.
func choose(pod *corev1.Pod, pools []Pool, grown map[string]int) (*Pool, string) {
	reasons := map[string]int{}
	for i, pool := range pools {
		template := fit.Node{Node: pool.Template, Free: fit.Of(pool.Template.Status.Allocatable)}
		if why := template.Why(pod); why != "" {
			reasons[why]++
			continue
		}
		if pool.Size+grown[pool.Name] >= pool.Max {
			reasons["max node group size reached"]++
			continue
		}
		return &pools[i], ""
	}
	var parts []string
	for why, n := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(parts)
	return nil, strings.Join(parts, ", ")
}

func largestFirst(a, b *corev1.Pod) int {
	left, right := fit.Requests(a), fit.Requests(b)
	return cmp.Or(
		cmp.Compare(right[corev1.ResourceCPU], left[corev1.ResourceCPU]),
		cmp.Compare(right[corev1.ResourceMemory], left[corev1.ResourceMemory]),
		cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name),
	)
}
