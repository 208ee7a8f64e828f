package kubelet

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestConcerns(t *testing.T) {
	hub := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name:            "hub-6f7b9-x2x4z",
		Labels:          map[string]string{"release": "dhub", "component": "hub", "pod-template-hash": "6f7b9"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "hub-6f7b9"}},
	}}
	for value, want := range map[string]bool{"": true, "dhub": true, "hub": true, "hub-6f7b9-x2x4z": true, "dask": false, "hub-6f": false} {
		if got := Concerns(value, hub); got != want {
			t.Errorf("Concerns(%q) = %v; want %v", value, got, want)
		}
	}
}

func TestStagesHoldPodsBack(t *testing.T) {
	all, err := stages()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, group := range all {
		for _, stage := range group {
			names[stage.Name] = len(stage.Spec.Selector.MatchExpressions)
		}
	}
	for _, name := range []string{"node-initialize", "pod-ready", "pod-complete", "pod-delete"} {
		if names[name] == 0 {
			t.Errorf("stage %s is missing", name)
		}
	}
}
