package provision

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
)

func newWorld(chance func(string) string) *world {
	w := &world{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), clusters: map[string]*fakeCluster{},
		disks: map[string]bool{}, rules: map[string]bool{}, chance: chance, stock: map[string]bool{}}
	w.store = &memory{envs: map[string]environment.Environment{}, clusters: map[string]environment.Cluster{},
		due: map[environment.Job]time.Time{}, now: func() time.Time { return w.now }, chance: chance}
	return w
}

func (w *world) runner() *Runner {
	var store environment.Store = w.store
	if w.between != nil {
		store = &crossing{w.store, w}
	}
	var cloud environment.Clusters = w
	if w.cloud != nil {
		cloud = w.cloud
	}
	return New(Ports{Store: store, Clusters: cloud, Given: given{}, Workloads: kube{w}, Charts: charts{w}, Compute: compute{w}, Door: door{w}},
		Config{Installation: "test", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return w.now }})
}

// up puts a new environment into the store, as Service.Up does.
func (w *world) up(id string, placement environment.Placement) {
	e := environment.Environment{ID: id, Owner: id, Project: "p", Profile: "x", Desired: environment.Present,
		State: environment.StatePending, Phase: environment.PhaseQueued, PhaseSince: w.now, CreatedAt: w.now, Namespace: "ns-" + id,
		Spec: environment.Spec{TTL: time.Hour, Workers: 2}, Generation: 1,
		Recipe: environment.Profile{Placement: placement, Workers: environment.Workers{Kind: environment.WorkersValues},
			Cluster:  environment.ClusterShape{Locations: []string{"a", "b"}, MaxNodes: 3, IdleMinutes: 5},
			Releases: []environment.Release{{Name: "hub", Values: map[string]any{"n": "${workers}"}}}}}
	w.store.envs[id] = mustVersion(e)
	w.store.due[environment.Job{Kind: environment.JobEnvironment, ID: id}] = w.now
}

func mustVersion(e environment.Environment) environment.Environment { e.Version = 1; return e }

func (w *world) edit(id string, f func(*environment.Environment)) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	e := w.store.envs[id]
	f(&e)
	e.Version++
	w.store.envs[id] = e
	w.store.due[environment.Job{Kind: environment.JobEnvironment, ID: id}] = w.now
}

func (w *world) down(id string) {
	w.edit(id, func(e *environment.Environment) { environment.MarkDown(e, w.now, "Down.") })
}

// run plays the queue in virtual time until nothing is due, or the time is
// over; a death of the process loses what only memory held, and every job
// comes back, as it does from the real queue.
func (w *world) run(t interface{ Fatalf(string, ...any) }, limit time.Duration) {
	r := w.runner()
	end := w.now.Add(limit)
	for range 200_000 {
		job, at, ok := w.nextDue()
		if !ok || at.After(end) {
			return
		}
		if at.After(w.now) {
			w.now = at
		}
		delete(w.store.due, job)
		again, err, died := w.work(r, job)
		switch {
		case died:
			r = w.runner()
			w.store.due[job] = w.now.Add(time.Second)
		case err != nil:
			w.store.due[job] = w.now.Add(time.Second)
		case again > 0:
			if _, woken := w.store.due[job]; !woken {
				w.store.due[job] = w.now.Add(again)
			}
		}
	}
	t.Fatalf("it never came to rest: %+v %+v", w.store.envs, w.store.clusters)
}

func (w *world) work(r *Runner, job environment.Job) (again time.Duration, err error, died bool) {
	defer func() {
		if p := recover(); p == any(killed) {
			died = true
		} else if p != nil {
			panic(p)
		}
	}()
	again, err = r.Work(context.Background(), job)
	return again, err, false
}

func (w *world) nextDue() (job environment.Job, at time.Time, ok bool) {
	for j, t := range w.store.due {
		if !ok || t.Before(at) || t.Equal(at) && j.ID+string(j.Kind) < job.ID+string(job.Kind) {
			job, at, ok = j, t, true
		}
	}
	return job, at, ok
}

func never(string) string { return "" }

func TestUpThenDown(t *testing.T) {
	for _, placement := range []environment.Placement{environment.Dedicated, environment.Shared} {
		t.Run(string(placement), func(t *testing.T) {
			w := newWorld(never)
			w.up("e1", placement)
			w.run(t, time.Hour)
			e := w.store.envs["e1"]
			if e.State != environment.StateReady || e.URL == "" || e.ObservedGeneration != 1 || e.ExpiresAt.IsZero() {
				t.Fatalf("got %s %q %q; want ready with a URL", e.State, e.Message, e.URL)
			}
			w.down("e1")
			w.run(t, time.Hour)
			w.wantNothing(t)
			if got := w.store.envs["e1"].State; got != environment.StateDeleted {
				t.Errorf("got %s; want deleted", got)
			}
		})
	}
}

// crossing is a store in which somebody else's pass comes between what the pass
// of one that goes has read and what it writes.
type crossing struct {
	*memory
	world *world
}

