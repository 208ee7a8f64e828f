package store_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// lead runs Lead until stop; led gets a value each time it leads.
func lead(tb testing.TB, s *store.Store) (led <-chan struct{}, stop func()) {
	tb.Helper()
	ch := make(chan struct{}, 10)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Lead(ctx, func(ctx context.Context) error {
			ch <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := receive(tb, done, "Lead to return"); err != nil && !errors.Is(err, context.Canceled) {
				tb.Errorf("Lead: %v", err)
			}
		}
	}
	tb.Cleanup(stop)
	return ch, stop
}

// TestOneReplicaLeads: never two at once, and another soon when one stops.
func TestOneReplicaLeads(t *testing.T) {
	url := freshPostgres(t)
	var leading, most atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	turns := make(chan int, 100)
	ended := make(chan error, 3)
	for n := range 3 {
		s := open(t, url)
		go func() {
			for ctx.Err() == nil {
				// Each leads for a moment and then gives up, so that the lead goes round.
				turn, stop := context.WithCancel(ctx)
				_ = s.Lead(turn, func(context.Context) error {
					most.Store(max(most.Load(), leading.Add(1)))
					turns <- n
					leading.Add(-1)
					stop()
					return nil
				})
				stop()
			}
			ended <- nil
		}()
	}
	for range 6 {
		receive(t, turns, "somebody to lead")
	}
	cancel()
	for range 3 {
		receive(t, ended, "the replicas to stop")
	}
	if most.Load() != 1 {
		t.Errorf("%d led at once; want 1", most.Load())
	}
}

// TestTheErrorOfTheLeaderIsLeads: what a leader cannot do ends its process.
func TestTheErrorOfTheLeaderIsLeads(t *testing.T) {
	for name, url := range map[string]fresh{"SQLite": freshSQLite, "PostgreSQL": freshPostgres} {
		t.Run(name, func(t *testing.T) {
			want := errors.New("it cannot")
			if err := open(t, url(t)).Lead(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
				t.Errorf("got %v; want %v", err, want)
			}
		})
	}
}

// TestADeadReplicaIsReplaced kills a replica that leads and is in the middle
// of a pass: another leads and does the pass within seconds, not minutes.
func TestADeadReplicaIsReplaced(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	said, kill := startChild(t, url, partLead)
	if got := receive(t, said, "the child to lead"); got != "leading" {
		t.Fatalf("the child said %q; want leading", got)
	}
	s := open(t, url)
	commit(t, s, environment.Change{Wake: wakeEnvironment("e1")})
	if got := receive(t, said, "the child to work"); got != "working e1" {
		t.Fatalf("the child said %q; want working e1", got)
	}
	work, done := passes(0)
	run(t, s, work)
	led, _ := lead(t, s)
	kill()
	died := time.Now()
	receive(t, led, "this one to lead")
	t.Logf("led %s after the death", time.Since(died))
	if got := receive(t, done, "the pass of the dead replica"); got.ID != "e1" {
		t.Errorf("got a pass over %s; want e1", got.ID)
	}
	if took := time.Since(died); took > patience {
		t.Errorf("the pass was taken over after %s; want seconds", took)
	}
	t.Logf("its pass was taken over %s after the death", time.Since(died))
}

// TestALivingReplicaKeepsItsPasses: a pass that takes long is nobody else's.
func TestALivingReplicaKeepsItsPasses(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	said, _ := startChild(t, url, partLead)
	receive(t, said, "the child to lead")
	one, two := open(t, url), open(t, url)
	var passes atomic.Int32
	began, release := make(chan struct{}, 10), make(chan struct{})
	hold := func(ctx context.Context, job environment.Job) (time.Duration, error) {
		if job.ID != "e1" {
			return 0, nil
		}
		passes.Add(1)
		began <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return 0, ctx.Err()
	}
	run(t, one, hold)
	run(t, two, hold)
	// The child takes what it gets and holds it, so there may be several tries.
	commit(t, one, environment.Change{Wake: wakeEnvironment("e1")})
	select {
	case <-began:
	case got := <-said:
		t.Skipf("the child was faster: %s", got)
	}
	late := time.NewTimer(store.AbsentFor + 4*time.Second)
	defer late.Stop()
	<-late.C
	close(release)
	if n := passes.Load(); n != 1 {
		t.Errorf("there were %d passes; want one", n)
	}
}

// TestAloneKeepsOthersOut: of what is done under one name, on any replica.
func TestAloneKeepsOthersOut(t *testing.T) {
	url := freshPostgres(t)
	var within, most atomic.Int32
	done := make(chan error, 6)
	for range 3 {
		s := open(t, url)
		for range 2 {
			go func() {
				done <- s.Alone(t.Context(), "sweep", func(context.Context) error {
					most.Store(max(most.Load(), within.Add(1)))
					defer within.Add(-1)
					return s.Ping(t.Context())
				})
			}()
		}
	}
	for range 6 {
		if err := receive(t, done, "everybody's turn"); err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d at once; want 1", most.Load())
	}
}

// TestReplicasHearEachOther: an event of one is told on the other.
func TestReplicasHearEachOther(t *testing.T) {
	url := freshPostgres(t)
	one, two := open(t, url), open(t, url)
	heard := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- two.Hear(ctx, func(id string) { heard <- id }) }()
	if got := receive(t, heard, "the beginning"); got != "" {
		t.Errorf("heard %q first; want that some may have been missed", got)
	}
	e := anEnvironment("e1")
	commit(t, one, environment.Change{Environment: &e, Events: []environment.Event{{Environment: "e1"}, {Environment: "e1"}}})
	if got := receive(t, heard, "the event"); got != "e1" {
		t.Errorf("heard %q; want e1", got)
	}
	cancel()
	if err := receive(t, done, "Hear to return"); err != nil {
		t.Error(err)
	}
}

// TestWhoLives: a replica is seen by others while it works, also right after it
// lost the connection by which it is, and not after its end.
func TestWhoLives(t *testing.T) {
	t.Parallel()
	url := freshPostgres(t)
	one, two := open(t, url), open(t, url)
	lives := func() bool {
		t.Helper()
		lives, err := one.Lives(t.Context(), two.Replica())
		if err != nil {
			t.Fatal(err)
		}
		return lives
	}
	e := anEnvironment("e1")
	commit(t, one, environment.Change{Environment: &e, Wake: wakeEnvironment(e.ID)})
	ctx, cancel := context.WithCancel(t.Context())
	works, ended := make(chan struct{}, 10), make(chan error, 1)
	go func() {
		ended <- two.Run(ctx, func(context.Context, environment.Job) (time.Duration, error) {
			works <- struct{}{}
			return 0, nil
		})
	}()
	receive(t, works, "the pass")
	if !lives() {
		t.Error("while it works: it is not seen")
	}
	cutOff(t, url)
	if !lives() {
		t.Error("right after its connection was lost: it is taken for dead")
	}
	cancel()
	if err := receive(t, ended, "Run to return"); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); lives(); { // the server forgets a connection in its own time
		if time.Since(began) > 10*time.Second {
			t.Fatal("after its end: it is seen")
		}
	}
}

// cutOff ends the connections by which replicas are seen, as a database that
// starts again does, or a network that forgets one.
func cutOff(t *testing.T, url string) {
	t.Helper()
	const text = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1684108139
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	var ended int
	if err := raw(t, "pgx", url).QueryRowContext(t.Context(), text).Scan(&ended); err != nil || ended != 1 {
		t.Fatalf("got %d, %v; want one connection ended", ended, err)
	}
}
