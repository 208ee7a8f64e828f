package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// pages is a server that answers paths with texts; a path that is not there
// is 404. It counts what it is asked.
type pages struct {
	text  map[string]string
	clock time.Duration // how far its clock is ahead
	asked []string
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked = append(p.asked, r.URL.String())
	w.Header().Set("Date", time.Now().Add(p.clock).UTC().Format(http.TimeFormat))
	text, ok := p.text[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, text)
}

// serve adds a pod whose port is the server.
func serve(t *testing.T, c *cluster, name string, labels map[string]string, port int, handler http.Handler) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c.add(name, labels, port, server.Listener.Addr().(*net.TCPAddr).Port)
}

// hubOf answers as a hub whose users are given as JSON.
func hubOf(users string) *pages {
	return &pages{text: map[string]string{"/hub/api/": `{"version":"4.0.2"}`,
		"/hub/api/users": `{"items":` + users + `,"_pagination":{"offset":0,"limit":200,"total":1,"next":null}}`}}
}

const readyUser = `[{"name":"alice","last_activity":%q,"servers":{"":{"url":"/user/alice/","last_activity":%[1]q,"started":%[1]q,"pending":null,"ready":true}}}]`

func notebookOf(kernels string) *pages {
	return &pages{text: map[string]string{"/user/alice/api/status": `{"started":"2026-01-01T00:00:00Z","last_activity":"2026-01-01T00:00:00Z"}`,
		"/user/alice/api/kernels": kernels}} // no terminals: 404
}

// signals are a look's as "source kind message".
func signals(a environment.Activity) []string {
	var out []string
	for _, s := range a.Signals {
		out = append(out, s.Source+" "+string(s.Kind)+" "+s.Message)
	}
	return out
}

func stamp(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }

func TestKernels(t *testing.T) {
	kernel := func(name, state string, ago time.Duration) string {
		return fmt.Sprintf(`[{"id":"k","name":%q,"last_activity":%q,"execution_state":%q,"connections":0}]`, name, stamp(ago), state)
	}
	for _, test := range []struct {
		name, kernels string
		kind          environment.SignalKind
		message       string
	}{
		{"a long silent cell", kernel("python3", "busy", 2*time.Hour+time.Second), environment.SignalBusy, "kernel python3 has been running for 2h"},
		{"a cell that just began", kernel("python3", "busy", 0), environment.SignalBusy, "kernel python3 is running"},
		{"starting", kernel("python3", "starting", time.Minute), environment.SignalBusy, "kernel python3 is starting"},
		{"starting for an hour, as old servers call one that runs", kernel("python3", "starting", time.Hour+time.Second), environment.SignalBusy, "kernel python3 has been starting for 1h and may be at work"},
		{"dead", kernel("python3", "dead", time.Hour), environment.SignalQuiet, "kernel python3 is idle"},
		{"a name made to be repeated", kernel("<https://evil.example|click>", "busy", 0), environment.SignalBusy, "a kernel is running"},
		{"a state of a later version", kernel("python3", "resting", 0), environment.SignalUnknown, "it is not known whether kernel python3 is running"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &cluster{}
			serve(t, c, "hub", hubLabels, hubPort, hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour))))
			serve(t, c, "notebook", notebookLabels, notebookPort, notebookOf(test.kernels))
			_, a := watch(c, environment.AccessJupyterHub, token).look(t, 0)
			for _, s := range a.Signals {
				if s.Source == "kernel" && s.Kind == test.kind && strings.HasPrefix(s.Message, test.message) {
					return
				}
			}
			t.Errorf("got %q; want %s %q", signals(a), test.kind, test.message)
		})
	}
}

// TestPrintingCellKeepsItsStart: its last activity moves, and how long it has
// been running must not.
func TestPrintingCellKeepsItsStart(t *testing.T) {
	c := &cluster{}
	serve(t, c, "hub", hubLabels, hubPort, hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour))))
	serve(t, c, "notebook", notebookLabels, notebookPort, notebookOf(`[{"id":"k","name":"python3","last_activity":"`+stamp(0)+`","execution_state":"busy"}]`))
	w := watch(c, environment.AccessJupyterHub, token)
	w.look(t, 0)
	w.use.Memory["kernel.k"] = stamp(90 * time.Minute)
	if got, _ := w.look(t, 0); got.Reason != "kernel python3 has been running for 1h30m" {
		t.Errorf("got %q", got.Reason)
	}
}

