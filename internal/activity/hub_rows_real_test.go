//go:build linux && !race

package activity

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestRealHubs(t *testing.T) {
	needServers(t)
	for name, p := range map[string]func(*testing.T) python{
		"current":   func(t *testing.T) python { return virtual(t, "current", jupyterPackages...) },
		"debian 12": debian,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRealHub(t, p(t))
			h.nobody(t)
			h.refused(t)
			h.idle(t)
			h.polling(t)
			h.atWork(t)
			h.atOnce(t)
			h.open(t)
			h.terminal(t)
			h.gone(t)
		})
	}
}

// nobody: a hub that nobody ever logged in to.
func (h *realHub) nobody(t *testing.T) {
	a := h.watcher.expect(t, environment.VerdictIdle, "nobody has used it")
	if !a.Last().IsZero() {
		t.Errorf("got a last use of %s; want none", a.Last())
	}
}

// refused: what a token cannot see is unknown, never idle.
func (h *realHub) refused(t *testing.T) {
	for name, bad := range map[string]string{"a bad token": "nonsense", "no scope": mutedToken, "a scope missing": blindToken} {
		w := watch(h.watcher.prober.Inside.(*cluster), environment.AccessJupyterHub, bad)
		t.Log(name)
		w.expect(t, environment.VerdictUnknown, "scopes")
	}
}

// idle: somebody logged in, started a notebook and left.
func (h *realHub) idle(t *testing.T) {
	h.login(t)
	h.watcher.expect(t, environment.VerdictIdle, "last used")
	h.spawn(t)
	a := h.watcher.expect(t, environment.VerdictIdle, "last used")
	if since := time.Since(a.Last()); since > time.Minute {
		t.Errorf("the last use is %s ago; want seconds", since)
	}
}

// polling moves nobody's last activity, although a single request through the
// proxy does.
func (h *realHub) polling(t *testing.T) {
	settled := h.settle(t)
	end := time.After(*pollFor)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	looks := 0
	for polling := true; polling; {
		select {
		case <-end:
			polling = false
		case <-tick.C:
			h.watcher.look(t, 0)
			looks++
		}
	}
	if got := h.lastActivity(t); got != settled {
		t.Errorf("%d looks moved the last activity from %s to %s", looks, settled, got)
	}
	h.call(t, h.public, http.MethodGet, "/user/alice/api/kernels", nil, nil)
	wait(t, time.Minute, func() error {
		if got := h.lastActivity(t); got == settled {
			return fmt.Errorf("a request through the proxy did not move %s: this test sees nothing", got)
		}
		return nil
	})
	t.Logf("%d looks in %s moved nothing; one request through the proxy did", looks, *pollFor)
}

// settle waits until what was done before has been reported.
func (h *realHub) settle(t *testing.T) string {
	t.Helper()
	last, same := "", 0
	wait(t, time.Minute, func() error {
		got := h.lastActivity(t)
		if same++; got != last {
			last, same = got, 0
		}
		if same < 25 { // five seconds: two of every interval
			return fmt.Errorf("still moving: %s", got)
		}
		return nil
	})
	return last
}

// atWork: cells that run with no browser open.
func (h *realHub) atWork(t *testing.T) {
	silent := h.run(t, "import time; time.sleep(600)")
	settled := h.settle(t) // which shows that the hub knows nothing of it
	a := h.watcher.expect(t, environment.VerdictActive, "kernel python3")
	t.Logf("the hub's own last activity stands still at %s", settled)
	if len(a.Signals) < 3 {
		t.Errorf("got %v; want hub, server and kernel", a.Signals)
	}
	h.forget(t, silent)
	h.watcher.expect(t, environment.VerdictIdle, "last used")
	printing := h.run(t, "import time\nfor i in range(600):\n    print(i); time.sleep(1)")
	// An old notebook server may go on calling a kernel "starting" that runs.
	first := h.watcher.expect(t, environment.VerdictActive, "kernel python3 is ")
	wait(t, time.Minute, func() error {
		if _, a := h.watcher.look(t, half); !a.Last().After(first.Last()) {
			return fmt.Errorf("a printing cell does not move the last use from %s", first.Last())
		}
		return nil
	})
	h.forget(t, printing)
	h.done(t)
}

