package kube

import (
	"context"
	"net"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

var _ environment.Inside = (*Client)(nil)

// Pods lists the pods of a namespace that match a label selector, "" for all
// of them. Pods that have ended or are being stopped are left out: nobody uses
// them. An error means that it is not known what runs.
func (c *Client) Pods(ctx context.Context, t environment.Target, namespace, selector string) ([]environment.Pod, error) {
	l, err := c.link(t)
	if err != nil {
		return nil, err
	}
	list, err := l.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, translate("list the pods of "+namespace, err)
	}
	var out []environment.Pod
	for _, pod := range list.Items {
		if !ended(pod) {
			out = append(out, seen(pod))
		}
	}
	return out, nil
}

func ended(pod corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func seen(pod corev1.Pod) environment.Pod {
	p := environment.Pod{Name: pod.Name, Labels: pod.Labels, Ready: podReady(pod), Pending: pod.Status.Phase == corev1.PodPending}
	if pod.Status.StartTime != nil {
		p.Started = pod.Status.StartTime.Time
	}
	return p
}

// Dial connects to a TCP port of a pod by port-forward through the API server:
// the pod sees a connection from inside itself. Each call is an upgraded
// connection of its own, which the caller closes. ctx bounds the connecting
// only; deadlines set on the connection are not supported and ignored, so a
// caller closes it to end a read.
//
// That nothing listens on the port is known only when the connection is used.
// An error is CodeUnavailable, or CodeForbidden when daskbot may not forward
// ports in the namespace.
func (c *Client) Dial(ctx context.Context, t environment.Target, namespace, pod string, port int) (net.Conn, error) {
	l, err := c.link(t)
	if err != nil {
		return nil, err
	}
	conn, err := l.forward(ctx, namespace, pod, port)
	if err != nil {
		return nil, translate("forward a port of "+namespace+"/"+pod, err)
	}
	return conn, nil
}