func (c *crossing) Commit(ctx context.Context, ch environment.Change) error {
	if e := ch.Environment; e != nil && e.Phase == environment.PhaseGone && c.world.between != nil {
		between := c.world.between
		c.world.between = nil
		between(e.ID)
	}
	return c.memory.Commit(ctx, ch)
}

// TestTheLastTwoGoAtTheSameMoment: each still sees the other on the cluster that
// they share, which nobody uses afterwards and which must go.
func TestTheLastTwoGoAtTheSameMoment(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Shared)
	w.up("e2", environment.Shared)
	w.run(t, time.Hour)
	w.down("e1")
	w.down("e2")
	w.between = func(one string) {
		other := map[string]string{"e1": "e2", "e2": "e1"}[one]
		r := w.runner()
		for range 1000 {
			if _, err, _ := w.work(r, environment.Job{Kind: environment.JobEnvironment, ID: other}); err != nil {
				t.Fatal(err)
			}
			if w.store.envs[other].State == environment.StateDeleted {
				return
			}
			w.now = w.now.Add(time.Second)
		}
		t.Fatalf("%s does not go", other)
	}
	w.run(t, time.Hour)
	w.wantNothing(t)
}

// TestABrokenSharedClusterGoesWithItsLast: whoever is on one that Google calls
// broken cannot be taken away inside it; once nobody is to stay it goes whole.
func TestABrokenSharedClusterGoesWithItsLast(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Shared)
	w.up("e2", environment.Shared)
	w.run(t, time.Hour)
	for _, c := range w.clusters {
		c.failed = true
		w.store.due[environment.Job{Kind: environment.JobCluster, ID: c.id}] = w.now // as every row is, now and then
	}
	w.down("e1")
	w.run(t, time.Hour)
	if len(w.clusters) != 1 || w.store.envs["e2"].State != environment.StateReady {
		t.Fatalf("while one is to stay: got %d clusters, and it is %s; want it kept", len(w.clusters), w.store.envs["e2"].State)
	}
	w.down("e2")
	w.run(t, time.Hour)
	w.wantNothing(t)
	for _, id := range []string{"e1", "e2"} {
		if e := w.store.envs[id]; e.State != environment.StateDeleted {
			t.Errorf("%s is %s: %s", id, e.State, e.Message)
		}
	}
}

func (w *world) wantNothing(t interface{ Fatalf(string, ...any) }) {
	if len(w.clusters)+len(w.disks)+len(w.rules) != 0 {
		t.Fatalf("left behind: clusters %v disks %v rules %v; rows %+v", w.clusters, w.disks, w.rules, w.store.clusters)
	}
}

func TestQuotaFailsBeforeAnythingIsSpent(t *testing.T) {
	w := newWorld(never)
	w.quota = "europe-west1 has 1 of 8 CPUs left and this needs 4."
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	if e := w.store.envs["e1"]; e.State != environment.StateFailed || e.Failure.Code != environment.CodeQuota || e.Message != w.quota {
		t.Fatalf("got %s %q; want failed with the quota's sentence", e.State, e.Message)
	}
	if w.peak != 0 {
		t.Errorf("%d clusters were made; want none", w.peak)
	}
}

// TestAClassWaitsForQuota: what a schedule asked for waits until there is room,
// for a while; whoever asks for one themselves is told at once.
func TestAClassWaitsForQuota(t *testing.T) {
	for _, test := range []struct {
		name string
		room time.Duration
		want environment.State
	}{{"room in time", 10 * time.Minute, environment.StateReady}, {"no room", time.Hour, environment.StateFailed}} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(never)
			w.quota = "europe-west1 has 1 of 8 CPUs left and this needs 4."
			w.up("e1", environment.Dedicated)
			w.edit("e1", func(e *environment.Environment) { e.RequestedBy = "schedule:lab" })
			w.run(t, test.room)
			waiting := w.store.envs["e1"]
			if test.want == environment.StateReady && (waiting.State == environment.StateFailed || !strings.Contains(waiting.Message, "quota")) {
				t.Errorf("meanwhile it is %s %q; want it to wait for quota, and say so", waiting.State, waiting.Message)
			}
			w.quota = ""
			w.run(t, time.Hour)
			if e := w.store.envs["e1"]; e.State != test.want || test.want == environment.StateFailed && e.Failure.Code != environment.CodeQuota {
				t.Errorf("got %s %q; want %s", e.State, e.Message, test.want)
			}
		})
	}
}

func TestBrokenChangeIsTakenBack(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	w.edit("e1", func(e *environment.Environment) {
		e.Spec.Workers, e.Generation, e.State = 3, e.Generation+1, environment.StateUpdating
		e.Phase, e.PhaseSince = environment.PhaseInstall, w.now
	})
	w.broken = true
	w.run(t, 21*time.Minute)
	if got := w.store.envs["e1"].Spec.Workers; got != 2 {
		t.Fatalf("got %d workers; want the 2 that worked", got)
	}
	w.broken = false
	w.run(t, time.Hour)
	if e := w.store.envs["e1"]; e.State != environment.StateReady || e.Spec.Workers != 2 || e.ObservedGeneration != e.Generation {
		t.Errorf("got %s with %d workers, generation %d of %d; want ready with 2", e.State, e.Spec.Workers, e.ObservedGeneration, e.Generation)
	}
}