// done: the clock of a long cell starts when it ends, not when it began.
func (h *realHub) done(t *testing.T) {
	began := time.Now()
	kernel := h.run(t, "import time; time.sleep(6)")
	// A kernel that has only just been made may be called otherwise before it is
	// called busy.
	wait(t, time.Minute, func() error {
		if state, _ := h.state(t, kernel); state != "idle" || time.Since(began) < 6*time.Second {
			return fmt.Errorf("the kernel is %s", state)
		}
		return nil
	})
	got, a := h.watcher.look(t, 0)
	if got.Is != environment.VerdictActive || a.Last().Sub(began) < 6*time.Second {
		t.Errorf("just done: got %s (%s), last used %s after it began; want active, and no less than the 6s that it took", got.Is, got.Reason, a.Last().Sub(began))
	}
	h.watcher.expect(t, environment.VerdictIdle, "last used")
	h.forget(t, kernel)
}

// atOnce: work given to a kernel that has only just been made, by a program or
// a quick hand, and beside it one that nobody ever connected to. The second is
// "starting" for ever; an old server may say that of the first too, or, if the
// kernel answers its greeting while it works, that it is idle.
func (h *realHub) atOnce(t *testing.T) {
	unused := h.kernel(t)
	h.watcher.expect(t, environment.VerdictActive, "kernel python3 is starting")
	kernel := h.kernel(t)
	conn := h.dial(t, h.notebook, "api/kernels/"+kernel+"/channels")
	h.execute(t, conn, "import time; time.sleep(600)")
	_ = conn.Close()
	h.settle(t)
	state, _ := h.state(t, unused)
	t.Logf("a kernel that nobody used is called %s", state)
	h.forget(t, unused)
	state, _ = h.state(t, kernel)
	t.Logf("one that was given work at once is called %s", state)
	if state != "idle" { // the runbook says what to do about that
		h.watcher.expect(t, environment.VerdictActive, "kernel python3 ")
	}
	h.forget(t, kernel)
}

// open: somebody's browser. What it asks for and what is typed is use; a
// connection on which nothing is said is none, or a forgotten tab would be paid
// for until its computer sleeps.
func (h *realHub) open(t *testing.T) {
	kernel := h.used(t)
	conn := h.dial(t, h.public, "api/kernels/"+kernel+"/channels")
	defer conn.Close()
	closed := make(chan error, 1)
	go func() { // answers pings, as a browser does
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				closed <- err
				return
			}
		}
	}()
	h.greeted(t, kernel)
	settled := h.settle(t)
	a := h.watcher.expect(t, environment.VerdictIdle, "last used")
	if got := h.settle(t); got != settled {
		t.Errorf("an open connection moved the last activity from %s to %s", settled, got)
	}
	select {
	case err := <-closed:
		t.Errorf("the connection did not stay open: %v", err)
	default:
	}
	for what, ask := range map[string]func(){
		"an open tab asks what runs": func() {
			h.call(t, h.public, http.MethodGet, "/user/alice/api/sessions?1", nil, nil)
			h.call(t, h.public, http.MethodGet, "/user/alice/api/kernels?1", nil, nil)
		},
		"what is typed is saved": func() {
			h.call(t, h.public, http.MethodPut, "/user/alice/api/contents/a.txt", map[string]string{"type": "file", "format": "text", "content": "a"}, nil)
		},
	} {
		ask()
		got, now := h.watcher.look(t, 0)
		if got.Is != environment.VerdictActive || !now.Last().After(a.Last()) {
			t.Errorf("%s: got %s (%s), and the last use went from %s to %s; want active, and later", what, got.Is, got.Reason, a.Last(), now.Last())
		}
		a = now
	}
	h.forget(t, kernel)
}

