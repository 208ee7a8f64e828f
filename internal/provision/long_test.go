package provision

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// patient is a Helm whose second release waits for hooks for as long as it is
// let.
type patient struct {
	charts
	told *string // what the owner could read meanwhile
}

func (p patient) Converge(ctx context.Context, t environment.Target, ns string, r environment.Release, hash string) error {
	if r.Name != "hub" {
		return p.charts.Converge(ctx, t, ns, r, hash)
	}
	*p.told = p.store.envs["e"].Message
	<-ctx.Done()
	return &environment.Error{Code: environment.CodeUnavailable, Ambiguous: true, Err: ctx.Err(), Message: "Still at work."}
}

func TestALongInstallationIsToldAndCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(string) string { return "" })
		w.up("e", environment.Dedicated)
		w.edit("e", func(e *environment.Environment) {
			e.Recipe.Releases = append([]environment.Release{{Name: "operator"}}, e.Recipe.Releases...)
		})
		w.run(t, 10*time.Minute) // until it is ready

		var told string
		w = again(w)
		r := w.runner()
		r.Charts = patient{charts{w}, &told}
		done := make(chan error, 1)
		go func() {
			_, err := r.Work(t.Context(), environment.Job{Kind: environment.JobEnvironment, ID: "e"})
			done <- err
		}()
		synctest.Wait()
		if want := "Installing hub (2 of 2)."; told != want {
			t.Errorf("while it installs, the owner reads %q; want %q", told, want)
		}
		asked := time.Now()
		w.down("e")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if took := time.Since(asked); took > 2*time.Second {
			t.Errorf("the way down began after %s; want at once", took)
		}
		if e := w.store.envs["e"]; !e.Uninstalled {
			t.Errorf("after the pass it is in phase %s and not uninstalled", e.Phase)
		}
	})
}

// again takes the world back to before the second release.
func again(w *world) *world {
	for _, f := range w.clusters {
		delete(f.releases, "ns-e/hub")
		w.edit("e", func(e *environment.Environment) {
			e.State, e.Phase, e.Message, e.Good = environment.StateCreating, environment.PhaseInstall, "Installing operator (1 of 2).", nil
		})
	}
	return w
}
