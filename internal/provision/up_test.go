package provision

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestBrokenUpgradeIsTakenBack: what the upgrade replaced runs again, and is
// not kept for good once an upgrade worked.
func TestBrokenUpgradeIsTakenBack(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	was := w.store.envs["e1"]
	upgrade := func(image string) {
		profile := was.Recipe
		profile.Releases = []environment.Release{{Name: "hub", Values: map[string]any{"n": "${workers}", "image": image}}}
		w.edit("e1", func(e *environment.Environment) {
			e.Renew(profile)
			e.Generation, e.State = e.Generation+1, environment.StateUpdating
			e.Phase, e.PhaseSince = environment.PhaseInstall, w.now
		})
	}
	upgrade("broken")
	w.broken = true
	w.run(t, 21*time.Minute)
	w.broken = false
	w.run(t, time.Hour)
	e := w.store.envs["e1"]
	if diff := cmp.Diff(was.Recipe, e.Recipe); diff != "" {
		t.Errorf("the recipe (-want +got):\n%s", diff)
	}
	if got := w.clusters["dask-e1"].releases["ns-e1/hub"].Hash; e.State != environment.StateReady || got != environment.ReleaseHash(environment.Render(was)[0]) {
		t.Errorf("it is %s with release %s (%q); want ready with what ran before", e.State, got, e.Message)
	}
	upgrade("better")
	w.run(t, time.Hour)
	if e := w.store.envs["e1"]; e.State != environment.StateReady || e.Former != nil || e.Recipe.Releases[0].Values["image"] != "better" {
		t.Errorf("got %s with %v, former %v; want ready with the better image, and no other kept", e.State, e.Recipe.Releases, e.Former)
	}
}

// TestInstalledWhileNobodyLooked: what was being installed when daskbot went down
// is not given up because the first looks after that are not answered.
func TestInstalledWhileNobodyLooked(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	failing := "converge"
	w.chance = func(point string) string {
		if point == failing {
			return "error"
		}
		return ""
	}
	for range 100 {
		if w.store.envs["e1"].Phase == environment.PhaseInstall {
			break
		}
		w.run(t, 10*time.Second)
	}
	if e := w.store.envs["e1"]; e.Phase != environment.PhaseInstall || e.State != environment.StateCreating {
		t.Fatalf("got %s in %s; want it being installed", e.State, e.Phase)
	}
	for job := range w.store.due {
		w.store.due[job] = w.now.Add(2 * time.Hour)
	}
	w.now = w.now.Add(2*time.Hour - time.Second)
	failing = "observe-workloads"
	w.run(t, time.Minute)
	if e := w.store.envs["e1"]; e.State != environment.StateCreating || e.SilentSince.IsZero() {
		t.Fatalf("got %s %q, silent since %s; want it to wait for an answer", e.State, e.Message, e.SilentSince)
	}
	failing = ""
	w.run(t, time.Hour)
	if e := w.store.envs["e1"]; e.State != environment.StateReady || !e.SilentSince.IsZero() {
		t.Errorf("got %s %q, silent since %s; want ready", e.State, e.Message, e.SilentSince)
	}
}

// TestAnAPIThatNeverAnswersIsGivenUp: whoever waits is told in the end.
func TestAnAPIThatNeverAnswersIsGivenUp(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	w.chance = func(point string) string {
		if point == "observe-workloads" {
			return "error"
		}
		return ""
	}
	w.run(t, 2*environment.PhaseCluster.Limit())
	if e := w.store.envs["e1"]; e.Failure == nil || e.Desired != environment.Absent {
		t.Fatalf("got %s %q; want it given up", e.State, e.Message)
	}
	w.chance = never
	w.run(t, 3*time.Hour)
	w.wantNothing(t)
}

// upgradeTo is the command, to a recipe with these releases.
func (w *world) upgradeTo(id string, names ...string) {
	w.edit(id, func(e *environment.Environment) {
		profile := e.Recipe
		profile.Releases = nil
		for _, name := range names {
			profile.Releases = append(profile.Releases, environment.Release{Name: name, Values: map[string]any{"n": "${workers}"}})
		}
		e.Renew(profile)
		e.Generation, e.State = e.Generation+1, environment.StateUpdating
		e.Phase, e.PhaseSince = environment.PhaseInstall, w.now
	})
}

// releases are those that run on e1's cluster.
func (w *world) releases() []string {
	for _, c := range w.clusters {
		return slices.Sorted(maps.Keys(c.releases))
	}
	return nil
}

// TestWhatAnUpgradeDropsIsTakenAway: once the upgrade is ready and not before,
// since it may be taken back; and what an upgrade added goes when that is.
func TestWhatAnUpgradeDropsIsTakenAway(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	w.run(t, 30*time.Minute)
	want := func(when string, names ...string) {
		t.Helper()
		if diff := cmp.Diff(names, w.releases()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	w.broken = true
	w.upgradeTo("e1", "other", "extra")
	w.run(t, 5*time.Minute)
	want("while it is not ready", "ns-e1/extra", "ns-e1/hub", "ns-e1/other")
	w.run(t, 16*time.Minute)
	w.broken = false
	w.run(t, time.Minute)
	want("taken back", "ns-e1/hub")
	w.upgradeTo("e1", "other", "extra")
	w.run(t, time.Minute)
	want("ready", "ns-e1/extra", "ns-e1/other")
	if e := w.store.envs["e1"]; e.State != environment.StateReady || len(e.Dropped) != 0 || e.Failure != nil {
		t.Errorf("got %s, %v dropped, %v; want ready and nothing left to do", e.State, e.Dropped, e.Failure)
	}
}

// TestWhatCannotBeTakenAwayIsLeftToTheEnd: it keeps no upgrade from being ready,
// and goes with the environment, also on a cluster that stays.
func TestWhatCannotBeTakenAwayIsLeftToTheEnd(t *testing.T) {
	for _, refused := range []environment.Code{environment.CodeUnavailable, environment.CodeForbidden} {
		t.Run(string(refused), func(t *testing.T) {
			stuck, asked := false, 0
			w := newWorld(never)
			w.refuse = func(point string) error {
				if point != "uninstall" || !stuck {
					return nil
				}
				asked++
				return environment.Errorf(refused, "No.")
			}
			w.up("e1", environment.Shared)
			w.run(t, 30*time.Minute)
			stuck = true
			w.upgradeTo("e1", "other")
			w.run(t, time.Hour)
			if e := w.store.envs["e1"]; e.State != environment.StateReady || e.ObservedGeneration != e.Generation || asked > 8 || asked == 0 {
				t.Errorf("got %s %q after %d tries; want ready", e.State, e.Message, asked)
			}
			stuck = false
			w.down("e1")
			w.run(t, 2*time.Minute)
			if left := w.releases(); len(left) != 0 {
				t.Errorf("on a cluster that stays are %v", left)
			}
		})
	}
}
