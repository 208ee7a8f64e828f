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
	resyncs int
	panics  bool
}

func (c *commands) Reapable(context.Context) ([]string, error) {
	if c.panics {
		c.panics = false
		panic("once")
	}
	return slices.Sorted(maps.Keys(c.plan)), nil
}

func (c *commands) Consider(_ context.Context, id string, _ bool) (environment.PlanItem, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken[id] {
		return environment.PlanItem{}, errors.New("broken")
	}
	return environment.PlanItem{Environment: environment.Environment{ID: id}, Judgement: c.plan[id]}, nil
}

func (c *commands) Carry(_ context.Context, i environment.PlanItem) (environment.Judgement, error) {
	c.carried = append(c.carried, i.Environment.ID)
	return i.Judgement, nil
}

func (c *commands) Reaper(context.Context) (environment.ReaperState, error) { return c.state, nil }

func (c *commands) Hold(_ context.Context, why string) error { c.state.Held = why; return nil }

func (c *commands) Budgets(context.Context) ([]string, error) { return nil, nil }

func (c *commands) Resync(context.Context) (int, error) { c.resyncs++; return 7, nil }

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
		c := &commands{panics: true} // also at the start
		done := make(chan error)
		go func() { done <- reaper(t, c, 0).Run(ctx) }()
		synctest.Wait()
		if c.panics {
			t.Fatal("it did not sweep at the start; missed runs are not remembered")
		}
		time.Sleep(5 * time.Minute) // virtual
		synctest.Wait()
		c.panics = true
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if c.resyncs != 3 {
			t.Errorf("got %d whole sweeps in 20 minutes, besides two that panicked; want 3", c.resyncs)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
