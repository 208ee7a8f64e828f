package reaper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestParseSchedule(t *testing.T) {
	for _, good := range []string{"*/5 * * * *", "0 22 * * 1-5", "@hourly", "@every 10m", "CRON_TZ=Europe/Paris 0 8 * * *"} {
		if _, err := ParseSchedule(good); err != nil {
			t.Errorf("%q: %v; want it accepted", good, err)
		}
	}
	// The second and third make the library panic.
	for _, bad := range []string{"", "TZ=UTC", "CRON_TZ=UTC", "* * * *", "61 * * * *", "0 0 30 2 *", "TZ=Nowhere/Land 0 8 * * *", "every day"} {
		if _, err := ParseSchedule(bad); environment.CodeOf(err) != environment.CodeInvalid {
			t.Errorf("%q: got %v; want invalid", bad, err)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	f.Add("*/5 * * * *")
	f.Add("TZ=UTC")
	f.Fuzz(func(t *testing.T, line string) {
		s, err := ParseSchedule(line)
		if err == nil && s == nil {
			t.Errorf("%q: neither a schedule nor an error", line)
		}
	})
}

// commands is a scripted Commands: what Consider says of each, by id.
type commands struct {
	mu      sync.Mutex
	plan    map[string]environment.Judgement
	broken  map[string]bool
	carried []string
	state   environment.ReaperState
	resyncs atomic.Int32
	panics  atomic.Bool
	dark    func(id string) bool // does not answer for as long as it is asked; nil: all do
	asked   []string
	acted   func() // after an act; nil for nothing
}

func (c *commands) Reapable(context.Context) ([]string, error) {
	if c.panics.Swap(false) {
		panic("once")
	}
	return slices.Sorted(maps.Keys(c.plan)), nil
}

func (c *commands) Consider(ctx context.Context, id string, _ bool) (environment.PlanItem, error) {
	if ctx.Err() == nil && c.dark != nil && c.dark(id) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return environment.PlanItem{}, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, id)
	if c.broken[id] {
		return environment.PlanItem{}, errors.New("broken")
	}
	return environment.PlanItem{Environment: environment.Environment{ID: id}, Judgement: c.plan[id]}, nil
}

func (c *commands) Recall(_ context.Context, id string) (environment.PlanItem, error) {
	return environment.PlanItem{Environment: environment.Environment{ID: id, ReadyAt: t0}, Judgement: c.plan[id]}, nil
}

func (c *commands) Carry(_ context.Context, i environment.PlanItem) (environment.Judgement, error) {
	c.carried = append(c.carried, i.Environment.ID)
	if c.acted != nil {
		c.acted()
	}
	return i.Judgement, nil
}

func (c *commands) Reaper(context.Context) (environment.ReaperState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, nil
}

func (c *commands) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Paused = false
}

func (c *commands) Hold(_ context.Context, why string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Held = why
	return nil
}

func (c *commands) Budgets(context.Context) ([]string, error) { return nil, nil }

func (c *commands) Resync(context.Context) (int, error) { c.resyncs.Add(1); return 7, nil }

func reaper(t *testing.T, c *commands, limit int) *Reaper {
	t.Helper()
	r, err := New(Config{Commands: c, Schedule: "*/5 * * * *", MaxPerRun: limit, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ends(cause environment.EndCause, after time.Duration) environment.Judgement {
	return environment.Judgement{Action: environment.ReapDelete, Cause: cause, At: t0.Add(after)}
}

func sweep(t *testing.T, r *Reaper, o Options) Report {
	t.Helper()
	report, err := r.Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestSweepGoesOnAfterAFailureAndStopsAtItsLimit(t *testing.T) {
	c := &commands{broken: map[string]bool{"a": true}, plan: map[string]environment.Judgement{
		"a": {}, "late": ends(environment.EndDeadline, time.Hour), "first": ends(environment.EndDeadline, 0), "second": ends(environment.EndIdle, time.Minute),
		"told": {Action: environment.ReapWarn, At: t0}, "kept": {Action: environment.ReapKeep, Revive: true}, "quiet": {Action: environment.ReapKeep}}}
	got := sweep(t, reaper(t, c, 2), Options{})
	if got.Deleted != 2 || got.Warned != 1 || got.Failed != 1 || got.Waiting != 1 || got.Woken != 7 {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"first", "second", "kept", "told"}, c.carried); diff != "" {
		t.Error(diff)
	}
}

// TestThoseThatDoNotAnswerLeaveTimeToAct: forty hang for as long as they are
// asked, more than are asked at once.
func TestThoseThatDoNotAnswerLeaveTimeToAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &commands{plan: map[string]environment.Judgement{"idle": ends(environment.EndIdle, 0), "old": ends(environment.EndMaximum, 0), "told": {Action: environment.ReapWarn, At: t0}}}
		for i := range 40 {
			c.plan[fmt.Sprintf("dark%02d", i)] = environment.Judgement{Action: environment.ReapKeep}
		}
		c.dark = func(id string) bool { return strings.HasPrefix(id, "dark") }
		r := reaper(t, c, 0)
		run := func() Report {
			ctx, cancel := context.WithTimeout(t.Context(), r.Timeout)
			defer cancel()
			began := time.Now()
			report, err := r.Sweep(ctx, Options{})
			if took := time.Since(began); err != nil || took > r.Timeout/2 {
				t.Fatalf("got %v after %s; want half of %s spent looking", err, took, r.Timeout)
			}
			return report
		}
		got := run()
		if diff := cmp.Diff([]string{"old", "told"}, c.carried); diff != "" || got.Failed > 0 || len(got.Items) != len(c.plan) {
			t.Errorf("%d failed of %d: %s", got.Failed, len(got.Items), diff)
		}
		for _, item := range got.Items {
			if j := item.Judgement; item.Environment.ID == "idle" && (j.Action != environment.ReapSkip || j.Skip != environment.SkipLate) {
				t.Errorf("nobody looked at the idle one, and it is %+v; want it left", j)
			}
		}
		c.carried = nil
		if run(); !slices.Contains(c.asked, "idle") || !slices.Contains(c.carried, "idle") {
			t.Errorf("the next run looked at %v and ended %v; want it to begin with the idle one", c.asked, c.carried)
		}
	})
}

