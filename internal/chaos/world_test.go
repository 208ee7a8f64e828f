package chaos

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/notify"
	"github.com/daskbot/daskbot/internal/provision"
)

var errKilled = errors.New("kill -9")

// world is some replicas on one store and one cloud, in virtual time.
type world struct {
	*rapid.T
	now      time.Time
	store    environment.Store // the real one
	cloud    *cloud
	replicas []*replica
	due      map[environment.Job]time.Time
	tasks    []*task // under way
	at       *task   // the one that runs
	faults   int     // how many may still happen
	busy     map[string]bool
	busyFrom map[string]time.Time
	changes  map[string]int
	passes   int
	leader   int                       // of the replicas: it tells people
	read     int64                     // up to which event they were told
	posted   map[string]map[string]int // how often which environment's owner got which message
	survey   string                    // how the sweep's look at the cloud goes wrong
	strays   int
	struck   map[string]int // what happened, to see that it does
}

// replica is one process. What it holds in memory is lost when it dies.
type replica struct {
	w       *world
	skew    time.Duration // of its clock
	runner  *provision.Runner
	service *environment.Service
	outbox  *notify.Outbox
}

// task is something that a replica does, stopped at a point.
type task struct {
	name    string
	job     environment.Job // of a pass
	replica *replica
	yield   func(string) bool
	resume  func() (string, bool)
	stop    func()
	// zombie: others take its replica for dead, and it may do one thing more.
	zombie bool
	left   int
	again  time.Duration
	err    error
	ended  bool
}

func newWorld(t *rapid.T, s environment.Store, faults int) *world {
	w := &world{T: t, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), store: s, due: map[environment.Job]time.Time{}, faults: faults,
		busy: map[string]bool{}, busyFrom: map[string]time.Time{}, changes: map[string]int{}, posted: map[string]map[string]int{}, struck: map[string]int{}}
	w.cloud = newCloud(w)
	for range 3 {
		r := &replica{w: w}
		r.start()
		w.replicas = append(w.replicas, r)
	}
	return w
}

// start is a new process.
func (r *replica) start() {
	w := r.w
	clock := func() time.Time { return w.now.Add(r.skew) }
	kept := watched{w.store, w}
	r.runner = provision.New(provision.Ports{Store: kept, Clusters: w.cloud, Given: given{}, Workloads: inside{w.cloud},
		Charts: charts{w.cloud}, Compute: compute{w.cloud}, Door: door{w.cloud}},
		provision.Config{Installation: installation, Log: slog.New(slog.DiscardHandler), Now: clock})
	r.service = environment.NewService(environment.ServiceConfig{Store: kept, Feed: &environment.Feed{}, Catalogue: shelf{}, Clusters: w.cloud,
		Given: given{}, Workloads: inside{w.cloud}, Prober: w, Installation: installation, Now: clock,
		Orphans: environment.OrphanConfig{Leavings: compute{w.cloud}, Projects: []string{project}, Grace: 30 * time.Minute, MaxPerRun: 50,
			Linked: func(context.Context) ([]string, error) { return nil, nil }}})
	var err error
	if r.outbox, err = notify.New(notify.Config{Store: kept, Feed: &environment.Feed{}, Notifier: owners{w}, Log: slog.New(slog.DiscardHandler)}); err != nil {
		w.Fatal(err)
	}
}

// point is where chance strikes: before a call, after it, or in its place.
func (w *world) point(name string, do func() error) error {
	t := w.at
	if t == nil {
		return do()
	}
	t.pass(name)
	switch w.chance(name) {
	case "error":
		return environment.Errorf(environment.CodeUnavailable, "It does not answer.")
	case "lost":
		_ = do()
		return &environment.Error{Code: environment.CodeUnavailable, Ambiguous: true, Message: "The answer was lost."}
	default:
	}
	err := do()
	t.pass("after " + name)
	return err
}

