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
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/daskbot/daskbot/internal/environment"
)

// pollFor is how long looking again and again is shown to move nobody's last
// activity: 10m is what daskbot promises.
var pollFor = flag.Duration("poll", 40*time.Second, "how long to poll an idle hub")

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
	wait(t, 3*time.Minute, func() error { // a busy machine is slow to read so much Python
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

// dial opens a websocket to alice's notebook, through the proxy or past it.
func (h *realHub) dial(t *testing.T, port int, path string) *websocket.Conn {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+local(port)+"/user/alice/"+path,
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
	kernel = h.kernel(t)
	conn := h.dial(t, h.notebook, "api/kernels/"+kernel+"/channels")
	defer conn.Close()
	h.greeted(t, kernel)
	h.execute(t, conn, code)
	return kernel
}

// kernel makes a new one, to which nobody is connected.
func (h *realHub) kernel(t *testing.T) string {
	t.Helper()
	var made struct{ ID string }
	h.call(t, h.notebook, http.MethodPost, "/user/alice/api/kernels", map[string]string{"name": "python3"}, &made)
	return made.ID
}

// used makes a kernel that has run a cell and rests. An old server that did not
// hear the answers to its greeting would call it starting until then.
func (h *realHub) used(t *testing.T) string {
	t.Helper()
	kernel := h.run(t, "pass")
	wait(t, time.Minute, func() error {
		if state, _ := h.state(t, kernel); state != "idle" {
			return fmt.Errorf("the kernel is %s", state)
		}
		return nil
	})
	return kernel
}

// forget ends a kernel.
func (h *realHub) forget(t *testing.T, kernel string) {
	t.Helper()
	h.call(t, h.notebook, http.MethodDelete, "/user/alice/api/kernels/"+kernel, nil, nil)
}

// state is what the notebook server says of a kernel.
func (h *realHub) state(t *testing.T, kernel string) (state, last string) {
	t.Helper()
	var k struct {
		State string `json:"execution_state"`
		Last  string `json:"last_activity"`
	}
	h.call(t, h.notebook, http.MethodGet, "/user/alice/api/kernels/"+kernel+untracked, nil, &k)
	return k.State, k.Last
}

// execute sends code to a kernel and waits until it is busy with it.
func (h *realHub) execute(t *testing.T, conn *websocket.Conn, code string) {
	t.Helper()
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
			return
		}
	}
}

// greeted waits until the server has heard the kernel's answers to its own
// greeting. An old one takes the last of them for the kernel's state: it may
// call a kernel idle that began to work before that answer came.
func (h *realHub) greeted(t *testing.T, kernel string) {
	t.Helper()
	last, same := "", 0
	wait(t, time.Minute, func() error {
		_, now := h.state(t, kernel)
		if same++; now != last {
			last, same = now, 0
		}
		if same < 10 { // two seconds
			return fmt.Errorf("the kernel is still being greeted: %s", last)
		}
		return nil
	})
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
