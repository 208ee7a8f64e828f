package provision

import (
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
