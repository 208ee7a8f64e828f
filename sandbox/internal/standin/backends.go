package standin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// Config is what the stand-ins need to know.
type Config struct {
	Log *slog.Logger // nil: nothing is logged
	// StateDir keeps activity over restarts; empty keeps it in memory.
	StateDir string
	// Fault says whether a fault is scripted now for a point ("hub" or
	// "scheduler") in a cluster; nil: never.
	Fault func(point, clusterID string) bool
}

// Backends makes the handlers of all clusters and holds their activity. It is
// safe for concurrent use.
type Backends struct {
	log      *slog.Logger
	stateDir string
	key      []byte // signs the sessions of Jupyter servers, until the next start
	now      func() time.Time
	fault    func(point, clusterID string) bool

	mu       sync.Mutex
	clusters map[string]*cluster
}

var _ cloud.Backends = (*Backends)(nil)

// New returns stand-ins without any activity, save what StateDir holds.
func New(config Config) *Backends {
	b := &Backends{
		log:      config.Log,
		stateDir: config.StateDir,
		key:      make([]byte, 32),
		now:      time.Now,
		fault:    config.Fault,
		clusters: map[string]*cluster{},
	}
	if b.fault == nil {
		b.fault = func(string, string) bool { return false }
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	rand.Read(b.key) // never fails
	return b
}

// target is one port of one Service, and the way to what stands behind it.
type target struct {
	*Backends
	clusterID string
	client    kubernetes.Interface
	service   *corev1.Service
	port      int32
}

// Handler serves one port of a Service. It tells by the Service's labels, not
// its name, what stands behind it, and answers a plain labelled page for what
// it does not know. Without a ready pod behind the Service it answers 503.
func (b *Backends) Handler(clusterID string, client kubernetes.Interface, service *corev1.Service, port int32) http.Handler {
	t := &target{Backends: b, clusterID: clusterID, client: client, service: service.DeepCopy(), port: port}
	labels := service.Labels
	switch {
	case labels["component"] == "proxy-public":
		return t.needsPod(newHub(t))
	case labels["component"] == "scheduler", labels[operatorComponent] == "scheduler":
		return t.needsPod(newScheduler(t))
	case labels["component"] == "jupyter":
		return t.needsPod(newJupyter(t))
	}
	return t.needsPod(http.HandlerFunc(t.unknown))
}

// lookupTimeout bounds every question to a cluster's API server.
const lookupTimeout = 10 * time.Second

// podsKey finds the ready pods of the Service in a request's context.
type podsKey struct{}

// needsPod answers 503 unless a pod is ready, and hands the ready ones on.
func (t *target) needsPod(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
		defer cancel()
		pods, err := t.readyPods(ctx, t.service.Spec.Selector)
		if err != nil {
			t.fail(w, r, "look for ready pods", err)
			return
		}
		if len(pods) == 0 {
			http.Error(w, "no pod behind service "+t.service.Name+" is ready", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, podsKey{}, pods)))
	})
}

// podsOf returns what needsPod found.
func podsOf(r *http.Request) []corev1.Pod {
	pods, _ := r.Context().Value(podsKey{}).([]corev1.Pod)
	return pods
}

// fail ends a request that the cluster's API server kept from being answered.
func (t *target) fail(w http.ResponseWriter, r *http.Request, doing string, err error) {
	t.log.Warn("stand-in cannot answer", "cluster", t.clusterID, "namespace", t.service.Namespace,
		"service", t.service.Name, "path", r.URL.Path, "step", doing, "err", err)
	http.Error(w, "the cluster does not say what stands behind this address", http.StatusServiceUnavailable)
}

func (t *target) unknown(w http.ResponseWriter, _ *http.Request) {
	t.page(w, http.StatusOK, page{Title: "Service " + t.service.Name, StandsFor: "service " + t.service.Name})
}

// edit changes the activity of the target's namespace. That it could not be
// written down does not change the answer, so it is only logged.
func (t *target) edit(change func(*record) bool) {
	if err := t.Backends.edit(t.clusterID, t.service.Namespace, change); err != nil {
		t.log.Warn("activity is not kept", "cluster", t.clusterID, "namespace", t.service.Namespace, "err", err)
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nobody is left to tell
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// clone copies activity deeply, so that nobody shares a pointer with it.
func clone(a Activity) Activity {
	var copied Activity
	data, err := json.Marshal(a)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		panic(err) // plain data always survives the way to JSON and back
	}
	return copied
}