func TestSweepDoesNothingWhenDryOrPaused(t *testing.T) {
	for _, test := range []struct {
		name   string
		paused bool
		dry    bool
	}{{"dry", false, true}, {"paused", true, false}} {
		c := &commands{plan: map[string]environment.Judgement{"a": ends(environment.EndDeadline, 0)}, state: environment.ReaperState{Paused: test.paused}}
		got := sweep(t, reaper(t, c, 0), Options{Dry: test.dry})
		if len(c.carried) > 0 || got.Deleted > 0 || got.Items[0].Judgement.Action != environment.ReapDelete || got.Paused != test.paused {
			t.Errorf("%s: got %v and %+v; want the plan and nothing done", test.name, c.carried, got)
		}
	}
}

// TestAPauseHoldsForARunThatHasBegun: a run takes minutes.
func TestAPauseHoldsForARunThatHasBegun(t *testing.T) {
	c := &commands{plan: map[string]environment.Judgement{"a": ends(environment.EndDeadline, 0), "b": ends(environment.EndDeadline, time.Minute)}}
	c.acted = func() { c.state.Paused = true }
	got := sweep(t, reaper(t, c, 0), Options{})
	if got.Deleted != 1 || len(c.carried) != 1 || got.Items[1].Judgement.Skip != environment.SkipPaused {
		t.Errorf("got %d ended (%v), the other %+v; want one, and the other left", got.Deleted, c.carried, got.Items[1].Judgement)
	}
}

func TestTooManyIdleAtOnceWaitForAPerson(t *testing.T) {
	c := &commands{plan: map[string]environment.Judgement{"over": ends(environment.EndDeadline, 0)}}
	for i := range 12 {
		c.plan[fmt.Sprintf("idle%d", i)] = ends(environment.EndIdle, 0)
	}
	r := reaper(t, c, 0)
	got := sweep(t, r, Options{})
	if diff := cmp.Diff([]string{"over"}, c.carried); diff != "" || !strings.Contains(c.state.Held, "12 of 13") {
		t.Errorf("held %q: %s", got.Held, diff)
	}
	if got := sweep(t, r, Options{Confirmed: true}); got.Deleted != 13 || c.state.Held != "" {
		t.Errorf("confirmed: got %d ended, held %q; want 13", got.Deleted, c.state.Held)
	}
	for i := range 20 {
		c.plan[fmt.Sprintf("busy%d", i)] = environment.Judgement{Action: environment.ReapKeep}
	}
	if got := sweep(t, r, Options{}); got.Deleted != 13 || got.Held != "" {
		t.Errorf("12 of 33: got %d ended, held %q; want 13", got.Deleted, got.Held)
	}
}

func TestRunSweepsAtOnceThenOnScheduleAndSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &commands{}
		c.panics.Store(true) // also at the start
		done := make(chan error)
		go func() { done <- reaper(t, c, 0).Run(ctx) }()
		synctest.Wait()
		if c.panics.Load() {
			t.Fatal("it did not sweep at the start; missed runs are not remembered")
		}
		time.Sleep(5 * time.Minute) // virtual
		synctest.Wait()
		c.panics.Store(true)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if c.resyncs.Load() != 3 {
			t.Errorf("got %d whole sweeps in 20 minutes, besides two that panicked; want 3", c.resyncs.Load())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestALookWaitsForNobody: while a run is under way, and it may be for minutes,
// whoever only asks what would be done is answered.
func TestALookWaitsForNobody(t *testing.T) {
	r := reaper(t, &commands{plan: map[string]environment.Judgement{"a": ends(environment.EndDeadline, 0)}}, 10)
	began, goOn := make(chan struct{}), make(chan struct{})
	r.Alone = func(ctx context.Context, f func(context.Context) error) error {
		close(began)
		<-goOn
		return f(ctx)
	}
	run := make(chan error, 1)
	go func() {
		_, err := r.Sweep(t.Context(), Options{})
		run <- err
	}()
	<-began
	looked := make(chan error, 1)
	go func() {
		_, err := r.Sweep(t.Context(), Options{Dry: true})
		looked <- err
	}()
	select {
	case err := <-looked:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a dry run waits for the run that is under way")
	}
	close(goOn)
	// And now beside it: the race detector sees what both touch.
	if _, err := r.Sweep(t.Context(), Options{Dry: true}); err != nil {
		t.Error(err)
	}
	if err := <-run; err != nil {
		t.Error(err)
	}
}
