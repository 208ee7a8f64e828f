package standin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// readyPods lists the pods that match all of selector and are ready, by name.
// An empty selector matches none, as in a Service.
func (t *target) readyPods(ctx context.Context, selector map[string]string) ([]corev1.Pod, error) {
	if len(selector) == 0 {
		return nil, nil
	}
	namespace := t.service.Namespace
	list, err := t.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{
		LabelSelector:   labels.SelectorFromSet(selector).String(),
		ResourceVersion: "0", // the API server's cache will do: this runs for every request
	})
	if err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", namespace, err)
	}
	ready := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return !podReady(&pod) })
	slices.SortFunc(ready, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return ready, nil
}

// siblings lists the ready pods of another component of the same release.
func (t *target) siblings(ctx context.Context, component string) ([]corev1.Pod, error) {
	selector := maps.Clone(t.service.Spec.Selector)
	delete(selector, operatorGroup) // each group of an operator's workers has one of its own
	if _, ok := selector[operatorComponent]; ok {
		selector[operatorComponent] = component
	} else {
		selector["component"] = component
	}
	return t.readyPods(ctx, selector)
}

// Labels of what the Dask operator makes.
const (
	operatorComponent = "dask.org/component"
	operatorGroup     = "dask.org/workergroup-name"
)

func podReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// readySince is when a ready pod became so, else when it was created.
func readySince(pod *corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero() {
			return c.LastTransitionTime.UTC()
		}
	}
	return pod.CreationTimestamp.UTC()
}

// env is a variable of a pod's first container that was given as a value.
func env(pod *corev1.Pod, name string) string {
	if len(pod.Spec.Containers) == 0 {
		return ""
	}
	value := ""
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == name {
			value = v.Value // the last one counts
		}
	}
	return value
}
