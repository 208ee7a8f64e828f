package kube

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	defaultTail = 100
	maxTail     = 10_000
	maxLog      = 1 << 20 // bytes per container
)

// Logs copies the last lines of a component's pods to w, each container under
// a heading. A component is what `status` shows, or the name of a pod or of its
// Deployment; "" is every pod. A container that crashed and has not come back
// gives the log of its last life. Releases that serve every tenant of a shared
// cluster are left out, since their logs speak of the others.
//
// CodeNotFound says which components there are. A container whose log cannot
// be read is noted in its place.
func (c *Client) Logs(ctx context.Context, t environment.Target, p environment.Plan, component string, tail int, w io.Writer) error {
	l, err := c.link(t)
	if err != nil {
		return err
	}
	matching, err := l.podsOf(ctx, p, component)
	if err != nil {
		return translate("logs of "+p.Namespace, err)
	}
	if tail <= 0 {
		tail = defaultTail
	}
	for _, pod := range matching {
		for _, container := range containers(pod) {
			if err := c.copyLog(ctx, l, pod, container, int64(min(tail, maxTail)), w); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownNamespaces are those whose pods are the environment's own.
func ownNamespaces(p environment.Plan) []string {
	if p.Dedicated {
		return append([]string{p.Namespace}, otherNamespaces(p)...)
	}
	own := p
	own.Releases = slices.DeleteFunc(slices.Clone(p.Releases), func(r environment.Release) bool { return r.ClusterWide })
	return append([]string{p.Namespace}, otherNamespaces(own)...)
}

func (l *link) podsOf(ctx context.Context, p environment.Plan, wanted string) ([]corev1.Pod, error) {
	var matching []corev1.Pod
	var known []string
	for _, namespace := range ownNamespaces(p) {
		list, err := l.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, pod := range list.Items {
			name := component(pod.Labels, pod.Name)
			known = append(known, name)
			if wanted == "" || wanted == name || wanted == pod.Name || strings.HasPrefix(pod.Name, wanted+"-") {
				matching = append(matching, pod)
			}
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	switch {
	case len(matching) > 0:
		return matching, nil
	case len(known) == 0:
		return nil, environment.Errorf(environment.CodeNotFound, "Nothing of this environment is running, so there is no log.")
	default:
		return nil, environment.Errorf(environment.CodeNotFound, "There is no component %q; there are logs of %s.", wanted, join(known))
	}
}

// life is a container and which of its lives to read.
type life struct {
	name     string
	previous bool
}

func containers(pod corev1.Pod) []life {
	var out []life
	for _, s := range pod.Status.InitContainerStatuses {
		if s.RestartCount > 0 || s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
			out = append(out, life{s.Name, s.State.Waiting != nil && s.RestartCount > 0})
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		out = append(out, life{s.Name, s.State.Waiting != nil && s.RestartCount > 0})
	}
	return out
}

// copyLog fails only when w does: one container without a log must not hide
// those of the others.
func (c *Client) copyLog(ctx context.Context, l *link, pod corev1.Pod, of life, tail int64, w io.Writer) error {
	if _, err := fmt.Fprintf(w, "==> %s %s <==\n", pod.Name, of.name); err != nil {
		return err
	}
	limit := int64(maxLog)
	stream, err := l.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: of.name, TailLines: &tail, LimitBytes: &limit, Previous: of.previous}).Stream(ctx)
	if err != nil {
		c.config.Log.Debug("log not read", "pod", pod.Name, "container", of.name, "err", err)
		_, err = fmt.Fprintln(w, "(its log cannot be read at the moment)")
		return err
	}
	defer stream.Close()
	if _, err := io.Copy(w, stream); err != nil {
		return translate("copy log of "+pod.Name, err)
	}
	return nil
}
