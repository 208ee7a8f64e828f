package chaos

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

// runs is the variable that says how many runs there are.
const runs = "DASKBOT_CHAOS_RUNS"

// fewRuns is for `make test`.
const fewRuns = "60"

var boss = environment.Caller{Subject: "boss", Role: environment.RoleAdmin}

// skewed is how wrong a replica's clock may be.
const skewed = 90 * time.Second

// seedOf is the variable that repeats them.
const seedOf = "DASKBOT_CHAOS_SEED"

// fewerOnPostgres is by how much fewer runs there are on PostgreSQL, which takes
// a database for each.
const fewerOnPostgres = 20

func TestNothingIsLostDoubledOrphanedEndedEarlyOrToldTwice(t *testing.T) {
	n := cmp.Or(os.Getenv(runs), fewRuns)
	many, err := strconv.Atoi(n)
	if err != nil {
		t.Fatalf("%s: %v", runs, err)
	}
	t.Run("SQLite", func(t *testing.T) {
		dir, made := t.TempDir(), 0
		keepsItsPromises(t, many, func() (string, func()) {
			made++
			file := filepath.Join(dir, fmt.Sprintf("%d.db", made))
			return "sqlite:" + file, func() {
				for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
					_ = os.Remove(file + suffix) // the folder goes in the end
				}
			}
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		server, err := storetest.StartPostgres()
		if err != nil {
			storetest.NoPostgres(t, err)
		}
		t.Cleanup(server.Stop)
		keepsItsPromises(t, max(many/fewerOnPostgres, 2), func() (string, func()) { return server.Fresh(t), func() {} })
	})
}

// keepsItsPromises tries the property so often, each time on an empty database.
func keepsItsPromises(t *testing.T, many int, fresh func() (url string, remove func())) {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv(seedOf), flag.Lookup("rapid.seed").Value.String()), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", seedOf, err)
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; %s=%d repeats it", seed, seedOf, seed)
	for name, value := range map[string]string{"rapid.seed": strconv.FormatUint(seed, 10), "rapid.checks": strconv.Itoa(many)} {
		was := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, was) }) // as it was
	}
	made, struck := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		made++
		url, remove := fresh()
		defer remove()
		s, err := store.Open(context.Background(), store.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // what it holds is thrown away
		w := newWorld(t, s, rapid.IntRange(0, 30).Draw(t, "faults"))
		defer w.close()
		w.class()
		struck["pass"] += w.passes
		struck["environment"] += len(w.rows())
		for what, n := range w.struck {
			struck[what] += n
		}
	})
	t.Logf("%d runs on %s with seed %d: %v", made, path.Base(t.Name()), seed, struck)
	if many < 30 {
		return // too few to meet everything
	}
	for _, what := range []string{"reaped", "warned", "told", "swept", "stray", "half a list"} {
		if struck[what] == 0 {
			t.Errorf("%q never happened: the promises about that were not tried", what)
		}
	}
}

// close ends what still stands at a point.
func (w *world) close() {
	for len(w.tasks) > 0 {
		w.drop(w.tasks[0])
	}
}

// class is one run: environments go up, change and go while everything fails;
// then nothing fails any more, and everything must come out right.
func (w *world) class() {
	w.Repeat(map[string]func(*rapid.T){
		"up":           func(*rapid.T) { w.up() },
		"another up":   func(*rapid.T) { w.up() },
		"down":         func(*rapid.T) { w.ask("down", (*environment.Service).Down) },
		"scale":        func(*rapid.T) { w.scale() },
		"extend":       func(*rapid.T) { w.extend() },
		"work or rest": func(*rapid.T) { w.work() },
		"reap":         func(*rapid.T) { w.reap() },
		"time under the reaper": func(t *rapid.T) {
			for range rapid.IntRange(1, 12).Draw(t, "runs") { // long enough to be warned, and to end
				w.reap()
				w.tell()
				w.run(5 * time.Minute)
			}
		},
		"time passes":    func(t *rapid.T) { w.run(time.Duration(rapid.IntRange(1, 900).Draw(t, "seconds")) * time.Second) },
		"kill":           func(*rapid.T) { w.kill(w.any()) },
		"taken for dead": func(*rapid.T) { w.lose(w.any()) },
		"clock jumps": func(t *rapid.T) {
			w.any().skew = time.Duration(rapid.IntRange(int(-skewed/time.Second), int(skewed/time.Second)).Draw(t, "by")) * time.Second
		},
		"tell":   func(*rapid.T) { w.tell() },
		"sweep":  func(*rapid.T) { w.sweepAtWork() },
		"strays": func(*rapid.T) { w.stray() },
		"":       func(*rapid.T) { w.oneClusterEach() },
	})
	w.calm()
	w.wantSettled()
	w.wantTold()
	for _, e := range w.rows() {
		if e.Desired == environment.Present {
			w.askOf(e.ID, "down at last", (*environment.Service).Down)
		}
	}
	w.calm()
	w.wantNothing()
	w.wantToldOnce()
	w.wantTold()
}

