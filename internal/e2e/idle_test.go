package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the stories of idleness live by. Limits may be short on the sandbox, and
// the reaper then looks four times before one is over.
const (
	idleLimit = 80 * time.Second
	firstLead = 40 * time.Second // no more than two thirds of the limit
	lastLead  = 18 * time.Second
	// The reaper comes by every two seconds, and a busy machine is late.
	late = 22 * time.Second
)

// newIdleStory is newStory with short limits.
func newIdleStory(t *testing.T) *world {
	t.Helper()
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	shipped, err := os.ReadFile(stage.config)
	if err != nil {
		t.Fatal(err)
	}
	limits := fmt.Sprintf("\npolicy:\n  idle: %s\n  unused: %s\n  warnings: [%s, %s]\n", idleLimit, idleLimit, firstLead, lastLead)
	bare := regexp.MustCompile(`(?m)^  (schedule|idle|unused|warnings):.*\n`).ReplaceAllString(string(shipped), "")
	text := strings.NewReplacer("\nreaper:\n", "\nreaper:\n  schedule: \"@every 2s\"\n", "\npolicy:\n", limits).Replace(bare)
	if !strings.Contains(text, limits) || !strings.Contains(text, "@every 2s") {
		t.Fatalf("%s has no policy, or no reaper", stage.config)
	}
	config := filepath.Join(t.TempDir(), "idle.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return newStoryWith(t, config)
}

// happening is an event as stories of idleness read it.
type happening struct {
	Type, Message, Actor string
	At                   time.Time
}

// use is what stories of idleness read of an environment.
type use struct {
	env
	ReadyAt      time.Time
	EndedBecause string
	Activity     struct{ Verdict, Reason string }
	Ending       *struct {
		At    time.Time
		Cause string
	}
}

// events lists what happened to an environment, only of some types if given.
func (w *world) events(ctx context.Context, t *testing.T, id string, types ...string) []happening {
	t.Helper()
	var list struct{ Items []happening }
	if err := w.ask(ctx, http.MethodGet, "environments/"+id+"/events", nil, &list); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(h happening) bool { return len(types) > 0 && !slices.Contains(types, h.Type) })
}

// see waits until what is asked of an environment holds.
func (w *world) see(ctx context.Context, t *testing.T, id, what string, holds func(use) bool) use {
	t.Helper()
	var last use
	err := until(ctx, what, func() (bool, error) {
		var now use
		if err := w.ask(ctx, http.MethodGet, "environments/"+id, nil, &now); err != nil {
			return false, err
		}
		last = now
		return holds(now), nil
	})
	if err != nil {
		t.Fatalf("%v; it is %+v", err, last)
	}
	return last
}

// outlives fails when an environment does not stay ready for two idle limits.
func (w *world) outlives(ctx context.Context, t *testing.T, id, verdict string) {
	t.Helper()
	began := time.Now()
	w.see(ctx, t, id, "wait past its idle limit", func(u use) bool {
		if u.State != "ready" || u.Ending != nil {
			t.Fatalf("after %s it is %s, to end %+v; want it left alone", time.Since(began), u.State, u.Ending)
		}
		return time.Since(began) > 2*idleLimit
	})
	if u := w.see(ctx, t, id, "wait to be "+verdict, func(u use) bool { return u.Activity.Verdict == verdict }); u.Activity.Reason == "" {
		t.Error("nobody says why")
	}
	if told := w.events(ctx, t, id, "warned", "stopping"); len(told) > 0 {
		t.Errorf("its owner was told %v; want nothing", told)
	}
}

// raise brings up an environment of the profile.
func (w *world) raise(ctx context.Context, t *testing.T, profile string) use {
	t.Helper()
	var e env
	if err := w.ask(ctx, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": profile}, &e); err != nil {
		t.Fatal(err)
	}
	if _, err := w.await(ctx, e.ID, "ready"); err != nil {
		t.Fatal(err)
	}
	return w.see(ctx, t, e.ID, "read it", func(use) bool { return true })
}

// gone waits for an environment to end by itself, and for nothing to be left.
func (w *world) gone(ctx context.Context, t *testing.T, id, cause string) {
	t.Helper()
	if _, err := w.await(ctx, id, "deleted"); err != nil {
		t.Fatal(err)
	}
	if u := w.see(ctx, t, id, "read it", func(use) bool { return true }); u.EndedBecause != cause {
		t.Errorf("it ended because of %q; want %q", u.EndedBecause, cause)
	}
	left, err := stage.sandbox.resources(ctx, w.project)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", left, err)
	}
}