// pass lets others go on; a task whose replica died does not come back.
func (t *task) pass(name string) {
	if t.zombie {
		if t.left--; t.left < 0 {
			panic(errKilled)
		}
	}
	if !t.yield(name) {
		panic(errKilled)
	}
}

func (w *world) chance(name string) string {
	if w.faults <= 0 {
		return ""
	}
	kind := rapid.SampledFrom([]string{"", "", "", "", "error", "lost"}).Draw(w.T, name)
	if kind != "" {
		w.faults--
		w.struck[kind]++
	}
	if kind == "lost" && name != "create" && name != "commit" && name != "post" {
		return "error"
	}
	return kind
}

// watched is the store with a point at every write, and the queue's ears.
type watched struct {
	environment.Store
	w *world
}

// Commit writes for real; the answer may be lost.
func (s watched) Commit(ctx context.Context, ch environment.Change) error {
	return s.w.point("commit", func() error {
		if err := s.Store.Commit(ctx, ch); err != nil {
			return err
		}
		for _, j := range ch.Wake {
			s.w.due[environment.Job{Kind: j.Kind, ID: j.ID}] = s.w.now
		}
		return nil
	})
}

// begin has a replica do something.
func (w *world) begin(r *replica, name string, do func(context.Context) (time.Duration, error)) *task {
	t := &task{name: name, replica: r}
	t.resume, t.stop = iter.Pull(func(yield func(string) bool) {
		t.yield = yield
		defer func() {
			t.ended = true
			if p := recover(); p != nil && p != any(errKilled) {
				panic(p)
			}
		}()
		t.again, t.err = do(context.Background())
	})
	w.tasks = append(w.tasks, t)
	return t
}

// step lets one task go on to its next point.
func (w *world) step(t *task) {
	w.at = t
	t.resume()
	w.at = nil
	if t.ended {
		w.tasks = slices.DeleteFunc(w.tasks, func(o *task) bool { return o == t })
		w.settle(t)
	}
}

// settle is what the queue does when a pass ends.
func (w *world) settle(t *task) {
	if t.job.ID == "" || t.zombie {
		return
	}
	if _, woken := w.due[t.job]; woken {
		return
	}
	switch {
	case t.err != nil:
		w.due[t.job] = w.now.Add(time.Second)
	case t.again > 0:
		w.due[t.job] = w.now.Add(t.again)
	}
}

// working says whether somebody has a pass over the row.
func (w *world) working(job environment.Job) bool {
	return slices.ContainsFunc(w.tasks, func(t *task) bool { return t.job == job && !t.zombie })
}

// startDue begins the pass that is due first, unless too many are under way.
func (w *world) startDue() bool {
	if len(w.tasks) >= 4 {
		return false
	}
	var next environment.Job
	for _, job := range slices.SortedFunc(maps.Keys(w.due), func(a, b environment.Job) int {
		if c := w.due[a].Compare(w.due[b]); c != 0 {
			return c
		}
		return slices.Compare([]string{string(a.Kind), a.ID}, []string{string(b.Kind), b.ID})
	}) {
		if !w.due[job].After(w.now) && !w.working(job) {
			next = job
			break
		}
	}
	if next.ID == "" {
		return false
	}
	delete(w.due, next)
	w.passes++
	r := w.replicas[w.passes%len(w.replicas)]
	t := w.begin(r, "pass over "+next.ID, func(ctx context.Context) (time.Duration, error) { return r.runner.Work(ctx, next) })
	t.job = next
	return true
}

// kill ends a replica; what it was doing is due again, as another finds out.
func (w *world) kill(r *replica) {
	for _, t := range slices.Clone(w.tasks) {
		if t.replica == r && !t.zombie {
			w.struck["killed at work"]++
			w.drop(t)
			w.takeOver(t)
		}
	}
	r.skew = 0
	r.start()
	w.elect(r)
}

