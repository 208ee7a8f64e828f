package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/store/storetest"
)

// TestUpgradeInTheMiddleOfTwentyUps stops the daemon in good order and starts
// it again, as an upgrade does, while a class goes up: all become ready, and
// each is told each thing once.
func TestUpgradeInTheMiddleOfTwentyUps(t *testing.T) {
	t.Parallel()
	const people = 20
	w := newSlackClass(t, people)
	w.allAsk(t, people)
	for range 3 {
		if err := pause(t.Context(), 3*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if err := w.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.endsWell(t, people)
}

// TestRollingUpgradeOnPostgres replaces three replicas one after the other while
// a class goes up. `make bench BENCH=upgrade` does it with the version before
// as the first one; here DASKBOT_UPGRADE_FROM may name another daskbot.
func TestRollingUpgradeOnPostgres(t *testing.T) {
	t.Parallel()
	const people = 6
	w := newUnstarted(t)
	w.joinSlack(t, people)
	w.extra = append(w.extra, "DASKBOT_STORE_URL="+storetest.FreshPostgres(t), "DASKBOT_ADMIN_TOKEN_FILE="+filepath.Join(w.dir, "admin.token"))
	replicas := []*world{w, w.another(t), w.another(t)}
	for _, r := range replicas {
		if older := os.Getenv("DASKBOT_UPGRADE_FROM"); older != "" {
			r.program = older
		}
		if err := r.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // before the database ends
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
	w.allAsk(t, people)
	for _, r := range replicas {
		if err := pause(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r.program = stage.daskbot
		if err := r.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.endsWell(t, people)
}

// another is one more replica of a daemon, on its store; start starts it.
func (w *world) another(t *testing.T) *world {
	t.Helper()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	r := *w
	r.addr, r.dir, r.daemon, r.proxy = addr, t.TempDir(), nil, newRecorder(addr, described.judge)
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	return &r
}

// allAsk has everybody of a class ask for an environment.
func (w *world) allAsk(t *testing.T, people int) {
	t.Helper()
	for n := range people {
		w.types(t, member(n), "/dask")
		w.types(t, member(n), "/dask up dask-shared")
	}
}

// endsWell sees everybody get what they asked for and be told so once, and takes
// it all down.
func (w *world) endsWell(t *testing.T, people int) {
	t.Helper()
	w.allReady(t, people)
	for n := range people {
		w.wantTold(t, member(n), "progress", "ready")
	}
	var all struct{ Items []env }
	w.mustAsk(t.Context(), t, http.MethodGet, "environments", nil, &all)
	for _, e := range all.Items {
		w.mustAsk(t.Context(), t, http.MethodDelete, "environments/"+e.ID, nil, nil)
	}
	for _, e := range all.Items {
		w.mustAwait(t, e.ID, "deleted")
	}
}

func member(n int) string { return fmt.Sprintf("m%d", n+1) }

// allReady waits until so many environments are, with each thing that happened
// to them told once in their events.
func (w *world) allReady(t *testing.T, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var all struct{ Items []env }
	err := until(ctx, "wait until all are ready", func() (bool, error) {
		all.Items = nil
		if err := w.ask(ctx, http.MethodGet, "environments", nil, &all); err != nil {
			return false, nil
		}
		ready := 0
		for _, e := range all.Items {
			if e.State == "failed" {
				return false, fmt.Errorf("%s failed: %s", e.ID, e.Message)
			}
			if e.State == "ready" {
				ready++
			}
		}
		return ready == count, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all.Items {
		var events struct{ Items []struct{ Type string } }
		w.mustAsk(ctx, t, http.MethodGet, "environments/"+e.ID+"/events", nil, &events)
		n := map[string]int{}
		for _, ev := range events.Items {
			if ev.Type == "requested" || ev.Type == "ready" {
				n[ev.Type]++
			}
		}
		if diff := cmp.Diff(map[string]int{"requested": 1, "ready": 1}, n); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", e.ID, diff)
		}
	}
}