func TestQuestionsAreNotUse(t *testing.T) {
	c, notebook := &cluster{}, notebookOf(`[]`)
	serve(t, c, "hub", hubLabels, hubPort, hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour))))
	serve(t, c, "notebook", notebookLabels, notebookPort, notebook)
	watch(c, environment.AccessJupyterHub, token).look(t, 0)
	for _, asked := range notebook.asked {
		if !strings.HasSuffix(asked, untracked) {
			t.Errorf("%s counts as use", asked)
		}
	}
	if len(notebook.asked) != 3 {
		t.Errorf("got %q; want status, kernels and terminals", notebook.asked)
	}
}

// TestServersHaveHostsOfTheirOwn: with subdomain_host a hub names a whole
// address for a server, and names of users may have to be escaped in it.
func TestServersHaveHostsOfTheirOwn(t *testing.T) {
	for said, path := range map[string]string{
		"/user/alice/": "/user/alice/",
		"https://alice.hub.example.edu/user/alice/": "/user/alice/",
		"http://hub.example.edu:8000/user/alice":    "/user/alice/",
		"/user/a%2Fb%40c/lab/":                      "/user/a%2Fb%40c/lab/",
		"user/alice/":                               "",
		"https://evil.example":                      "",
		"://":                                       "",
	} {
		got, err := hubServer{URL: said}.path()
		if got != path || (err == nil) != (path != "") {
			t.Errorf("%s: got %q, %v; want %q", said, got, err, path)
		}
	}
	c := &cluster{}
	users := strings.Replace(fmt.Sprintf(readyUser, stamp(3*time.Hour)), `"/user/alice/"`, `"https://alice.hub.example.edu/user/alice/"`, 1)
	serve(t, c, "hub", hubLabels, hubPort, hubOf(users))
	serve(t, c, "notebook", notebookLabels, notebookPort, notebookOf(`[]`))
	watch(c, environment.AccessJupyterHub, token).expect(t, environment.VerdictIdle, "")
}

func TestWhatIsMissingIsUnknown(t *testing.T) {
	ready := fmt.Sprintf(readyUser, stamp(3*time.Hour))
	stranger := &pages{text: map[string]string{"/hub/api/": `<html>`}}
	for _, test := range []struct {
		name  string
		build func(*cluster)
		want  string
	}{
		{"the cluster", func(c *cluster) { c.err = errors.New("timeout") }, "cluster unknown the cluster does not answer"},
		{"the hub's pod", func(*cluster) {}, "hub unknown the hub is not running"},
		{"a node for the hub", func(c *cluster) { c.pods = []environment.Pod{{Name: "hub", Labels: hubLabels, Pending: true}} }, "hub unknown the hub is not running"},
		{"a hub at the hub's port", func(c *cluster) { serve(t, c, "hub", hubLabels, hubPort, stranger) }, "hub unknown the hub does not answer"},
		{"pages", func(c *cluster) {
			serve(t, c, "hub", hubLabels, hubPort, &pages{text: map[string]string{"/hub/api/": `{"version":"5.0.0"}`, "/hub/api/users": `{"items":[]}`}})
		}, "hub unknown the hub does not answer"},
		{"the notebook's pod", func(c *cluster) { serve(t, c, "hub", hubLabels, hubPort, hubOf(ready)) }, "server unknown a notebook does not answer"},
		{"the notebook's path", func(c *cluster) {
			serve(t, c, "hub", hubLabels, hubPort, hubOf(ready))
			serve(t, c, "bobs", notebookLabels, notebookPort, &pages{})
		}, "server unknown a notebook does not answer"},
		{"a scheduler's node", func(c *cluster) {
			serve(t, c, "hub", hubLabels, hubPort, hubOf("[]"))
			c.pods = append(c.pods, environment.Pod{Name: "s", Labels: operatorLabels, Pending: true})
		}, "scheduler unknown a Dask scheduler has not started"},
		{"a scheduler's answer", func(c *cluster) {
			serve(t, c, "hub", hubLabels, hubPort, hubOf("[]"))
			serve(t, c, "s", operatorLabels, schedulerPort, &pages{text: map[string]string{"/api/v1/check_idle": `{}`}})
		}, "scheduler unknown a Dask scheduler does not answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &cluster{}
			test.build(c)
			got, a := watch(c, environment.AccessJupyterHub, token).look(t, half)
			if all := strings.Join(signals(a), "\n"); !strings.Contains(all, test.want) || got.Is != environment.VerdictUnknown {
				t.Errorf("got %s and %s; want %s", got.Is, all, test.want)
			}
		})
	}
}

