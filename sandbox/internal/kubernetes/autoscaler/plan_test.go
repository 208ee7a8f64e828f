package autoscaler

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
)

var cluster = cloud.ClusterSpec{ID: "c1", Name: "c", Location: "z"}

func pool(name string, milliCPU int64, size, limit int) Pool {
	np := cloud.NodePool{Name: name, MilliCPU: milliCPU, MemoryBytes: 16 << 30, DiskGB: 100}
	return Pool{Name: name, Size: size, Max: limit, Template: nodepool.Build(cluster, np, "template", "z")}
}

func pods(n int, cpu string, edit func(*corev1.Pod)) (all []*corev1.Pod) {
	for i := range n {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p", i), UID: types.UID(fmt.Sprint(cpu, "-", i))},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
			}}}},
		}
		if edit != nil {
			edit(p)
		}
		all = append(all, p)
	}
	return all
}

func TestMake(t *testing.T) {
	selecting := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{nodepool.PoolLabel: "big"} }
	booting := func() []fit.Node {
		n := pool("small", 4000, 1, 3).Template
		return []fit.Node{{Node: n, Free: fit.Of(n.Status.Allocatable)}}
	}
	tests := map[string]struct {
		pods     []*corev1.Pod
		existing []fit.Node
		pools    []Pool
		grow     map[string]int
		refused  []string // texts, one a refused pod
	}{
		"packs three a node":    {pods: pods(7, "1", nil), pools: []Pool{pool("small", 4000, 1, 10)}, grow: map[string]int{"small": 3}},
		"a booting node counts": {pods: pods(3, "1", nil), existing: booting(), pools: []Pool{pool("small", 4000, 1, 10)}, grow: map[string]int{}},
		"up to the limit": {
			pods: pods(7, "1", nil), pools: []Pool{pool("small", 4000, 1, 3)}, grow: map[string]int{"small": 2},
			refused: []string{"1 max node group size reached"},
		},
		"the pool that is asked for": {
			pods: pods(1, "1", selecting), pools: []Pool{pool("small", 4000, 0, 3), pool("big", 8000, 0, 3)}, grow: map[string]int{"big": 1},
		},
		"the next pool when the first is too small": {
			pods: pods(1, "6", nil), pools: []Pool{pool("small", 4000, 0, 3), pool("big", 8000, 0, 3)}, grow: map[string]int{"big": 1},
		},
		"larger than any machine": {
			pods: pods(1, "60", nil), pools: []Pool{pool("small", 4000, 0, 3), pool("big", 8000, 0, 3)}, grow: map[string]int{},
			refused: []string{"2 Insufficient cpu"},
		},
		"no pool scales": {pods: pods(1, "1", nil), grow: map[string]int{}, refused: []string{""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Make(test.pods, test.existing, test.pools)
			if diff := cmp.Diff(test.grow, plan.Grow); diff != "" {
				t.Errorf("grow (-want +got):\n%s", diff)
			}
			var refused []string
			for _, why := range plan.Refused {
				refused = append(refused, why)
			}
			if diff := cmp.Diff(test.refused, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEmpty(t *testing.T) {
	state := nodepool.State{
		Pools: []cloud.NodePool{{Name: "auto", Autoscaling: true, Count: 3, Min: 1}, {Name: "fixed", Count: 1}},
		Nodes: []nodepool.Node{{Name: "a1", Pool: "auto"}, {Name: "a2", Pool: "auto"}, {Name: "a3", Pool: "auto"}, {Name: "f1", Pool: "fixed"}},
	}
	node := func(name string, ready corev1.ConditionStatus) *corev1.Node {
		n := nodepool.Build(cluster, cloud.NodePool{Name: "auto", MilliCPU: 4000, MemoryBytes: 16 << 30}, name, "z")
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		return n
	}
	all := []*corev1.Node{node("a1", "True"), node("a2", "True"), node("a3", "True"), node("f1", "True")}
	on := func(node, owner string) *corev1.Pod {
		yes := true
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: owner, Controller: &yes}}},
			Spec:       corev1.PodSpec{NodeName: node},
		}
	}
	unscheduled := func(cpu string) *corev1.Pod {
		return pods(1, cpu, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
		})[0]
	}
	tests := map[string]struct {
		nodes []*corev1.Node
		pods  []*corev1.Pod
		want  []string
	}{
		"what every node has does not count": {all, []*corev1.Pod{on("a1", "ReplicaSet"), on("a2", "DaemonSet")}, []string{"a2", "a3"}},
		"down to the minimum":                {all, nil, []string{"a1", "a2"}},
		"one that is not ready stays": {
			[]*corev1.Node{all[0], node("a2", "False"), all[3]}, []*corev1.Pod{on("a1", "ReplicaSet")}, nil,
		},
		"one that a waiting pod has room on stays": {
			all, []*corev1.Pod{on("a1", "ReplicaSet"), unscheduled("3"), unscheduled("3")}, []string{"a3"},
		},
		"a pod that fits nowhere keeps nothing": {all, []*corev1.Pod{on("a1", "ReplicaSet"), unscheduled("30")}, []string{"a2", "a3"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Empty(state, test.nodes, test.pods)); diff != "" {
				t.Errorf("empty (-want +got):\n%s", diff)
			}
		})
	}
}
