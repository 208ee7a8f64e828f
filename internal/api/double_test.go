package api

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// double is a Service held in memory: enough of the rules to see every
// answer, none of the work. fail scripts an error for a method.
type double struct {
	mu     sync.Mutex
	rows   map[string]environment.Environment
	events map[string][]environment.Event
	people map[string]environment.Person
	tokens []environment.Token
	fail   map[string]error
	panics string
	asked  []environment.Request
	told   chan struct{}
	reaper environment.ReaperState
}

var (
	when     = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	password = "hunter2-never-logged"
)

func newDouble() *double {
	ready := environment.Environment{
		ID: "kq7wm2xd", Owner: "alice", Course: "de-2026", Project: "class-2026", Profile: "daskhub", State: environment.StateReady,
		Phase: environment.PhaseReady, Message: "Ready.", URL: "http://203.0.113.7", CreatedAt: when, ReadyAt: when.Add(5 * time.Minute),
		ExpiresAt: when.Add(4 * time.Hour), Generation: 1, ObservedGeneration: 1, Version: 3, ClusterID: "c1",
		Spec: environment.Spec{Workers: 2, Packages: []string{"xgboost"}, Versions: map[string]string{"dhub": "2026.1.1"}},
		Recipe: environment.Profile{Name: "daskhub", Placement: environment.Dedicated,
			Releases: []environment.Release{{Name: "dhub", Chart: "daskhub"}}},
	}
	failed := ready
	failed.ID, failed.State, failed.Phase, failed.Version = "zz9failx", environment.StateFailed, environment.PhaseGone, 9
	failed.Failure = &environment.Failure{Code: environment.CodeQuota, Message: "No quota is left.", Detail: "RESOURCE_EXHAUSTED", Phase: environment.PhaseCluster, At: when}
	return &double{
		rows: map[string]environment.Environment{ready.ID: ready, failed.ID: failed},
		events: map[string][]environment.Event{ready.ID: {
			{Seq: 1, At: when, Environment: ready.ID, Type: environment.EventRequested, State: environment.StatePending, Phase: environment.PhaseQueued, Step: 1, Steps: 7, Message: "Asked for daskhub.", Actor: "alice"},
			{Seq: 2, At: when, Environment: ready.ID, Type: environment.EventReady, State: environment.StateReady, Phase: environment.PhaseReady, Message: "Ready.", Actor: "daskbot", Detail: "for staff"},
		}, failed.ID: {{Seq: 3, At: when, Environment: failed.ID, Type: environment.EventFailed, State: environment.StateFailed, Message: "No quota is left.", Actor: "daskbot"}}},
		people: map[string]environment.Person{}, fail: map[string]error{}, told: make(chan struct{}, 10),
	}
}

func (d *double) scripted(method string) error {
	if d.panics == method {
		panic("scripted " + password)
	}
	return d.fail[method]
}

func (d *double) Authenticate(_ context.Context, secret string) (environment.Caller, error) {
	switch secret {
	case "alice":
		return environment.Caller{Subject: "alice", Role: environment.RoleStudent}, d.scripted("Authenticate")
	case "admin":
		return environment.Caller{Subject: "admin", Role: environment.RoleAdmin}, d.scripted("Authenticate")
	}
	return environment.Caller{}, environment.Errorf(environment.CodeUnauthorized, "This token is not valid.")
}

func (d *double) find(who environment.Caller, id string) (environment.Environment, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.rows[id]
	if !ok || who.Role == environment.RoleStudent && e.Owner != who.Subject {
		return e, environment.Errorf(environment.CodeNotFound, "There is no such environment, or it is not yours.")
	}
	return e, nil
}

func (d *double) Up(_ context.Context, who environment.Caller, r environment.Request) (environment.Environment, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r)
	if err := d.scripted("Up"); err != nil {
		return environment.Environment{}, false, err
	}
	if r.Owner == "" {
		r.Owner = who.Subject
	}
	if r.Profile != "" && r.Profile != "daskhub" && r.Profile != "dask" {
		return environment.Environment{}, false, environment.Invalid("profile", "There is no such profile. Profiles: daskhub, dask.")
	}
	for _, e := range d.rows {
		if e.Owner == r.Owner && e.Profile == r.Profile && e.State.Live() {
			return e, false, nil
		}
	}
	e := environment.Environment{ID: fmt.Sprintf("new%05d", len(d.rows)), Owner: r.Owner, Course: r.Course, Profile: r.Profile,
		State: environment.StatePending, Phase: environment.PhaseQueued, Message: "Asked for.", CreatedAt: when, Generation: 1, Version: 1,
		Recipe: environment.Profile{Placement: environment.Dedicated}, Spec: environment.Spec{TTL: r.TTL, Packages: r.Packages}}
	d.rows[e.ID] = e
	return e, true, nil
}