// TestClocks: a server whose clock is wrong says when it was used all the same.
func TestClocks(t *testing.T) {
	for _, skew := range []time.Duration{3 * time.Hour, -3 * time.Hour, 0} {
		c := &cluster{}
		h := hubOf(fmt.Sprintf(`[{"name":"a","last_activity":%q,"servers":{}}]`, stamp(40*time.Minute-skew)))
		h.clock = skew
		serve(t, c, "hub", hubLabels, hubPort, h)
		_, a := watch(c, environment.AccessJupyterHub, token).look(t, 0)
		if ago := time.Since(a.Last()); (ago - 40*time.Minute).Abs() > time.Minute {
			t.Errorf("%s ahead: the last use is %s ago; want 40m", skew, ago)
		}
	}
	c := &cluster{}
	serve(t, c, "hub", hubLabels, hubPort, hubOf(`[{"name":"a","last_activity":"2099-01-01T00:00:00Z","servers":{}}]`))
	if _, a := watch(c, environment.AccessJupyterHub, token).look(t, 0); a.Last().After(time.Now()) {
		t.Errorf("got a last use at %s", a.Last())
	}
}

// TestLookIsBounded: a server that never answers costs no more than the
// timeout, and what answered is kept.
func TestLookIsBounded(t *testing.T) {
	c := &cluster{}
	release := make(chan struct{})
	defer close(release)
	serve(t, c, "hub", hubLabels, hubPort, hubOf(fmt.Sprintf(`[{"name":"a","last_activity":%q,"servers":{}}]`, stamp(20*time.Minute))))
	serve(t, c, "s", operatorLabels, schedulerPort, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	want := []string{"hub quiet", "scheduler unknown"}
	var got []string
	// A busy machine may be too slow for the first of the timeouts.
	for _, timeout := range []time.Duration{300 * time.Millisecond, 5 * time.Second, time.Minute} {
		w := watch(c, environment.AccessJupyterHub, token)
		w.prober = New(Config{Inside: c, Timeout: timeout})
		_, a := w.look(t, half) // without a bound it does not return
		got = nil
		for _, s := range a.Signals {
			got = append(got, s.Source+" "+string(s.Kind))
		}
		if slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("got %q; want %q", got, want)
}

// countersOf answers as a scheduler without check_idle.
func countersOf(n counts, started float64, metrics string) *pages {
	text, _ := json.Marshal(n) // plain numbers
	p := &pages{text: map[string]string{"/json/counts.json": string(text), "/json/identity.json": fmt.Sprintf(`{"type":"Scheduler","started":%f}`, started)}}
	if metrics != "" {
		p.text["/metrics"] = metrics
	}
	return p
}

func TestCounters(t *testing.T) {
	now := time.Now()
	old := float64(now.Add(-5 * time.Hour).Unix())
	remembered := func(tasks int, started float64, since, at time.Duration) map[string]string {
		text, _ := json.Marshal(seenCounters{Tasks: tasks, Memory: tasks, Started: started, Since: now.Add(-since), At: now.Add(-at)})
		return map[string]string{"scheduler.s": string(text)}
	}
	const none = "# Dask's metrics are not available\n"
	for _, test := range []struct {
		name   string
		n      counts
		text   string
		memory map[string]string
		kind   environment.SignalKind
		since  time.Duration
	}{
		{"computing", counts{Tasks: 3, Processing: 2}, none, nil, environment.SignalBusy, 0},
		{"queued, which only metrics name", counts{Tasks: 2, Memory: 2, Workers: 1}, "dask_scheduler_tasks{state=\"queued\"} 1.0\n", nil, environment.SignalBusy, 0},
		{"queued, without metrics", counts{Tasks: 1}, none, nil, environment.SignalBusy, 0},
		{"queued, without the page", counts{Tasks: 1}, "", nil, environment.SignalBusy, 0},
		{"unchanged", counts{Tasks: 2, Memory: 2}, none, remembered(2, old, 40*time.Minute, 5*time.Minute), environment.SignalQuiet, 40 * time.Minute},
		{"changed since", counts{}, none, remembered(2, old, 40*time.Minute, 5*time.Minute), environment.SignalQuiet, 0},
		{"nobody looked for an hour", counts{Tasks: 2, Memory: 2}, none, remembered(2, old, 2*time.Hour, time.Hour), environment.SignalQuiet, 0},
		{"restarted since", counts{}, none, remembered(2, old-1, 40*time.Minute, 5*time.Minute), environment.SignalQuiet, 5 * time.Hour},
		{"unchanged since a look by a clock that was ahead", counts{Tasks: 2, Memory: 2}, none, remembered(2, old, -24*time.Hour, -24*time.Hour), environment.SignalQuiet, 0},
		{"first seen long after it began", counts{}, none, nil, environment.SignalQuiet, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &cluster{}
			serve(t, c, "s", chartLabels, schedulerPort, countersOf(test.n, old, test.text))
			w := watch(c, environment.AccessJupyter, token)
			w.probe.Environment.ReadyAt = now.Add(-6 * time.Hour)
			w.use.Memory = test.memory
			_, a := w.look(t, 0)
			for _, s := range a.Signals {
				if s.Source != "scheduler" {
					continue
				}
				if ago := time.Since(s.Last); s.Kind != test.kind || (ago-test.since).Abs() > time.Minute {
					t.Errorf("got %s %s, last %s ago; want %s %s ago", s.Kind, s.Message, ago, test.kind, test.since)
				}
				return
			}
			t.Errorf("got %q; want a scheduler", signals(a))
		})
	}
}

// TestMemoryOutlivesAnOutage: a source that does not answer once must not
// forget what it said before.
func TestMemoryOutlivesAnOutage(t *testing.T) {
	w := watch(&cluster{err: errors.New("down")}, environment.AccessJupyterHub, token)
	before := map[string]string{memoryLast: stamp(time.Hour), memoryUsers: "1", "scheduler.s": "{}"}
	w.use.Memory = before
	w.look(t, 0)
	if diff := cmp.Diff(before, w.use.Memory); diff != "" {
		t.Error(diff)
	}
	c := &cluster{}
	c.pods = []environment.Pod{{Name: "s", Labels: chartLabels, Pending: true}}
	w.prober = New(Config{Inside: c})
	w.look(t, 0)
	if diff := cmp.Diff(before, w.use.Memory); diff != "" {
		t.Error(diff)
	}
}

// TestSchedulerWithinANotebook: a kernel is idle while the cluster that it
// started in its own pod computes.
func TestSchedulerWithinANotebook(t *testing.T) {
	c := &cluster{}
	serve(t, c, "hub", hubLabels, hubPort, hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour))))
	serve(t, c, "notebook", notebookLabels, notebookPort, notebookOf(`[]`))
	w := watch(c, environment.AccessJupyterHub, token)
	if got, _ := w.look(t, half); got.Is != environment.VerdictIdle {
		t.Errorf("without a scheduler: got %s (%s); want idle", got.Is, got.Reason)
	}
	local := httptest.NewServer(countersOf(counts{Tasks: 1, Processing: 1, Workers: 1}, 1, ""))
	defer local.Close()
	c.ports["notebook:8787"] = local.Listener.Addr().(*net.TCPAddr).Port
	if got, _ := w.look(t, half); got.Reason != "Dask is computing" {
		t.Errorf("got %s (%s); want computing", got.Is, got.Reason)
	}
}

func TestWorkersAreNoUse(t *testing.T) {
	c := &cluster{}
	serve(t, c, "hub", hubLabels, hubPort, hubOf("[]"))
	c.pods = append(c.pods, environment.Pod{Name: "w1", Labels: workerPodLabels, Ready: true}, environment.Pod{Name: "w2", Labels: workerPodLabels, Pending: true})
	_, a := watch(c, environment.AccessJupyterHub, token).look(t, half)
	if diff := cmp.Diff([]string{"hub quiet nobody has logged in", "workers quiet 1 of 2 Dask workers have not started"}, signals(a)); diff != "" {
		t.Error(diff)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	c := &cluster{}
	serve(t, c, "hub", hubLabels, hubPort, hubOf("[]"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := watch(c, environment.AccessJupyterHub, token)
	if a, _ := w.prober.Probe(ctx, w.probe); a.Signals[0].Kind != environment.SignalUnknown {
		t.Errorf("got %q", signals(a))
	}
}
