//go:build linux && !race

package activity

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/daskbot/daskbot/internal/environment"
)

// pollFor is how long looking again and again is shown to move nobody's last
// activity: 10m is what daskbot promises.
var pollFor = flag.Duration("poll", time.Minute, "how long to poll an idle hub")

// The tokens of the hub's services.
const (
	adminToken = "admin-0123456789abcdef"
	blindToken = "blind-0123456789abcdef" // lists users, sees no activity
	mutedToken = "muted-0123456789abcdef" // may do nothing
)

// realHub is a real JupyterHub behind its proxy. Alice's notebook has a fixed
// port; everything reports its activity within seconds.
type realHub struct {
	python                     python
	public, api, hub, notebook int
	dir                        string
	stop                       func()
	watcher                    *watcher
}

const hubConfig = `
import asyncio, sys
c.JupyterHub.bind_url = "http://127.0.0.1:%[1]d"
c.JupyterHub.hub_ip, c.JupyterHub.hub_port = "127.0.0.1", %[3]d
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret = b"0" * 32
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:%[2]d"
c.ConfigurableHTTPProxy.command = ["%[6]s"]
c.ConfigurableHTTPProxy.auth_token = "proxy"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "pw"
c.Authenticator.allowed_users = {"alice", "slow"}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "%[5]s/{username}"
c.Spawner.ip, c.Spawner.port = "127.0.0.1", %[4]d
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.env_keep = ["PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "JUPYTER_PATH", "PYTHONWARNINGS", "LANG"]
c.Spawner.environment = {"JUPYTERHUB_ACTIVITY_INTERVAL": "2"}
c.JupyterHub.last_activity_interval = 2
async def hook(spawner):
    if spawner.user.name == "slow":
        await asyncio.sleep(600)
c.Spawner.pre_spawn_hook = hook
c.Spawner.start_timeout = c.Spawner.http_timeout = 900
watch = ["read:hub", "list:users", "read:users:activity", "read:servers", "access:servers"]
services = {"daskbot": ("%[7]s", watch), "blind": ("%[8]s", ["list:users", "read:users:name"]), "muted": ("%[9]s", []),
    "driver": ("%[10]s", watch + ["admin:users", "admin:servers"])}
c.JupyterHub.services = [{"name": n, "api_token": t} for n, (t, _) in services.items()]
c.JupyterHub.load_roles = [{"name": n, "services": [n], "scopes": s} for n, (_, s) in services.items()]
`

