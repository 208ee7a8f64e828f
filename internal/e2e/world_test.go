package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// world is what one story has of its own: a daemon with its store, its
// installation and a cloud project.
type world struct {
	dir          string
	addr         string // of the daemon
	project      string
	workspace    string // of Slack, where there is one
	installation string
	config       string
	program      string   // of the daemon, in its next life
	extra        []string // variables of the daemon that only this story has
	proxy        *recorder
	daemon       *process
}

// newWorld makes the project and the proxy; the daemon is started by start.
func newWorld(ctx context.Context, dir string) (*world, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	name := "e2e-" + strings.ToLower(rand.Text()[:10])
	w := &world{dir: dir, addr: addr, project: name, installation: name, config: stage.config, program: stage.daskbot}
	const roomy = 1000
	quotas := map[string]float64{}
	for _, metric := range []string{"CPUS", "N2_CPUS", "N2D_CPUS", "CPUS_ALL_REGIONS", "IN_USE_ADDRESSES", "STATIC_ADDRESSES",
		"INSTANCES", "FORWARDING_RULES", "TARGET_POOLS", "SNAPSHOTS", "FIREWALLS", "HEALTH_CHECKS"} {
		quotas[metric] = roomy
	}
	quotas["DISKS_TOTAL_GB"], quotas["SSD_TOTAL_GB"] = 100*roomy, 100*roomy
	if err := stage.sandbox.ask(ctx, http.MethodPut, "/projects/"+name, map[string]any{"quotas": quotas}, nil); err != nil {
		return nil, err
	}
	w.proxy = newRecorder(addr, described.judge)
	return w, nil
}

// newStory is newWorld for a test in Go: started, and checked at its end.
func newStory(t *testing.T) *world { return newStoryWith(t, stage.config) }

// newStoryWith is newStory with a configuration of its own.
func newStoryWith(t *testing.T, config string) *world {
	t.Helper()
	w := newUnstarted(t)
	w.config = config
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// newUnstarted is a world whose daemon the test starts itself.
func newUnstarted(t *testing.T) *world {
	t.Helper()
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	w, err := newWorld(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() && w.daemon != nil {
			t.Logf("the daemon's last words:\n%s", w.daemon.lastWords(60))
		}
	})
	return w
}

// environ are the variables that lead a client, or a daemon, to this world.
func (w *world) environ() []string {
	e := stage.sandbox.endpoints
	return []string{
		"PATH=" + filepath.Dir(stage.daskbot) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + w.dir, "TZ=UTC", "USER=admin",
		"DASKBOT_URL=" + w.proxy.URL, "DASKBOT_STATE=" + w.dir,
		"DASKBOT_ADDR=" + w.addr, "DASKBOT_ADMIN_TOKEN_FILE=" + filepath.Join(w.dir, "admin.token"),
		"DASKBOT_STORE_URL=sqlite:" + filepath.Join(w.dir, "daskbot.db"),
		"DASKBOT_GKE_ENDPOINT=" + e.GKE, "DASKBOT_COMPUTE_ENDPOINT=" + e.Compute, "DASKBOT_CHARTS=" + e.Charts,
		"DASKBOT_SANDBOX_TOKEN=" + e.Token, "DASKBOT_PROJECT=" + w.project, "DASKBOT_INSTALLATION=" + w.installation,
		"DASKBOT_LOG_LEVEL=debug",
	}
}

// start runs the daemon and waits until it answers.
func (w *world) start(ctx context.Context) error {
	if w.daemon != nil && w.daemon.running() {
		return errors.New("the daemon runs already")
	}
	p, err := start(filepath.Join(w.dir, "daemon.log"), append(w.environ(), w.extra...), w.program, "serve", "--config", w.config)
	if err != nil {
		return err
	}
	w.daemon = p
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = until(ctx, "wait for the daemon", func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("the daemon: %w: %s", errEnded, p.lastWords(10))
		}
		return askJSON(ctx, http.MethodGet, "http://"+w.addr+"/healthz", nil, nil) == nil, nil
	})
	if err != nil {
		return err
	}
	return described.learn(ctx, "http://"+w.addr)
}

// stop ends the daemon in good order.
func (w *world) stop() error { return w.daemon.end(syscall.SIGTERM, time.Minute) }

// kill9 ends the daemon between any two instructions.
func (w *world) kill9() error { return w.daemon.end(syscall.SIGKILL, time.Minute) }

// close ends the story: the daemon is stopped, and every answer must have been
// as described.
func (w *world) close() error {
	var err error
	if w.daemon != nil {
		err = w.stop()
	}
	w.proxy.CloseClientConnections()
	w.proxy.Close()
	return errors.Join(err, w.proxy.verdict())
}

// token is the daemon's first admin token.
func (w *world) token() (string, error) {
	text, err := os.ReadFile(filepath.Join(w.dir, "admin.token"))
	return strings.TrimSpace(string(text)), err
}

// ask sends one REST request as the admin, past the proxy.
func (w *world) ask(ctx context.Context, method, path string, body, into any) error {
	token, err := w.token()
	if err != nil {
		return err
	}
	return askJSON(ctx, method, w.proxy.URL+apiBase+strings.TrimPrefix(path, "/"), body, into, "Authorization", "Bearer "+token)
}

// env is what stories read of an environment.
type env struct {
	ID, Owner, Profile, State, Phase, Message, URL, DashboardURL string
	Workers                                                      int
	Packages                                                     []string
	Cluster                                                      struct{ Name, Location string }
	Failure                                                      *struct{ Code, Message string }
}

// await looks until the environment is in the state. It gives up when the
// environment ends otherwise.
func (w *world) await(ctx context.Context, id, state string) (env, error) {
	var e env
	err := until(ctx, "wait until "+id+" is "+state, func() (bool, error) {
		var now env
		if err := w.ask(ctx, http.MethodGet, "environments/"+id, nil, &now); err != nil {
			return false, nil // the daemon may be between two lives
		}
		e = now
		if e.State == "deleted" && state != e.State || e.State == "failed" && state != "failed" && state != "deleted" {
			return false, fmt.Errorf("%s is %s: %s", id, e.State, e.Message)
		}
		return e.State == state, nil
	})
	if err != nil {
		err = fmt.Errorf("%w (it is %s, %s: %s)", err, e.State, e.Phase, e.Message)
	}
	return e, err
}
