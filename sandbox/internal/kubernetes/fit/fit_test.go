package fit_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
)

func node(edit func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"pool": "worker"}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("2"),
		}},
	}
	edit(n)
	return n
}

func pod(cpu string, edit func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
	}}}}}
	edit(p)
	return p
}

func TestWhy(t *testing.T) {
	same := func(*corev1.Node) {}
	plain := func(*corev1.Pod) {}
	tainted := func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "k8s.dask.org/dedicated", Value: "worker", Effect: corev1.TaintEffectNoSchedule}}
	}
	tests := map[string]struct {
		node *corev1.Node
		pod  *corev1.Pod
		on   []*corev1.Pod // already there
		want string
	}{
		"fits exactly": {node: node(same), pod: pod("4", plain)},
		"too much CPU": {node: node(same), pod: pod("4001m", plain), want: "Insufficient cpu"},
		"room taken":   {node: node(same), pod: pod("2", plain), on: []*corev1.Pod{pod("3", plain)}, want: "Insufficient cpu"},
		"ended pods are not there": {node: node(same), pod: pod("2", plain), on: []*corev1.Pod{
			pod("3", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })}},
		"too many pods": {node: node(same), pod: pod("1m", plain), on: []*corev1.Pod{pod("1m", plain), pod("1m", plain)}, want: "Too many pods"},
		"selector matches": {node: node(same), pod: pod("1", func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{"pool": "worker"}
		})},
		"selector does not match": {node: node(same), pod: pod("1", func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{"pool": "core"}
		}), want: "node(s) didn't match Pod's node affinity/selector"},
		"taint": {node: node(tainted), pod: pod("1", plain), want: "node(s) had untolerated taint {k8s.dask.org/dedicated: worker}"},
		"taint tolerated": {node: node(tainted), pod: pod("1", func(p *corev1.Pod) {
			p.Spec.Tolerations = []corev1.Toleration{{Key: "k8s.dask.org/dedicated", Operator: corev1.TolerationOpExists}}
		})},
		"no such resource": {node: node(same), pod: pod("1", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = resource.MustParse("1")
		}), want: "Insufficient nvidia.com/gpu"},
		"cordoned": {node: node(func(n *corev1.Node) { n.Spec.Unschedulable = true }), pod: pod("1", plain), want: "node(s) were unschedulable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, p := range test.on {
				p.Spec.NodeName = "n"
			}
			if got := fit.Nodes([]*corev1.Node{test.node}, test.on)[0].Why(test.pod); got != test.want {
				t.Errorf("got %q; want %q", got, test.want)
			}
		})
	}
}
