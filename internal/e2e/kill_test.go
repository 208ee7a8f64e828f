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

// TestKilled kills the daemon again and again while environments come up,
// change and go. They must end as if nothing had happened: one cluster each,
// never two at once, and nothing left.
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
	lives := 0
	for k.done < *kills {
		lives++
		k.life(ctx, t)
	}
	names, most := watched()
	if len(names) != lives || most != 1 {
		t.Errorf("in %d lives there were the clusters %v, up to %d at once; want one each, one at once", lives, names, most)
	}
	t.Logf("killed %d times in %d lives", k.done, lives)
}

// life brings an environment up, changes it and takes it down, and kills the
// daemon in the meantime.
func (k *killer) life(ctx context.Context, t *testing.T) {
	t.Helper()
	var e env
	k.mustAsk(ctx, t, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": "dask", "workers": 2}, &e)
	up := k.until(ctx, t, e.ID, "ready")
	k.mustAsk(ctx, t, http.MethodPost, "environments/"+e.ID+"/packages", map[string]any{"add": []string{"xgboost"}}, nil)
	k.mustAsk(ctx, t, http.MethodPost, "environments/"+e.ID+"/scale", map[string]any{"workers": 3}, nil)
	changed := k.until(ctx, t, e.ID, "ready")
	if changed.Workers != 3 || !slices.Equal(changed.Packages, []string{"xgboost"}) || changed.URL != up.URL {
		t.Errorf("after the change: got %d workers, %v at %s; want 3, [xgboost] at %s", changed.Workers, changed.Packages, changed.URL, up.URL)
	}
	checkSides(ctx, t, changed.DashboardURL, "xgboost", 3)
	k.mustAsk(ctx, t, http.MethodDelete, "environments/"+e.ID, nil, nil)
	k.until(ctx, t, e.ID, "deleted")
	if left, err := stage.sandbox.resources(ctx, k.project); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", left, err)
	}
}

// killer kills a daemon at random moments and starts it again.
type killer struct {
	*world
	random *rand.Rand
	done   int
}

// until kills until the state is reached, or enough was killed; it waits for
// the state and leaves the daemon running.
func (k *killer) until(ctx context.Context, t *testing.T, id, state string) env {
	t.Helper()
	for k.done < *kills {
		// Most moments are soon after the start: that is when it is busiest.
		if err := pause(ctx, time.Duration(k.random.ExpFloat64()*float64(400*time.Millisecond))); err != nil {
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
		if e.State == state || e.State == "failed" {
			break
		}
	}
	e, err := k.await(ctx, id, state)
	if err != nil {
		t.Fatalf("after %d kills: %v", k.done, err)
	}
	return e
}

func (w *world) mustAsk(ctx context.Context, t *testing.T, method, path string, body, into any) {
	t.Helper()
	if err := w.ask(ctx, method, path, body, into); err != nil {
		t.Fatal(err)
	}
}

// watchClusters notes the clusters that the project ever has. The function it
// returns stops watching and tells their names, and how many there were at once.
func watchClusters(ctx context.Context, t *testing.T, w *world) func() (names []string, most int) {
	ctx, stop := context.WithCancel(ctx)
	var names []string
	most := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = until(ctx, "watch", func() (bool, error) { // it ends with ctx
			all, err := stage.sandbox.clusters(ctx, w.project)
			if err != nil {
				return ctx.Err() != nil, nil
			}
			most = max(most, len(all))
			for _, c := range all {
				if !slices.Contains(names, c.Name) {
					names = append(names, c.Name)
				}
			}
			return false, nil
		})
	}()
	end := func() ([]string, int) {
		stop()
		<-done
		return names, most
	}
	t.Cleanup(func() { end() })
	return end
}

// checkSides asks scheduler, notebook and workers what they were given.
func checkSides(ctx context.Context, t *testing.T, dashboard, want string, workers int) {
	t.Helper()
	var sides map[string]struct {
		Pods     int
		Packages []string
		Mixed    bool
	}
	if err := askJSON(ctx, http.MethodGet, dashboard+"/sandbox/packages", nil, &sides); err != nil {
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