// script says what people and computations do in the project's only cluster.
func (w *world) script(ctx context.Context, t *testing.T, activity map[string]any) {
	t.Helper()
	all, err := stage.sandbox.clusters(ctx, w.project)
	if err != nil || len(all) != 1 {
		t.Fatalf("clusters: %v, %v; want one", all, err)
	}
	if err := stage.sandbox.ask(ctx, http.MethodPost, "/clusters/"+all[0].Name+"/activity?project="+w.project, activity, nil); err != nil {
		t.Fatal(err)
	}
}

func (w *world) fault(ctx context.Context, t *testing.T, f map[string]any) {
	t.Helper()
	if err := stage.sandbox.addFault(ctx, w.project, f); err != nil {
		t.Fatal(err)
	}
}

// checkWarnings holds what an owner was told last against when it ended: each
// warning in its time, then the end and its reason.
func checkWarnings(t *testing.T, told []happening, leads ...time.Duration) {
	t.Helper()
	if len(told) <= len(leads) {
		t.Fatalf("told %+v; want %d warnings and the end", told, len(leads))
	}
	told = told[len(told)-len(leads)-1:]
	end := told[len(leads)]
	for i, lead := range leads {
		if ahead := end.At.Sub(told[i].At); told[i].Type != "warned" || ahead < lead-late || ahead > lead+late {
			t.Errorf("%s %s before the end: %q; want a warning about %s before", told[i].Type, ahead, told[i].Message, lead)
		}
		if !strings.Contains(told[i].Message, "It ends at") {
			t.Errorf("the warning says %q; want when it ends", told[i].Message)
		}
	}
	if end.Type != "stopping" || end.Actor != "reaper" || !strings.Contains(end.Message, "dle") {
		t.Errorf("the end: %+v; want the reaper to say that it is idle", end)
	}
}