// drop ends a task where it stands. A task that was never resumed has not
// begun: there is nothing to unwind.
func (w *world) drop(t *task) {
	w.tasks = slices.DeleteFunc(w.tasks, func(o *task) bool { return o == t })
	t.stop()
}

func (w *world) takeOver(t *task) {
	if t.job.ID == "" {
		return
	}
	if _, ok := w.due[t.job]; !ok {
		w.due[t.job] = w.now.Add(8 * time.Second)
	}
}

// lose has a replica taken for dead while a call of it is still on its way.
func (w *world) lose(r *replica) {
	w.elect(r)
	for _, t := range w.tasks {
		if t.replica == r && !t.zombie {
			w.struck["overtaken"]++
			t.zombie, t.left = true, 1
			w.takeOver(t)
		}
	}
}

// run lets time pass until a limit, or until nothing is due before it.
func (w *world) run(limit time.Duration) {
	end := w.now.Add(limit)
	for range 100_000 {
		for w.startDue() {
		}
		if len(w.tasks) > 0 {
			w.step(w.tasks[w.pick(len(w.tasks))])
			continue
		}
		next, ok := w.nextDue()
		if !ok || next.After(end) {
			w.now = end
			return
		}
		w.now = next
	}
	w.Fatalf("it never came to rest: %v", w.due)
}

// pick chooses who goes on; without faults the oldest, so that runs end.
func (w *world) pick(n int) int {
	if n == 1 || w.faults <= 0 {
		return 0
	}
	return rapid.IntRange(0, n-1).Draw(w.T, "who")
}

func (w *world) nextDue() (at time.Time, ok bool) {
	for _, t := range w.due {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// Probe is what really goes on in an environment.
func (w *world) Probe(_ context.Context, p environment.Probe) (environment.Activity, map[string]string) {
	s := environment.Signal{Source: "kernel", Kind: environment.SignalQuiet}
	if w.busy[p.Environment.ID] {
		s.Kind, s.Message = environment.SignalBusy, "a kernel is running"
	}
	if w.chance("probe") == "error" {
		s = environment.Signal{Source: "hub", Kind: environment.SignalUnknown, Message: "the hub does not answer"}
	}
	return environment.Activity{At: p.Now, Signals: []environment.Signal{s}}, nil
}

const project = "p-chaos"

// shelf is a catalogue of two profiles.
type shelf struct{}

func (shelf) Profiles() []environment.Profile {
	hub := func(name string, place environment.Placement) environment.Profile {
		return environment.Profile{Name: name, Title: name, Placement: place, Namespace: "ns",
			Workers:  environment.Workers{Kind: environment.WorkersValues, Default: 2, Max: 9},
			Cluster:  environment.ClusterShape{MachineType: "e2-standard-2", Nodes: 1, MinNodes: 1, MaxNodes: 3, Locations: []string{"europe-west1-b"}, IdleMinutes: 5},
			Access:   environment.Access{Kind: environment.AccessJupyterHub, Username: "${owner}"},
			Releases: []environment.Release{{Name: "hub", Chart: "hub", Values: map[string]any{"n": "${workers}"}}}}
	}
	return []environment.Profile{hub("own", environment.Dedicated), hub("shared", environment.Shared)}
}

func (s shelf) Profile(name string) (environment.Profile, bool) {
	for _, p := range s.Profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return environment.Profile{}, false
}

func (shelf) DefaultProfile() string { return "own" }
func (shelf) Project() string        { return project }

func (shelf) Policy() environment.Policy {
	return environment.Policy{TTL: 4 * time.Hour, MaxTTL: 24 * time.Hour, Idle: 20 * time.Minute, Unused: 20 * time.Minute, MaxBusy: 24 * time.Hour,
		MaxPerOwner: 5, MaxPerCourse: 50, MaxTotal: 100, Extension: 4 * time.Hour, Extensions: 9, Warnings: []time.Duration{10 * time.Minute},
		IdleMin: 15 * time.Minute, IdleMax: 90 * time.Minute}
}
