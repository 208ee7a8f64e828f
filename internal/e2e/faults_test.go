package e2e

import (
	"context"
	"flag"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slow lets those faults be tried whose bounded waits last minutes.
var slow = flag.Bool("slow", false, "also tell the stories that take minutes")

// fault is one body of POST /faults.
type fault map[string]any

// mishap is one thing that goes wrong, and how an environment ends in spite
// of it. Whatever it was, nothing may be left.
type mishap struct {
	name  string
	slow  bool
	up    []fault // on the way up
	state string  // how the way up ends: "ready", "failed", or "" to take it down while it waits
	says  string  // part of the sentence for the owner when it failed, or waits
	where string  // the zone it ends up in, "" for any
	down  []fault // on the way down
}

var mishaps = []mishap{
	{name: "one zone has no machines", up: []fault{{"kind": "stockout", "zone": "europe-west1-b", "delay": "2s"}}, state: "ready", where: "europe-west1-c"},
	{name: "no zone has machines", up: []fault{{"kind": "stockout", "delay": "500ms"}}, state: "failed", says: "no machines"},
	{name: "quota at once", up: []fault{{"kind": "quota", "value": "CPUS"}}, state: "failed", says: "quota"},
	{name: "quota late", up: []fault{{"kind": "quota-late", "value": "IN_USE_ADDRESSES"}}, state: "failed", says: "quota"},
	{name: "create fails", up: []fault{{"kind": "create-fails"}}, state: "failed", says: "cluster"},
	{name: "no permission to create", up: []fault{{"kind": "permission-denied", "method": "CreateCluster"}}, state: "failed", says: "access"},
	// Google's limits are per minute, so daskbot is in no hurry after one.
	{name: "rate limit", up: []fault{{"kind": "rate-limit", "times": 1}}, state: "ready", down: []fault{{"kind": "rate-limit", "method": "DeleteCluster", "times": 1}}},
	{name: "unavailable", up: []fault{{"kind": "unavailable", "times": 3}, {"kind": "slow", "times": 3, "delay": "300ms"}}, state: "ready",
		down: []fault{{"kind": "unavailable", "times": 3}, {"kind": "slow", "times": 3, "delay": "300ms"}}},
	{name: "replies lost", up: []fault{{"kind": "lost-reply", "method": "CreateCluster", "times": 1}}, state: "ready",
		down: []fault{{"kind": "lost-reply", "method": "DeleteCluster", "times": 1}, {"kind": "lost-reply", "method": "disks.delete", "times": 1}}},
	{name: "create timed out", up: []fault{{"kind": "lost-reply", "method": "CreateCluster", "times": 1, "value": "DEADLINE_EXCEEDED"}}, state: "ready"},
	{name: "upgrade out of nowhere", state: "ready", down: []fault{{"kind": "spontaneous-upgrade", "times": 1, "delay": "2s"}}},
	{name: "no address", up: []fault{{"kind": "no-address"}}, says: "address"},
	{name: "images never pulled", up: []fault{{"kind": "never-ready", "value": "hook-image-puller"}}, says: "installing dhub"},
	{name: "hub never ready", up: []fault{{"kind": "never-ready", "value": "hub"}}, says: "still to come"},
	{name: "no disk", up: []fault{{"kind": "disk-fails"}}, says: "still to come"},
	{name: "slow API server", up: []fault{{"kind": "slow-api", "delay": "60ms"}}, state: "ready", down: []fault{{"kind": "slow-api", "delay": "200ms"}}},
	{name: "deletes fail", state: "ready", down: []fault{{"kind": "delete-fails", "times": 4}}},
	{name: "zones missing", up: []fault{{"kind": "missing-zones", "zone": "europe-west1-b", "times": 3}}, state: "ready",
		down: []fault{{"kind": "missing-zones", "zone": "europe-west1-b", "times": 5}}},
	{name: "API server down", slow: true, state: "ready", down: []fault{{"kind": "api-down"}}},
}

// TestNothingIsLeft brings an environment up and down through every kind of
// trouble that the sandbox knows.
func TestNothingIsLeft(t *testing.T) {
	for _, m := range mishaps {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			if m.slow && !*slow {
				t.Skip("its bounded waits take minutes; -slow tells it")
			}
			t.Parallel()
			m.tell(t, newStory(t))
		})
	}
}

func (m mishap) tell(t *testing.T, w *world) {
	limit := patience
	if m.slow {
		limit = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	script(ctx, t, w, m.up)
	var e env
	if err := w.ask(ctx, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": "daskhub", "workers": 1}, &e); err != nil {
		t.Fatal(err)
	}
	e = m.goUp(ctx, t, w, e.ID)
	if m.where != "" && e.Cluster.Location != m.where {
		t.Errorf("it is in %q; want %q", e.Cluster.Location, m.where)
	}
	script(ctx, t, w, m.down)
	if err := w.ask(ctx, http.MethodDelete, "environments/"+e.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.await(ctx, e.ID, "deleted"); err != nil {
		t.Fatal(err)
	}
	left, err := stage.sandbox.resources(ctx, w.project)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", left, err)
	}
}

// goUp waits for the way up to end as it should, or to be stuck as it should.
func (m mishap) goUp(ctx context.Context, t *testing.T, w *world, id string) env {
	t.Helper()
	if m.state != "" {
		e, err := w.await(ctx, id, m.state)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ToLower(e.Message), m.says) {
			t.Errorf("it says %q; want something about %q", e.Message, m.says)
		}
		return e
	}
	var e env
	err := until(ctx, "wait until it says "+m.says, func() (bool, error) {
		err := w.ask(ctx, http.MethodGet, "environments/"+id, nil, &e)
		return strings.Contains(strings.ToLower(e.Message), m.says), err
	})
	if err != nil {
		t.Fatalf("%v (it says %q)", err, e.Message)
	}
	return e
}

// script has faults strike from now on, instead of those before.
func script(ctx context.Context, t *testing.T, w *world, faults []fault) {
	t.Helper()
	if err := stage.sandbox.forgetFaults(ctx, w.project); err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if err := stage.sandbox.addFault(ctx, w.project, f); err != nil {
			t.Fatal(err)
		}
	}
}
