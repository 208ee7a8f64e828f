package notify

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

// teller remembers what it was told; tell may refuse.
type teller struct {
	mu   sync.Mutex
	told []string // id/state
	more chan struct{}
	// parallel is how many are told about at once; 0 for as many as usual.
	parallel int
	tell     func(ctx context.Context, e environment.Environment, memory string, keep func(context.Context, string) error) (time.Duration, error)
}

func (*teller) Name() string { return "test" }

func (n *teller) Tell(ctx context.Context, e environment.Environment, memory string, keep func(context.Context, string) error) (time.Duration, error) {
	if n.tell != nil {
		if again, err := n.tell(ctx, e, memory, keep); err != nil || again != 0 {
			return again, err
		}
	}
	n.mu.Lock()
	n.told = append(n.told, e.ID+"/"+string(e.State))
	n.mu.Unlock()
	n.more <- struct{}{}
	return 0, nil
}

func (n *teller) Report(_ context.Context, o environment.CourseOrder, _ string, _ func(context.Context, string) error) error {
	n.mu.Lock()
	n.told = append(n.told, "order "+o.ID)
	n.mu.Unlock()
	n.more <- struct{}{}
	return nil
}

func (n *teller) wait(t *testing.T, count int) []string {
	t.Helper()
	for range count {
		select {
		case <-n.more:
		case <-time.After(time.Minute):
			t.Fatalf("waited a minute for another telling; so far %v", n.told)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.told...)
}

// start runs an outbox and returns a function that stops it.
func start(t *testing.T, s environment.Store, feed *environment.Feed, n *teller) (stop func()) {
	t.Helper()
	n.more = make(chan struct{}, 100)
	o, err := New(Config{Store: s, Feed: feed, Notifier: n, Parallel: n.parallel, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func put(t *testing.T, s environment.Store, id string, version int64, state environment.State) {
	t.Helper()
	happen(t, s, id, version, state, "")
}

// warn is put for one that is told that it ends soon.
func warn(t *testing.T, s environment.Store, id string, version int64) {
	t.Helper()
	happen(t, s, id, version, environment.StateReady, environment.EventWarned)
}

func happen(t *testing.T, s environment.Store, id string, version int64, state environment.State, kind environment.EventType) {
	t.Helper()
	e := environment.Environment{ID: id, Owner: id, State: state, Version: version}
	err := s.Commit(t.Context(), environment.Change{Environment: &e, Events: []environment.Event{{Environment: id, State: state, Type: kind}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTellsTheStateOfNowAndNothingTwiceAfterARestart(t *testing.T) {
	feed := &environment.Feed{}
	s := environment.Announce(storetest.Open(t), feed)
	put(t, s, "a", 0, environment.StatePending)
	put(t, s, "a", 1, environment.StateReady) // before anybody listened: only the last word counts
	n := &teller{}
	stop := start(t, s, feed, n)
	n.wait(t, 1)
	put(t, s, "b", 0, environment.StatePending)
	got := n.wait(t, 1)
	stop()
	if diff := cmp.Diff([]string{"a/ready", "b/pending"}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}

	put(t, s, "b", 1, environment.StateReady) // while nobody runs
	n = &teller{}
	start(t, s, feed, n)
	if diff := cmp.Diff([]string{"b/ready"}, n.wait(t, 1)); diff != "" {
		t.Errorf("told after the restart (-want +got):\n%s", diff)
	}
}

func TestOneThatCannotBeToldHoldsUpNobodyAndIsToldLater(t *testing.T) {
	feed := &environment.Feed{}
	s := environment.Announce(storetest.Open(t), feed)
	n := &teller{}
	down := true
	var mu sync.Mutex
	tried := make(chan struct{}, 100)
	n.tell = func(_ context.Context, e environment.Environment, _ string, _ func(context.Context, string) error) (time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		if e.ID == "a" && down {
			tried <- struct{}{}
			return 0, &environment.Error{Code: environment.CodeUnavailable, RetryAfter: 10 * time.Millisecond}
		}
		return 0, nil
	}
	stop := start(t, s, feed, n)
	put(t, s, "a", 0, environment.StateReady)
	<-tried
	put(t, s, "b", 0, environment.StateReady)
	n.wait(t, 1)
	<-tried
	stop() // the next process starts again before the one that was not told
	mu.Lock()
	down = false
	mu.Unlock()
	start(t, s, feed, n)
	if got := n.wait(t, 2); got[0] != "b/ready" || !slices.Contains(got, "a/ready") {
		t.Errorf("got %v; want b first, and a in the end", got)
	}
}

// TestAWarningGoesFirst: with room for one at a time, whose end is near is told
// before those that have waited longer, and those in the order in which they came.
func TestAWarningGoesFirst(t *testing.T) {
	feed := &environment.Feed{}
	s := environment.Announce(storetest.Open(t), feed)
	want := []string{"z/ready"}
	for _, id := range []string{"f", "b", "e", "a", "d", "c"} {
		put(t, s, id, 0, environment.StatePending)
		want = append(want, id+"/pending")
	}
	put(t, s, "z", 0, environment.StateReady)
	warn(t, s, "z", 1)
	n := &teller{parallel: 1}
	start(t, s, feed, n)
	if diff := cmp.Diff(want, n.wait(t, len(want))); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestAWarningDoesNotWaitForWhatWasPutOff: an edit that found no room must not
// make a warning late.
func TestAWarningDoesNotWaitForWhatWasPutOff(t *testing.T) {
	feed := &environment.Feed{}
	s := environment.Announce(storetest.Open(t), feed)
	tried := make(chan struct{}, 100)
	n := &teller{tell: func(_ context.Context, e environment.Environment, _ string, _ func(context.Context, string) error) (time.Duration, error) {
		if e.Version > 1 {
			return 0, nil
		}
		tried <- struct{}{}
		return 0, &environment.Error{Code: environment.CodeUnavailable, RetryAfter: time.Hour}
	}}
	start(t, s, feed, n)
	put(t, s, "a", 0, environment.StateReady)
	<-tried
	warn(t, s, "a", 1)
	n.wait(t, 1)
}

func TestMemoryLasts(t *testing.T) {
	feed := &environment.Feed{}
	s := environment.Announce(storetest.Open(t), feed)
	var seen []string
	n := &teller{tell: func(ctx context.Context, _ environment.Environment, memory string, keep func(context.Context, string) error) (time.Duration, error) {
		seen = append(seen, memory)
		return 0, keep(ctx, memory+"x")
	}}
	stop := start(t, s, feed, n)
	put(t, s, "a", 0, environment.StatePending)
	n.wait(t, 1)
	put(t, s, "a", 1, environment.StateReady)
	n.wait(t, 1)
	stop()
	if diff := cmp.Diff([]string{"", "x"}, seen); diff != "" {
		t.Errorf("memories (-want +got):\n%s", diff)
	}
}

// TestTheNextLeaderGoesOn: what one leader told, the next does not tell again.
func TestTheNextLeaderGoesOn(t *testing.T) {
	feed := &environment.Feed{}
	s := environment.Announce(storetest.Open(t), feed)
	one, two := &teller{}, &teller{}
	stopOne := start(t, s, feed, one)
	put(t, s, "a", 0, environment.StateReady)
	put(t, s, "b", 0, environment.StateReady)
	one.wait(t, 2)
	stopOne()
	start(t, s, feed, two)
	put(t, s, "c", 0, environment.StateReady)
	if diff := cmp.Diff([]string{"c/ready"}, two.wait(t, 1)); diff != "" {
		t.Errorf("the second told (-want +got):\n%s", diff)
	}
}

func TestBackOff(t *testing.T) {
	plain := environment.Errorf(environment.CodeUnavailable, "no answer")
	asked := &environment.Error{Code: environment.CodeUnavailable, RetryAfter: 30 * time.Second}
	for _, tt := range []struct {
		fails int
		err   error
		want  time.Duration
	}{{1, plain, 2 * time.Second}, {3, plain, 8 * time.Second}, {50, plain, 30 * time.Second}, {1, asked, 30 * time.Second}} {
		if got := backOff(tt.fails, tt.err); got != tt.want {
			t.Errorf("after %d: got %s; want %s", tt.fails, got, tt.want)
		}
	}
}
