package e2e

import (
	"context"
	"flag"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "of the moments at which the daemon is killed; 0 for new ones")
	kills = flag.Int("kills", 20, "how often the daemon is killed")
)

// TestKilled kills the daemon again and again while an environment comes up,
// changes and goes. It must end as if nothing had happened: one cluster, ever,
// and nothing left.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := newStory(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	k := &killer{world: w, random: rand.New(rand.NewPCG(*seed, 0))}
	watched := watchClusters(ctx, t, w)

	var e env
	w.mustAsk(ctx, t, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": "dask", "workers": 2}, &e)
	k.during(ctx, t, e.ID, "ready", *kills/2)
	up, err := w.await(ctx, e.ID, "ready")
	if err != nil {
		t.Fatal(err)
	}

	w.mustAsk(ctx, t, http.MethodPost, "environments/"+e.ID+"/packages", map[string]any{"add": []string{"xgboost"}}, nil)
	w.mustAsk(ctx, t, http.MethodPost, "environments/"+e.ID+"/scale", map[string]any{"workers": 3}, nil)
	k.during(ctx, t, e.ID, "ready", k.done+*kills/4)
	changed, err := w.await(ctx, e.ID, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if changed.Workers != 3 || !slices.Equal(changed.Packages, []string{"xgboost"}) || changed.URL != up.URL {
		t.Errorf("after the change: got %d workers, %v at %s; want 3, [xgboost] at %s", changed.Workers, changed.Packages, changed.URL, up.URL)
	}
	checkSides(ctx, t, changed.DashboardURL, "xgboost", 3)

	w.mustAsk(ctx, t, http.MethodDelete, "environments/"+e.ID, nil, nil)
	k.during(ctx, t, e.ID, "deleted", *kills)
	if _, err := w.await(ctx, e.ID, "deleted"); err != nil {
		t.Fatal(err)
	}
	if left, err := stage.sandbox.resources(ctx, w.project); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", left, err)
	}
	if names := watched(); len(names) != 1 {
		t.Errorf("clusters there ever were: %v; want one", names)
	}
	t.Logf("killed %d times", k.done)
}

// killer kills a daemon at random moments and starts it again.
type killer struct {
	*world
	random *rand.Rand
	done   int
}

// during kills until so many were, or until the state was reached; it leaves
// the daemon running.
func (k *killer) during(ctx context.Context, t *testing.T, id, state string, enough int) {
	t.Helper()
	for k.done < enough {
		// Most moments are soon after the start: that is when it is busiest.
		if err := pause(ctx, time.Duration(k.random.ExpFloat64()*float64(700*time.Millisecond))); err != nil {
			t.Fatal(err)
		}
		if err := k.kill9(); err != nil {
			t.Fatal(err)
		}
		k.done++
		if err := k.start(ctx); err != nil {
			t.Fatal(err)
		}
		var e env
		k.mustAsk(ctx, t, http.MethodGet, "environments/"+id, nil, &e)
		if e.State == state {
			return
		}
		if e.State == "failed" {
			t.Fatalf("after %d kills it failed: %s", k.done, e.Message)
		}
	}
}

func (w *world) mustAsk(ctx context.Context, t *testing.T, method, path string, body, into any) {
	t.Helper()
	if err := w.ask(ctx, method, path, body, into); err != nil {
		t.Fatal(err)
	}
}

// watchClusters notes the name of every cluster that the project ever has.
// The function it returns stops watching and tells them.
func watchClusters(ctx context.Context, t *testing.T, w *world) func() []string {
	ctx, stop := context.WithCancel(ctx)
	seen := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = until(ctx, "watch", func() (bool, error) { // it ends with ctx
			all, err := stage.sandbox.clusters(ctx, w.project)
			if err != nil {
				return ctx.Err() != nil, nil
			}
			for _, c := range all {
				seen[c.Name] = true
			}
			return false, nil
		})
	}()
	t.Cleanup(func() { stop(); <-done })
	return func() []string {
		stop()
		<-done
		names := []string{}
		for name := range seen {
			names = append(names, name)
		}
		return names
	}
}

// checkSides asks scheduler, notebook and workers what they were given.
func checkSides(ctx context.Context, t *testing.T, dashboard, want string, workers int) {
	t.Helper()
	var sides map[string]struct {
		Pods     int
		Packages []string
		Mixed    bool
	}
	if err := askJSON(ctx, http.DefaultClient, http.MethodGet, dashboard+"/sandbox/packages", nil, &sides); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jupyter", "scheduler", "worker"} {
		if side := sides[name]; !slices.Contains(side.Packages, want) || side.Mixed || side.Pods == 0 {
			t.Errorf("%s: got %+v; want %s on every pod", name, side, want)
		}
	}
	if got := sides["worker"].Pods; got != workers {
		t.Errorf("got %d workers; want %d", got, workers)
	}
}