// TestNobodyComes: an environment that nobody uses is warned of and goes.
func TestNobodyComes(t *testing.T) {
	t.Parallel()
	w := newIdleStory(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	e := w.raise(ctx, t, "daskhub")
	w.gone(ctx, t, e.ID, "unused")
	told := w.events(ctx, t, e.ID, "warned", "kept", "stopping")
	checkWarnings(t, told, firstLead, lastLead)
	if lived := told[len(told)-1].At.Sub(e.ReadyAt); lived < idleLimit || lived > idleLimit+late {
		t.Errorf("it lived for %s; want about %s", lived, idleLimit)
	}
}

// TestBusyStays: what computes stays for as long as it does. An extension
// takes an announced end back, and the next end is announced anew.
func TestBusyStays(t *testing.T) {
	t.Parallel()
	w := newIdleStory(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	e := w.raise(ctx, t, "dask")
	w.script(ctx, t, map[string]any{"scheduler": map[string]any{"processing": 3, "clients": 1}})
	w.outlives(ctx, t, e.ID, "active")

	w.script(ctx, t, map[string]any{"scheduler": map[string]any{}})
	before := w.see(ctx, t, e.ID, "wait for a warning", func(u use) bool { return u.Ending != nil })
	if before.Ending.Cause != "idle" {
		t.Errorf("it is to end because of %q; want idle", before.Ending.Cause)
	}
	extended := time.Now()
	if err := w.ask(ctx, http.MethodPost, "environments/"+e.ID+"/extend", map[string]any{"duration": "1m"}, nil); err != nil {
		t.Fatal(err)
	}
	if u := w.see(ctx, t, e.ID, "read it", func(use) bool { return true }); u.Ending != nil {
		t.Errorf("extended, it is still to end at %s", u.Ending.At)
	}
	w.gone(ctx, t, e.ID, "idle")
	told := w.events(ctx, t, e.ID, "warned", "stopping")
	checkWarnings(t, told, lastLead) // its limit was over when it was found idle
	if end := told[len(told)-1].At; end.Before(extended.Add(time.Minute)) {
		t.Errorf("it ended %s after it was extended by a minute", end.Sub(extended))
	}
}

// TestUnknownStays: a hub that does not answer is no idle hub.
func TestUnknownStays(t *testing.T) {
	t.Parallel()
	w := newIdleStory(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	e := w.raise(ctx, t, "daskhub")
	w.fault(ctx, t, map[string]any{"kind": "hub-down"})
	w.outlives(ctx, t, e.ID, "unknown")
	if err := stage.sandbox.forgetFaults(ctx, w.project); err != nil {
		t.Fatal(err)
	}
	w.gone(ctx, t, e.ID, "unused")
	// Its limit was over long ago, and nobody had been told.
	checkWarnings(t, w.events(ctx, t, e.ID, "warned", "stopping"), lastLead)
}

// TestDoubtDeletesNothing: what the cloud leaves out, or fails to say, is no
// reason to delete anything, and what others made there is not looked at.
func TestDoubtDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newStory(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	w.others(ctx, t, "theirs", map[string]string{"daskbot-installation": "another"})
	w.others(ctx, t, "by-hand", nil)
	e := w.raise(ctx, t, "dask")
	for _, f := range []map[string]any{
		{}, {"kind": "missing-zones"}, {"kind": "empty-list"}, {"kind": "unavailable", "method": "ListClusters"}, {"kind": "permission-denied", "method": "ListClusters"},
	} {
		if f["kind"] != nil {
			w.fault(ctx, t, f)
		}
		if err := w.ask(ctx, http.MethodPost, "reaper/run", map[string]any{"confirm": true}, nil); err != nil {
			t.Errorf("reaper/run with %v: %v", f, err)
		}
		w.sweepInDoubt(ctx, t, f)
		if err := stage.sandbox.forgetFaults(ctx, w.project); err != nil {
			t.Fatal(err)
		}
		w.allRunning(ctx, t, fmt.Sprint(f))
		if u := w.see(ctx, t, e.ID, "read it", func(use) bool { return true }); u.State != "ready" {
			t.Errorf("with %v it became %s: %s", f, u.State, u.Message)
		}
	}
	if err := w.ask(ctx, http.MethodDelete, "environments/"+e.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.await(ctx, e.ID, "deleted"); err != nil {
		t.Fatal(err)
	}
	if all, err := stage.sandbox.clusters(ctx, w.project); err != nil || len(all) != 2 {
		t.Errorf("clusters afterwards: %v, %v; want the two of others", all, err)
	}
}

// sweepInDoubt sweeps for orphans. With a fault the answer has to say that
// nothing can be concluded of the project, or the fault was not met and nothing
// was shown; without one, that everything could be.
func (w *world) sweepInDoubt(ctx context.Context, t *testing.T, f map[string]any) {
	t.Helper()
	var found struct {
		Projects int
		Unsure   []struct{ Project, Reason string }
	}
	if err := w.ask(ctx, http.MethodPost, "orphans/delete", map[string]any{"now": true}, &found); err != nil {
		t.Fatalf("orphans/delete with %v: %v", f, err)
	}
	if found.Projects == 0 {
		t.Errorf("with %v no project was compared", f)
	}
	unsure := ""
	for _, u := range found.Unsure {
		if u.Project == w.project {
			unsure = u.Reason
		}
	}
	if (f["kind"] != nil) != (unsure != "") {
		t.Errorf("with %v the sweep says of %s that it is unsure because of %q", f, w.project, unsure)
	}
}

// others makes a cluster as somebody else would.
func (w *world) others(ctx context.Context, t *testing.T, name string, labels map[string]string) {
	t.Helper()
	address := stage.sandbox.endpoints.GKERest + "/v1/projects/" + w.project + "/locations/europe-west1-b/clusters"
	body := map[string]any{"cluster": map[string]any{"name": name, "initialNodeCount": 1, "resourceLabels": labels}}
	if err := askJSON(ctx, http.MethodPost, address, body, nil, "Authorization", "Bearer "+stage.sandbox.endpoints.Token); err != nil {
		t.Fatal(err)
	}
}

// allRunning fails unless the three clusters of the story are there.
func (w *world) allRunning(ctx context.Context, t *testing.T, after string) {
	t.Helper()
	all, err := stage.sandbox.clusters(ctx, w.project)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Status == "STOPPING" {
			t.Errorf("after %s the cluster %s is being deleted", after, c.Name)
		}
	}
	if len(all) != 3 {
		t.Errorf("after %s there are %v; want three clusters", after, all)
	}
}