func (d *double) Get(_ context.Context, who environment.Caller, id string) (environment.Environment, error) {
	if err := d.scripted("Get"); err != nil {
		return environment.Environment{}, err
	}
	return d.find(who, id)
}

func (d *double) List(_ context.Context, who environment.Caller, f environment.Filter) ([]environment.Environment, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []environment.Environment
	for _, e := range d.rows {
		if (f.Owner == "" || e.Owner == f.Owner) && (len(f.States) == 0 || slices.Contains(f.States, e.State)) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b environment.Environment) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out, "", d.scripted("List")
}

func (d *double) change(method string, who environment.Caller, id string, expect int64, edit func(*environment.Environment)) (environment.Environment, error) {
	if err := d.scripted(method); err != nil {
		return environment.Environment{}, err
	}
	e, err := d.find(who, id)
	if err != nil {
		return e, err
	}
	if expect != 0 && expect != e.Version {
		return e, &environment.Error{Code: environment.CodeConflict, Field: "If-Match", Message: "It changed since you looked."}
	}
	edit(&e)
	e.Version++
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[id] = e
	return e, nil
}

func (d *double) Down(_ context.Context, who environment.Caller, id string, expect int64) (environment.Environment, bool, error) {
	already := false
	e, err := d.change("Down", who, id, expect, func(e *environment.Environment) {
		already = e.State == environment.StateDeleted || e.State == environment.StateFailed
		e.State = environment.StateDeleted
	})
	return e, already, err
}

func (d *double) Extend(_ context.Context, who environment.Caller, id string, by time.Duration, expect int64) (environment.Environment, error) {
	return d.change("Extend", who, id, expect, func(e *environment.Environment) { e.ExpiresAt = e.ExpiresAt.Add(by) })
}

func (d *double) Scale(_ context.Context, who environment.Caller, id string, n int, expect int64) (environment.Environment, error) {
	return d.change("Scale", who, id, expect, func(e *environment.Environment) { e.Spec.Workers = n })
}

func (d *double) ChangePackages(_ context.Context, who environment.Caller, id string, add, _ []string, expect int64) (environment.Environment, error) {
	return d.change("ChangePackages", who, id, expect, func(e *environment.Environment) { e.Spec.Packages = append(e.Spec.Packages, add...) })
}

func (d *double) Upgrade(_ context.Context, who environment.Caller, id string, expect int64) (environment.Environment, error) {
	return d.change("Upgrade", who, id, expect, func(*environment.Environment) {})
}

func (d *double) Events(_ context.Context, who environment.Caller, id string, after int64, limit int) ([]environment.Event, error) {
	if _, err := d.find(who, id); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []environment.Event
	for _, e := range d.events[id] {
		if e.Seq > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, d.scripted("Events")
}

func (d *double) say(id string, e environment.Event) {
	d.mu.Lock()
	d.events[id] = append(d.events[id], e)
	row := d.rows[id]
	row.State = e.State
	d.rows[id] = row
	d.mu.Unlock()
	d.told <- struct{}{}
}

func (d *double) Follow(ctx context.Context, who environment.Caller, id string, after int64, emit func(environment.Event) error) error {
	for {
		e, err := d.find(who, id)
		if err != nil {
			return err
		}
		events, err := d.Events(ctx, who, id, after, 1000)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := emit(ev); err != nil {
				return err
			}
			after = ev.Seq
		}
		if e.State.Terminal() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.told:
		}
	}
}

func (d *double) Credentials(_ context.Context, who environment.Caller, id string) (environment.Credentials, error) {
	if _, err := d.find(who, id); err != nil {
		return environment.Credentials{}, err
	}
	return environment.Credentials{URL: "http://203.0.113.7", Username: "alice", Password: environment.NewSecret(password)}, d.scripted("Credentials")
}

func (d *double) Kubeconfig(_ context.Context, who environment.Caller, id string) ([]byte, error) {
	_, err := d.find(who, id)
	return []byte("apiVersion: v1\nkind: Config\n"), err
}

func (d *double) Logs(_ context.Context, who environment.Caller, id, component string, tail int, w io.Writer) error {
	if _, err := d.find(who, id); err != nil {
		return err
	}
	if component == "silent" {
		return nil
	}
	if component == "nothing" {
		return environment.Errorf(environment.CodeNotFound, "There is no component of that name.")
	}
	if _, err := fmt.Fprintf(w, "%s: a line of %d\n", component, tail); err != nil {
		return err
	}
	return d.scripted("Logs")
}

