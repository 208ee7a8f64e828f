package standin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// Ports on which the pods themselves listen.
const (
	proxyPort     = 8000
	hubPort       = 8081
	notebookPort  = 8888
	schedulerPort = 8787
)

// ErrRefused is what whoever connects to a port meets on which nothing listens.
var ErrRefused = errors.New("connection refused")

// Port serves a port of one pod, as it answers to whoever connects to the pod
// itself: the hub without its proxy, where nothing but use counts as activity,
// a user's server, the dask chart's Jupyter server, a scheduler's web side. It
// is ErrRefused for every other port, for a pod that is not ready and for a
// scheduler that a fault keeps down.
func (b *Backends) Port(ctx context.Context, clusterID string, client kubernetes.Interface, pod *corev1.Pod, port int32) (http.Handler, error) {
	component := pod.Labels[operatorComponent]
	if component == "" {
		component = pod.Labels["component"]
	}
	listening := listeners[listener{component, port}]
	if listening == nil || !podReady(pod) {
		return nil, ErrRefused
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	service, err := serviceOf(ctx, client, pod, component)
	if err != nil {
		return nil, err
	}
	t := &target{Backends: b, clusterID: clusterID, client: client, service: service, port: port}
	next := listening(t, pod)
	if next == nil {
		return nil, ErrRefused
	}
	return asPod(*pod, next), nil
}

// listener is a port on which the pods of a component listen.
type listener struct {
	component string
	port      int32
}

// listeners make what answers; nil where a fault keeps it from answering.
var listeners = map[listener]func(*target, *corev1.Pod) http.Handler{
	{"proxy", proxyPort}: func(t *target, _ *corev1.Pod) http.Handler { return newHub(t) },
	{"hub", hubPort}: func(t *target, _ *corev1.Pod) http.Handler {
		h := newHub(t)
		h.only = "/hub"
		return h
	},
	{"singleuser-server", notebookPort}: func(t *target, pod *corev1.Pod) http.Handler {
		h := newHub(t)
		h.only = "/user/" + url.PathEscape(pod.Annotations[usernameAnnotation])
		return h
	},
	{"jupyter", notebookPort}: func(t *target, _ *corev1.Pod) http.Handler { return newJupyter(t) },
	{"scheduler", schedulerPort}: func(t *target, _ *corev1.Pod) http.Handler {
		if t.fault("scheduler", t.clusterID) {
			return nil
		}
		return newScheduler(t)
	},
}

// serviceOf finds the Service by whose labels a pod's handlers know the rest
// of the installation: of a hub and its servers that of the proxy, of others
// the one that leads to the pod. Without it there is no installation to speak
// for, so the connection is refused.
func serviceOf(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, component string) (*corev1.Service, error) {
	list, err := client.CoreV1().Services(pod.Namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, fmt.Errorf("list services of %s: %w", pod.Namespace, err)
	}
	for i := range list.Items {
		service := &list.Items[i]
		leads := len(service.Spec.Selector) > 0 && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
		if component == "hub" || component == "singleuser-server" {
			leads = service.Labels["component"] == "proxy-public" && service.Labels["release"] == pod.Labels["release"]
		}
		if leads {
			return service, nil
		}
	}
	return nil, ErrRefused
}

// asPod hands the pod that was connected to on, where needsPod would choose.
func asPod(pod corev1.Pod, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, podsKey{}, []corev1.Pod{pod})))
	})
}
