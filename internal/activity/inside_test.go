package activity

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// cluster stands for the API server: its pods are servers on loopback.
type cluster struct {
	pods  []environment.Pod
	ports map[string]int // "pod:port" to the port on loopback
	err   error
}

func (c *cluster) Pods(context.Context, environment.Target, string, string) ([]environment.Pod, error) {
	return c.pods, c.err
}

func (c *cluster) Dial(ctx context.Context, _ environment.Target, _, pod string, port int) (net.Conn, error) {
	to, ok := c.ports[pod+":"+strconv.Itoa(port)]
	if !ok {
		return closedPort(), nil
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(to)))
}

// closedPort is a connection to a port that nobody listens on: by port-forward
// that is known only when it is used.
func closedPort() net.Conn {
	here, there := net.Pipe()
	_ = there.Close() // never fails
	return here
}

// add puts a pod with one open port into the cluster.
func (c *cluster) add(name string, labels map[string]string, port, to int) {
	c.pods = append(c.pods, environment.Pod{Name: name, Labels: labels, Ready: true})
	if c.ports == nil {
		c.ports = map[string]int{}
	}
	c.ports[name+":"+strconv.Itoa(port)] = to
}

var (
	hubLabels       = map[string]string{"app": "jupyterhub", "component": "hub"}
	notebookLabels  = map[string]string{"app": "jupyterhub", "component": "singleuser-server"}
	jupyterLabels   = map[string]string{"app": "dask", "component": "jupyter"}
	chartLabels     = map[string]string{"app": "dask", "component": "scheduler"}
	operatorLabels  = map[string]string{"dask.org/component": "scheduler"}
	workerPodLabels = map[string]string{"dask.org/component": "worker"}
)

// watcher looks at one environment again and again, as the reaper does.
type watcher struct {
	prober *Prober
	probe  environment.Probe
	use    environment.Use
}

func watch(c environment.Inside, kind environment.AccessKind, secret string) *watcher {
	return &watcher{
		prober: New(Config{Inside: c, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}),
		probe: environment.Probe{Environment: environment.Environment{ID: "e1", ReadyAt: time.Now().Add(-time.Hour)},
			Plan: environment.Plan{Namespace: "ns", Access: environment.Access{Kind: kind}, Credentials: environment.Credentials{Token: environment.NewSecret(secret)}}},
	}
}

// look takes one look and returns what Assess makes of it when nothing else
// happens for the given time after it.
func (w *watcher) look(t *testing.T, after time.Duration) (environment.Verdict, environment.Activity) {
	t.Helper()
	w.probe.Now = time.Now()
	w.probe.Memory = w.use.Memory
	a, memory := w.prober.Probe(t.Context(), w.probe)
	w.use.Memory = memory
	use := w.use
	a.At = a.At.Add(after)
	verdict := use.Learn(environment.Policy{Idle: 30 * time.Minute, MaxBusy: 8 * time.Hour}, w.probe.Environment, a, memory)
	a.At = a.At.Add(-after)
	w.use.Learn(environment.Policy{Idle: 30 * time.Minute, MaxBusy: 8 * time.Hour}, w.probe.Environment, a, memory)
	return verdict, a
}

// half is long enough after a use to be idle, without waiting for it.
const half = 30 * time.Minute

// expect looks and insists on a verdict, and on a reason that holds some words.
func (w *watcher) expect(t *testing.T, is environment.VerdictKind, words string) environment.Activity {
	t.Helper()
	got, a := w.look(t, half)
	t.Logf("%s: %s", got.Is, got.Reason)
	for _, s := range a.Signals {
		t.Logf("  %-9s %-7s %s", s.Source, s.Kind, s.Message)
	}
	if got.Is != is || !strings.Contains(got.Reason, words) {
		t.Errorf("got %s (%s); want %s with %q", got.Is, got.Reason, is, words)
	}
	return a
}
