package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// daemon is the real API, service and store, without a runner: tests write
// what a runner would.
type daemon struct {
	t       *testing.T
	store   environment.Store
	service *environment.Service
	server  *httptest.Server
	admin   string
	// around wraps the API, to break connections.
	around func(next http.Handler) http.Handler
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	opened, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "d.db"), Log: log, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	feed := &environment.Feed{}
	d := &daemon{t: t, store: environment.Announce(opened, feed), around: func(h http.Handler) http.Handler { return h }}
	begun := false // tokens are listed by age
	clock := func() time.Time {
		if !begun {
			return now.Add(-time.Minute)
		}
		return now
	}
	d.service = environment.NewService(environment.ServiceConfig{Store: d.store, Feed: feed, Catalogue: catalogue{}, Clusters: cloud{},
		Workloads: kubernetes{}, Installation: "test", Now: clock})
	secret, err := d.service.EnsureAdminToken(t.Context(), environment.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	d.admin, begun = secret.Reveal(), true
	rest, err := api.New(api.Config{Service: d.service, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.around(rest.Handler()).ServeHTTP(w, r) }))
	t.Cleanup(func() { d.server.CloseClientConnections(); d.server.Close() })
	return d
}

// output is what a command printed; commands write it from several goroutines.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

// world is a person without a terminal, in Vienna.
func (d *daemon) world(out, errs io.Writer) World {
	env := map[string]string{"DASKBOT_URL": d.server.URL, "DASKBOT_TOKEN": d.admin, "USER": "alice"}
	return World{Out: out, Err: errs, Getenv: func(name string) string { return env[name] },
		HTTP: d.server.Client(), Now: func() time.Time { return now }, Zone: time.FixedZone("CET", 3600), Width: func() int { return 0 }}
}

// do runs one command line.
func (d *daemon) do(ctx context.Context, w World, line string) int {
	d.t.Helper()
	root := &cobra.Command{Use: "daskbot"}
	Add(root, w)
	return Execute(ctx, root, strings.Fields(line), w)
}

var volatile = []struct {
	what *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`dbt_[0-9a-f]{64}`), "dbt_SECRET"},
	{regexp.MustCompile(`[2-9a-z]{4}(-[2-9a-z]{4}){3}`), "PASS-WORD"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
}

