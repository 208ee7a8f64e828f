package daemontest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/reaper"
	"github.com/daskbot/daskbot/internal/store"
)

// Now is what the clock shows.
var Now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Daemon is the real API, service and store, without a runner: tests write
// what a runner would.
type Daemon struct {
	Store  environment.Store
	Server *httptest.Server
	// Admin is an admin's token.
	Admin string
	// Around wraps the API, to break connections. Set it before the first request.
	Around func(next http.Handler) http.Handler

	t *testing.T
}

// New starts one that ends with the test.
func New(t *testing.T) *Daemon {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	opened, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "d.db"), Log: log, Now: func() time.Time { return Now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	feed := &environment.Feed{}
	d := &Daemon{t: t, Store: environment.Announce(opened, feed), Around: func(h http.Handler) http.Handler { return h }}
	begun := false // tokens are listed by age
	clock := func() time.Time {
		if !begun {
			return Now.Add(-time.Minute)
		}
		return Now
	}
	service := environment.NewService(environment.ServiceConfig{Store: d.Store, Feed: feed, Catalogue: catalogue{}, Roster: catalogue{}, Clusters: cloud{},
		Workloads: kubernetes{}, Installation: "test", Now: clock})
	secret, err := service.EnsureAdminToken(t.Context(), environment.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	d.Admin, begun = secret.Reveal(), true
	sweeper, err := reaper.New(reaper.Config{Commands: service, Schedule: "* * * * *", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := api.New(api.Config{Service: service, Log: log, Sweep: func(ctx context.Context, dry, confirmed bool) (api.Swept, error) {
		r, err := sweeper.Sweep(ctx, reaper.Options{Dry: dry, Confirmed: confirmed})
		return api.Swept{Items: r.Items, Warned: r.Warned, Deleted: r.Deleted, Failed: r.Failed, Waiting: r.Waiting, Held: r.Held, Paused: r.Paused}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.Around(rest.Handler()).ServeHTTP(w, r) }))
	t.Cleanup(func() { d.Server.CloseClientConnections(); d.Server.Close() })
	return d
}

// Seed stores an environment with a fixed id.
func (d *Daemon) Seed(e environment.Environment, events ...environment.Event) {
	d.t.Helper()
	if err := d.Store.Commit(d.t.Context(), environment.Change{Environment: &e, Events: events}); err != nil {
		d.t.Fatal(err)
	}
}

// Reach moves an environment to a state, as the runner would.
func (d *Daemon) Reach(id string, state environment.State, phase environment.Phase, message string) {
	d.t.Helper()
	e, err := d.Store.Environment(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	e.State, e.Phase, e.Message, e.PhaseSince = state, phase, message, Now
	kind := environment.EventPhase
	switch state {
	case environment.StateReady:
		kind, e.ReadyAt, e.URL, e.ObservedGeneration = environment.EventReady, Now, "http://203.0.113.7", e.Generation
		e.ExpiresAt = Now.Add(e.Spec.TTL)
	case environment.StateFailed:
		kind, e.Desired = environment.EventFailed, environment.Absent
		e.Failure = &environment.Failure{Code: environment.CodeQuota, Message: message, Phase: phase, At: Now}
	case environment.StateDeleted:
		kind = environment.EventDeleted
	default: // a phase among others
	}
	n, of := environment.StepOf(phase)
	d.Seed(e, environment.Event{At: Now, Environment: id, Type: kind, State: state, Phase: phase, Step: n, Steps: of, Message: message, Actor: "daskbot"})
}

// Being is an environment that is being made.
func Being(id string) environment.Environment {
	p := catalogue{}.Profiles()[0]
	return environment.Environment{ID: id, Owner: "alice", Profile: p.Name, Recipe: p, Project: "class-2026", State: environment.StatePending,
		Phase: environment.PhaseQueued, PhaseSince: Now, Message: "Asked for; it starts as soon as it is its turn.", Desired: environment.Present,
		CreatedAt: Now, Generation: 1, Namespace: "daskhub", Spec: environment.Spec{TTL: 4 * time.Hour, Workers: 2},
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
func (catalogue) DefaultProfile() string     { return "daskhub" }
func (catalogue) Project() string            { return "class-2026" }
func (catalogue) Policy() environment.Policy { return environment.Policy{MaxTTL: 48 * time.Hour} }

func (c catalogue) Class(ctx context.Context, id string) (environment.Course, error) {
	all, err := c.Classes(ctx)
	if err != nil || id != all[0].ID {
		return environment.Course{}, environment.Errorf(environment.CodeNotFound, "There is no such course.")
	}
	return all[0], nil
}

// Classes is a class of two that may have one environment, so that it is
// served in part.
func (catalogue) Classes(context.Context) ([]environment.Course, error) {
	return []environment.Course{{ID: "de-2026", Title: "Data engineering", Timezone: "Europe/Paris", Policy: environment.Policy{MaxPerCourse: 1},
		Members: []environment.Member{{Subject: "alice"}, {Subject: "bob"}}, Origin: environment.OriginConfiguration}}, nil
}

// cloud is asked only whether a project may be used.
type cloud struct{ environment.Clusters }

func (cloud) Allowed(_ context.Context, project string) error {
	if project == "locked-project" {
		return environment.Errorf(environment.CodeForbidden, "daskbot may not act in locked-project. Its owner grants it with: gcloud projects add-iam-policy-binding locked-project --member=… --role=projects/locked-project/roles/daskbotClusters")
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