func (d *double) Look(_ context.Context, who environment.Caller, id string) (environment.Look, error) {
	if _, err := d.find(who, id); err != nil {
		return environment.Look{}, err
	}
	return environment.Look{Cluster: environment.Cluster{Name: "daskbot-" + id, Location: "us-central1-a", Nodes: 2}, Estimate: when.Add(time.Minute),
		Step: 2, Steps: 7, Cost: environment.Cost{USDPerHour: 0.2, USDTotal: 0.35, PricesAsOf: "2026-07-30"},
		Use: used, Judgement: judged, Terms: terms}, d.scripted("Look")
}

func (d *double) Describe(_ context.Context, who environment.Caller, id string) (environment.SeenWorkloads, error) {
	if _, err := d.find(who, id); err != nil {
		return environment.SeenWorkloads{}, err
	}
	return environment.SeenWorkloads{Ready: 2, Wanted: 3, Waiting: "1 of 3 pods is not ready yet.",
		Workers:  environment.SeenWorkers{Wanted: 4, Running: 2, Pending: 2, Message: "2 of 4 workers are waiting for a node; the cluster may grow to 10."},
		Nodes:    []environment.SeenNode{{Name: "node-1", MachineType: "e2-standard-2", Ready: true}},
		Pods:     []environment.SeenPod{{Name: "hub-1", Component: "hub", Phase: "Running", Ready: true}},
		Services: []environment.SeenService{{Name: "proxy-public", Type: "LoadBalancer", Address: "203.0.113.7", Ports: []int{80}}}}, d.scripted("Describe")
}

func (d *double) Profiles(context.Context, environment.Caller) ([]environment.Profile, error) {
	return []environment.Profile{{Name: "daskhub", Title: "Hub", Placement: environment.Dedicated, Policy: environment.Policy{TTL: 4 * time.Hour}}}, d.scripted("Profiles")
}

func (d *double) CreateToken(_ context.Context, who environment.Caller, role environment.Role, subject, course string) (environment.Token, environment.Secret, error) {
	if who.Role != environment.RoleAdmin {
		return environment.Token{}, environment.Secret{}, environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	}
	t := environment.Token{ID: "tok1", Role: role, Subject: subject, Course: course, CreatedAt: when, CreatedBy: who.Subject, Hash: "h"}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens = append(d.tokens, t)
	return t, environment.NewSecret("dbt_secret"), nil
}

func (d *double) Tokens(_ context.Context, who environment.Caller) ([]environment.Token, error) {
	if who.Role != environment.RoleAdmin {
		return nil, environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.tokens), nil
}

func (d *double) RevokeToken(ctx context.Context, who environment.Caller, id string) error {
	all, err := d.Tokens(ctx, who)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(t environment.Token) bool { return t.ID == id }) {
		return environment.Errorf(environment.CodeNotFound, "There is no such token.")
	}
	return nil
}

func (d *double) Person(_ context.Context, who environment.Caller, subject string) (environment.Person, error) {
	if who.Role != environment.RoleAdmin && who.Subject != subject {
		return environment.Person{}, environment.Errorf(environment.CodeNotFound, "There is no such person.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.people[subject]
	p.Subject = subject
	return p, nil
}

func (d *double) PutPerson(ctx context.Context, who environment.Caller, p environment.Person) (environment.Person, error) {
	old, err := d.Person(ctx, who, p.Subject)
	if err != nil {
		return p, err
	}
	if err := d.CheckProject(ctx, who, p.Project); err != nil {
		return p, err
	}
	p.Version = old.Version + 1
	d.mu.Lock()
	defer d.mu.Unlock()
	d.people[p.Subject] = p
	return p, nil
}

func (d *double) LinkCode(_ context.Context, who environment.Caller, subject string) (environment.Secret, time.Time, error) {
	err := environment.Authorize(who, environment.ActionIdentify, subject, "")
	return environment.NewSecret("bcdf-ghjk-mnpq"), time.Date(2026, 11, 23, 9, 15, 0, 0, time.UTC), err
}

func (d *double) CheckProject(_ context.Context, _ environment.Caller, project string) error {
	if project == "locked-project" {
		return &environment.Error{Code: environment.CodeConflict, Field: "project", Message: "daskbot may not act there. Run: gcloud projects add-iam-policy-binding locked-project …"}
	}
	return nil
}