// TestChangeKnocksAgain: a change may put another server behind the address,
// which counts as ready before it listens.
func TestChangeKnocksAgain(t *testing.T) {
	shut := false
	w := newWorld(func(point string) string {
		if shut && point == "door" {
			return "error"
		}
		return ""
	})
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	w.edit("e1", func(e *environment.Environment) {
		e.Spec.Packages, e.Generation, e.State = []string{"xgboost"}, e.Generation+1, environment.StateUpdating
		e.Phase, e.PhaseSince = environment.PhaseInstall, w.now
	})
	shut = true
	w.run(t, 3*time.Minute)
	if e := w.store.envs["e1"]; e.State != environment.StateUpdating {
		t.Errorf("nobody answers, and the environment is %s; want updating", e.State)
	}
	shut = false
	w.run(t, 10*time.Minute)
	if e := w.store.envs["e1"]; e.State != environment.StateReady || e.ObservedGeneration != e.Generation || len(e.Spec.Packages) != 1 {
		t.Errorf("got %s, generation %d of %d, %v; want ready with the package", e.State, e.ObservedGeneration, e.Generation, e.Spec.Packages)
	}
}

// TestReadyAgainSaysSo: what a ready environment waited for is no longer said
// once it has come back, and nobody is told a second time that it is ready.
func TestReadyAgainSaysSo(t *testing.T) {
	silent := false
	w := newWorld(func(point string) string {
		if silent && point == "observe-workloads" {
			return "error"
		}
		return ""
	})
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	was := w.store.envs["e1"]
	silent = true
	w.edit("e1", func(*environment.Environment) {})
	w.run(t, time.Minute)
	if e := w.store.envs["e1"]; e.Message == was.Message {
		t.Errorf("the cluster is silent and it says %q", e.Message)
	}
	silent = false
	w.run(t, time.Minute)
	if e := w.store.envs["e1"]; e.Phase != environment.PhaseReady || e.Message != was.Message {
		t.Errorf("got %s, %q; want it ready as before, %q", e.Phase, e.Message, was.Message)
	}
}

// TestDownWithoutAnAPIServer: what only the API server could have named must
// have been written down while it answered.
func TestDownWithoutAnAPIServer(t *testing.T) {
	silent := false
	w := newWorld(func(point string) string {
		if silent && slices.Contains([]string{"inventory", "uninstall", "remove", "unexpose", "exposed", "observe-workloads", "observe-release"}, point) {
			return "error"
		}
		return ""
	})
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	silent = true
	w.down("e1")
	w.run(t, 3*time.Hour)
	if got := w.store.envs["e1"].State; got != environment.StateDeleted {
		t.Fatalf("got %s; want deleted", got)
	}
	w.wantNothing(t)
}

func TestDownDuringUpAtEveryMoment(t *testing.T) {
	for after := time.Duration(0); after < 3*time.Minute; after += 500 * time.Millisecond {
		w := newWorld(never)
		w.up("e1", environment.Dedicated)
		w.run(t, after)
		w.down("e1")
		w.run(t, 3*time.Hour)
		if got := w.store.envs["e1"].State; got != environment.StateDeleted {
			t.Fatalf("down after %s: got %s; want deleted", after, got)
		}
		w.wantNothing(t)
	}
}

// TestDyingAnywhereChangesNothing is the promise of the design: killed at any
// instruction, with calls failing and answers lost at random, every
// environment ends where it was asked to, with one cluster at a time and
// nothing left.
func TestDyingAnywhereChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := rapid.IntRange(0, 40).Draw(t, "faults")
		kinds := rapid.SampledFrom([]string{"", "", "", "before", "after", "error", "lost"})
		chance := func(point string) string {
			if budget == 0 {
				return ""
			}
			kind := kinds.Draw(t, point)
			if kind != "" {
				budget--
			}
			if kind == "lost" && point != "create" {
				return "error"
			}
			return kind
		}
		w := newWorld(chance)
		placement := rapid.SampledFrom([]environment.Placement{environment.Dedicated, environment.Shared}).Draw(t, "placement")
		w.up("e1", placement)
		w.up("e2", placement)
		w.run(t, time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds"))*time.Second)
		w.down("e1")
		w.run(t, 3*time.Hour)
		if e := w.store.envs["e1"]; e.Phase != environment.PhaseGone {
			t.Fatalf("e1: got %s %s %q; want gone", e.State, e.Phase, e.Message)
		}
		if e := w.store.envs["e2"]; e.State != environment.StateReady {
			t.Fatalf("e2: got %s %s %q; want ready", e.State, e.Phase, e.Message)
		}
		if len(w.clusters) != 1 {
			t.Fatalf("got %d clusters for one environment: %v", len(w.clusters), w.clusters)
		}
		w.down("e2")
		w.run(t, 3*time.Hour)
		w.wantNothing(t)
	})
}