// terminal: what runs silently in a terminal cannot be seen, only that it is
// open; a lease is for that.
func (h *realHub) terminal(t *testing.T) {
	var made struct{ Name string }
	h.call(t, h.notebook, http.MethodPost, "/user/alice/api/terminals", nil, &made)
	conn := h.dial(t, h.notebook, "terminals/websocket/"+made.Name)
	if err := conn.WriteJSON([]string{"stdin", "sleep 600\n"}); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	a := h.watcher.expect(t, environment.VerdictIdle, "last used")
	open := false
	for _, s := range a.Signals {
		open = open || s.Source == "terminal" && s.Kind == environment.SignalQuiet
	}
	if !open {
		t.Errorf("got %v; want a terminal among them", a.Signals)
	}
	h.watcher.probe.Environment.KeepUntil = time.Now().Add(time.Hour)
	h.watcher.expect(t, environment.VerdictActive, "kept until")
	h.watcher.probe.Environment.KeepUntil = time.Time{}
}

// gone: servers stopped, one that never starts, the hub killed behind its
// proxy, and a hub that comes back without its database.
func (h *realHub) gone(t *testing.T) {
	h.call(t, h.hub, http.MethodDelete, "/hub/api/users/alice/server", nil, nil)
	wait(t, time.Minute, func() error {
		if got, _ := h.watcher.look(t, half); got.Is != environment.VerdictIdle || !strings.Contains(got.Reason, "last used") {
			return fmt.Errorf("got %s (%s); want idle", got.Is, got.Reason)
		}
		return nil
	})
	h.call(t, h.hub, http.MethodPost, "/hub/api/users/slow", nil, nil)
	go func() { // the hub answers only when it is patient no longer
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+local(h.hub)+"/hub/api/users/slow/server", nil)
		if err == nil {
			req.Header.Set("Authorization", "token "+adminToken)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
	}()
	wait(t, time.Minute, func() error {
		if got, _ := h.watcher.look(t, half); got.Is != environment.VerdictActive {
			return fmt.Errorf("got %s (%s); want active", got.Is, got.Reason)
		}
		return nil
	})
	h.watcher.expect(t, environment.VerdictActive, "a notebook is starting")
	h.watcher.use.Memory[memoryStarting] = time.Now().Add(-startLimit - time.Minute).UTC().Format(time.RFC3339)
	h.watcher.expect(t, environment.VerdictUnknown, "has been starting for 11m")
	h.many(t)
	h.stop()
	if code := h.call(t, h.public, http.MethodGet, "/_chp_healthz", nil, nil); code != http.StatusOK {
		t.Errorf("the proxy says %d; want it alive without its hub", code)
	}
	h.watcher.expect(t, environment.VerdictUnknown, "the hub does not answer")
	sweep(t, h.dir)
	_ = os.Remove(filepath.Join(h.dir, "jupyterhub-proxy.pid")) // a killed proxy that nobody waited for looks alive
	h.start(t)
	h.watcher.expect(t, environment.VerdictUnknown, "forgotten")
	h.login(t)
	wait(t, time.Minute, func() error {
		if got, _ := h.watcher.look(t, half); got.Is != environment.VerdictIdle {
			return fmt.Errorf("got %s (%s); want idle again", got.Is, got.Reason)
		}
		return nil
	})
}

// many users come in pages.
func (h *realHub) many(t *testing.T) {
	var names []string
	for i := range 2*pageSize + 5 {
		names = append(names, fmt.Sprintf("student%d", i))
	}
	h.call(t, h.hub, http.MethodPost, "/hub/api/users", map[string]any{"usernames": names}, nil)
	l := &look{Probe: h.watcher.probe, prober: h.watcher.prober}
	c := l.client(environment.Pod{Name: "hub-0"}, hubPort, environment.NewSecret(token))
	defer c.close()
	users, err := hubUsers(t.Context(), c)
	if err != nil || len(users) != len(names)+2 {
		t.Errorf("got %d users, %v; want %d", len(users), err, len(names)+2)
	}
}