// calm lets everything come to rest: nothing fails, all are in use, clocks are
// right, and what others left behind is swept.
func (w *world) calm() {
	w.faults = 0
	for _, r := range w.replicas {
		r.skew = 0
	}
	for _, e := range w.rows() {
		w.use(e.ID, true)
	}
	w.run(time.Hour)
	for range 3 {
		w.sweep()
		w.tell()
		w.run(time.Hour)
	}
	w.tell() // the last word
	w.run(time.Second)
}

func (w *world) sweep() {
	if _, err := w.replicas[0].service.Resync(context.Background()); err != nil {
		w.Fatal(err)
	}
	w.survey = ""
	if _, err := w.replicas[0].service.SweepOrphans(context.Background(), environment.OrphanRun{}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) any() *replica {
	return w.replicas[rapid.IntRange(0, len(w.replicas)-1).Draw(w.T, "replica")]
}

// anyone draws an environment; "" when there is none.
func (w *world) anyone() string {
	all := w.rows()
	if len(all) == 0 {
		return ""
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(w.T, "environment")].ID
}

func (w *world) up() {
	r := w.any()
	owner := rapid.SampledFrom([]string{"ann", "ben", "cem"}).Draw(w.T, "owner")
	profile := rapid.SampledFrom([]string{"own", "shared"}).Draw(w.T, "profile")
	w.begin(r, "up", func(ctx context.Context) (time.Duration, error) {
		_, _, err := r.service.Up(ctx, boss, environment.Request{Owner: owner, Profile: profile})
		return 0, err
	})
}

type command func(*environment.Service, context.Context, environment.Caller, string, int64) (environment.Environment, bool, error)

func (w *world) ask(name string, do command) {
	if id := w.anyone(); id != "" {
		w.askOf(id, name, do)
	}
}

func (w *world) askOf(id, name string, do command) {
	r := w.any()
	w.begin(r, name, func(ctx context.Context) (time.Duration, error) {
		_, _, err := do(r.service, ctx, boss, id, 0)
		return 0, err
	})
}

func (w *world) scale() {
	id := w.anyone()
	if id == "" {
		return
	}
	n, r := rapid.IntRange(1, 5).Draw(w.T, "workers"), w.any()
	w.changes[id]++
	w.begin(r, "scale", func(ctx context.Context) (time.Duration, error) {
		_, err := r.service.Scale(ctx, boss, id, n, 0)
		return 0, err
	})
}

func (w *world) extend() {
	id := w.anyone()
	if id == "" {
		return
	}
	r := w.any()
	w.begin(r, "extend", func(ctx context.Context) (time.Duration, error) {
		_, err := r.service.Extend(ctx, boss, id, time.Hour, 0)
		return 0, err
	})
}

func (w *world) work() {
	if id := w.anyone(); id != "" {
		w.use(id, !w.busy[id])
	}
}

// use says whether somebody uses it from now on.
func (w *world) use(id string, busy bool) {
	if w.busy[id] != busy {
		w.busy[id], w.busyFrom[id] = busy, w.now
	}
}

// reap is a run of the reaper on any replica: two may run at once.
func (w *world) reap() {
	r := w.any()
	w.begin(r, "reap", func(ctx context.Context) (time.Duration, error) {
		ids, err := r.service.Reapable(ctx)
		if err != nil {
			return 0, err
		}
		for _, id := range ids {
			item, err := r.service.Consider(ctx, id, false)
			if err != nil {
				return 0, err
			}
			if a := item.Judgement.Action; a != environment.ReapDelete && a != environment.ReapWarn && !item.Judgement.Revive {
				continue
			}
			before, err := w.store.Environment(ctx, id)
			if err != nil {
				return 0, err
			}
			j, err := r.service.Carry(ctx, item)
			if err != nil {
				return 0, err
			}
			w.reapedRightly(before, j)
		}
		return 0, nil
	})
}