// transcript runs command lines and returns what a person saw.
func (d *daemon) transcript(lines ...string) string {
	d.t.Helper()
	var all strings.Builder
	for _, line := range lines {
		var out output
		code := d.do(d.t.Context(), d.world(&out, &out), line)
		fmt.Fprintf(&all, "$ daskbot %s\n%s[exit %d]\n\n", line, out.String(), code)
	}
	text := all.String()
	for _, v := range volatile {
		text = v.what.ReplaceAllString(text, v.to)
	}
	tokens, err := d.store.Tokens(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for i, t := range tokens {
		text = strings.ReplaceAll(text, t.ID, fmt.Sprintf("token-%02d", i+1))
	}
	return text
}

// seed stores an environment with a fixed id.
func (d *daemon) seed(e environment.Environment, events ...environment.Event) {
	d.t.Helper()
	if err := d.store.Commit(d.t.Context(), environment.Change{Environment: &e, Events: events}); err != nil {
		d.t.Fatal(err)
	}
}

// reach moves an environment to a state, as the runner would.
func (d *daemon) reach(id string, state environment.State, phase environment.Phase, message string) {
	d.t.Helper()
	e, err := d.store.Environment(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	e.State, e.Phase, e.Message, e.PhaseSince = state, phase, message, now
	kind := environment.EventPhase
	switch state {
	case environment.StateReady:
		kind, e.ReadyAt, e.URL, e.ObservedGeneration = environment.EventReady, now, "http://203.0.113.7", e.Generation
		e.ExpiresAt = now.Add(e.Spec.TTL)
	case environment.StateFailed:
		kind, e.Desired = environment.EventFailed, environment.Absent
		e.Failure = &environment.Failure{Code: environment.CodeQuota, Message: message, Phase: phase, At: now}
	case environment.StateDeleted:
		kind = environment.EventDeleted
	}
	n, of := environment.StepOf(phase)
	d.seed(e, environment.Event{At: now, Environment: id, Type: kind, State: state, Phase: phase, Step: n, Steps: of, Message: message, Actor: "daskbot"})
}

// being is an environment that is being made.
func being(id string) environment.Environment {
	p := catalogue{}.Profiles()[0]
	return environment.Environment{ID: id, Owner: "alice", Profile: p.Name, Recipe: p, Project: "class-2026", State: environment.StatePending,
		Phase: environment.PhaseQueued, PhaseSince: now, Message: "Asked for; it starts as soon as it is its turn.", Desired: environment.Present,
		CreatedAt: now, Generation: 1, Namespace: "daskhub", Spec: environment.Spec{TTL: 4 * time.Hour, Workers: 2},
		Secrets: environment.Secrets{environment.SecretPassword: environment.NewPassword()}}
}

type catalogue struct{}

func (catalogue) Profiles() []environment.Profile {
	shape := environment.ClusterShape{MachineType: "e2-standard-2", Nodes: 2, MinNodes: 2, MaxNodes: 10}
	return []environment.Profile{
		{Name: "daskhub", Title: "A hub of one's own", Placement: environment.Dedicated, Cluster: shape, Namespace: "daskhub",
			Workers: environment.Workers{Kind: environment.WorkersDaskCluster, Default: 2, Max: 20}, Policy: environment.Policy{TTL: 4 * time.Hour},
			Access:   environment.Access{Kind: environment.AccessJupyterHub, Username: "${owner}"},
			Releases: []environment.Release{{Name: "dhub", Chart: "daskhub", Version: "2026.1.1"}}},
		{Name: "dask", Title: "Notebook, scheduler, workers", Placement: environment.Dedicated, Cluster: shape, Namespace: "dask", Packages: true,
			Workers: environment.Workers{Kind: environment.WorkersValues, Default: 3, Max: 20}},
	}
}

func (c catalogue) Profile(name string) (environment.Profile, bool) {
	for _, p := range c.Profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return environment.Profile{}, false
}
func (catalogue) DefaultProfile() string                 { return "daskhub" }
func (catalogue) Project(string) string                  { return "class-2026" }
func (catalogue) Policy() environment.Policy             { return environment.Policy{MaxTTL: 48 * time.Hour} }
func (catalogue) Course(id string) bool                  { return id == "" || id == "de-2026" }
func (catalogue) CoursePolicy(string) environment.Policy { return environment.Policy{} }
func (catalogue) CourseProfile(string) string            { return "" }
func (catalogue) Staff(string) []string                  { return nil }

// cloud is asked only whether a project may be used.
type cloud struct{ environment.Clusters }

func (cloud) Allowed(_ context.Context, project string) error {
	if project == "locked-project" {
		return environment.Errorf(environment.CodeForbidden, "daskbot may not act in locked-project. Its owner grants it with: gcloud projects add-iam-policy-binding locked-project --member=… --role=roles/container.admin")
	}
	return nil
}

func (cloud) Target(context.Context, environment.Cluster) (environment.Target, error) {
	return environment.Target{}, nil
}

type kubernetes struct{ environment.Workloads }

func (kubernetes) Observe(context.Context, environment.Target, environment.Plan) (environment.SeenWorkloads, error) {
	return environment.SeenWorkloads{Ready: 1, Wanted: 2, Waiting: "1 of 2 pods is not ready yet.",
		Workers:  environment.SeenWorkers{Wanted: 4, Running: 2, Pending: 2, Message: "2 of 4 workers are waiting for a node; the cluster may grow to 10."},
		Nodes:    []environment.SeenNode{{Name: "node-1", MachineType: "e2-standard-2", Ready: true}},
		Pods:     []environment.SeenPod{{Name: "hub-1", Component: "hub", Phase: "Running", Ready: true}, {Name: "proxy-1", Component: "proxy", Phase: "Pending", Message: "its image is being fetched"}},
		Services: []environment.SeenService{{Name: "proxy-public", Type: "LoadBalancer", Address: "203.0.113.7", Ports: []int{80, 443}}}}, nil
}

func (kubernetes) Logs(_ context.Context, _ environment.Target, _ environment.Plan, component string, tail int, w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d lines of %q\n", tail, component)
	return err
}

func (kubernetes) Kubeconfig(context.Context, environment.Target, environment.Plan) ([]byte, error) {
	return []byte("apiVersion: v1\nkind: Config\n"), nil
}