func newRealHub(t *testing.T, p python) *realHub {
	t.Helper()
	h := &realHub{python: p, public: freePort(t), api: freePort(t), hub: freePort(t), notebook: freePort(t), dir: t.TempDir()}
	config := fmt.Sprintf(hubConfig, h.public, h.api, h.hub, h.notebook, h.dir, proxy(t), token, blindToken, mutedToken, adminToken)
	if err := os.WriteFile(filepath.Join(h.dir, "config.py"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cluster{}
	c.add("hub-0", hubLabels, hubPort, h.hub)
	c.add("jupyter-alice", notebookLabels, notebookPort, h.notebook)
	h.watcher = watch(c, environment.AccessJupyterHub, token)
	t.Cleanup(func() { sweep(t, h.dir) })
	h.start(t)
	return h
}

func (h *realHub) start(t *testing.T) {
	t.Helper()
	cmd := h.python.command(t.Context(), "-m", "jupyterhub", "-f", filepath.Join(h.dir, "config.py"))
	cmd.Dir = h.dir
	h.stop = start(t, cmd)
	wait(t, time.Minute, func() error {
		resp, err := http.Get("http://" + local(h.public) + "/hub/api/") //nolint:noctx // a test's own server
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// call asks the hub, or a notebook past the proxy, as the admin.
func (h *realHub) call(t *testing.T, port int, method, path string, body, into any) int {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+local(port)+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(got, into); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, got)
		}
	}
	return resp.StatusCode
}

// lastActivity is what the hub says of alice and her server.
func (h *realHub) lastActivity(t *testing.T) string {
	t.Helper()
	var u struct {
		LastActivity string `json:"last_activity"`
		Servers      map[string]struct {
			LastActivity string `json:"last_activity"`
		} `json:"servers"`
	}
	h.call(t, h.hub, http.MethodGet, "/hub/api/users/alice", nil, &u)
	return u.LastActivity + " " + u.Servers[""].LastActivity
}

// spawn starts alice's notebook and waits until the hub says that it is ready.
func (h *realHub) spawn(t *testing.T) {
	t.Helper()
	if code := h.call(t, h.hub, http.MethodPost, "/hub/api/users/alice/server", nil, nil); code != http.StatusCreated && code != http.StatusAccepted {
		t.Fatalf("start a server: status %d", code)
	}
	wait(t, time.Minute, func() error {
		var u struct {
			Servers map[string]struct{ Ready bool } `json:"servers"`
		}
		h.call(t, h.hub, http.MethodGet, "/hub/api/users/alice", nil, &u)
		if !u.Servers[""].Ready {
			return fmt.Errorf("servers: %v", u.Servers)
		}
		return nil
	})
}

// dial opens a websocket to alice's notebook, past the proxy.
func (h *realHub) dial(t *testing.T, path string) *websocket.Conn {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+local(h.notebook)+"/user/alice/"+path,
		http.Header{"Authorization": {"token " + adminToken}})
	if err != nil {
		t.Fatalf("websocket %s: %v", path, err)
	}
	_ = resp.Body.Close()
	return conn
}

// run executes code in a new kernel, waits until it is busy with it and then
// closes the browser.
func (h *realHub) run(t *testing.T, code string) (kernel string) {
	t.Helper()
	var made struct{ ID string }
	h.call(t, h.notebook, http.MethodPost, "/user/alice/api/kernels", map[string]string{"name": "python3"}, &made)
	conn := h.dial(t, "api/kernels/"+made.ID+"/channels")
	defer conn.Close()
	id := environment.NewID()
	header := map[string]any{"msg_id": id, "username": "alice", "session": "s", "msg_type": "execute_request", "version": "5.3", "date": time.Now().UTC().Format(time.RFC3339Nano)}
	err := conn.WriteJSON(map[string]any{"channel": "shell", "header": header, "parent_header": map[string]any{}, "metadata": map[string]any{}, "buffers": []any{},
		"content": map[string]any{"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": false}})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		var m struct {
			Type   string `json:"msg_type"`
			Parent struct {
				ID string `json:"msg_id"`
			} `json:"parent_header"`
		}
		if err := conn.ReadJSON(&m); err != nil {
			t.Fatalf("the kernel never began: %v", err)
		}
		if m.Type == "execute_input" && m.Parent.ID == id {
			return made.ID
		}
	}
}

// login is what a person does in the browser, through the proxy.
func (h *realHub) login(t *testing.T) {
	t.Helper()
	root, err := url.Parse("http://" + local(h.public))
	if err != nil {
		t.Fatal(err)
	}
	browser := NewDoor(nil, 0).session(root)
	in, err := browser.login(t.Context(), "/hub/login", url.Values{"username": {"alice"}, "password": {"pw"}})
	if err != nil || !in {
		t.Fatalf("login: %v, %v", in, err)
	}
	if home, err := browser.do(t.Context(), http.MethodGet, "/hub/home", nil, nil); err != nil || home.status != http.StatusOK {
		t.Fatalf("home: %d, %v", home.status, err)
	}
}

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
	h.call(t, h.notebook, http.MethodDelete, "/user/alice/api/kernels/"+silent, nil, nil)
	h.watcher.expect(t, environment.VerdictIdle, "last used")
	printing := h.run(t, "import time\nfor i in range(600):\n    print(i); time.sleep(1)")
	wait(t, time.Minute, func() error { // a notebook server may take a second to notice
		if got, _ := h.watcher.look(t, half); !strings.Contains(got.Reason, "running") {
			return fmt.Errorf("got %s (%s); want it running", got.Is, got.Reason)
		}
		return nil
	})
	first := h.watcher.expect(t, environment.VerdictActive, "kernel python3 is running")
	wait(t, time.Minute, func() error {
		if _, a := h.watcher.look(t, half); !a.Last().After(first.Last()) {
			return fmt.Errorf("a printing cell does not move the last use from %s", first.Last())
		}
		return nil
	})
	h.call(t, h.notebook, http.MethodDelete, "/user/alice/api/kernels/"+printing, nil, nil)
}

// terminal: what runs silently in a terminal cannot be seen, only that it is
// open; a lease is for that.
func (h *realHub) terminal(t *testing.T) {
	var made struct{ Name string }
	h.call(t, h.notebook, http.MethodPost, "/user/alice/api/terminals", nil, &made)
	conn := h.dial(t, "terminals/websocket/"+made.Name)
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
