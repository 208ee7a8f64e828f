package reaper

import (
	"context"
	"errors"
	"io"
	"log/slog"
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

// commands is a scripted Commands.
type commands struct {
	due     []environment.Environment
	broken  map[string]bool
	expired []string
	resyncs int
	panics  bool
}

func (c *commands) Expired(_ context.Context, limit int) ([]environment.Environment, error) {
	if c.panics {
		c.panics = false
		panic("once")
	}
	return c.due[:min(limit, len(c.due))], nil
}

func (c *commands) Expire(_ context.Context, id string) error {
	if c.broken[id] {
		return errors.New("broken")
	}
	c.expired = append(c.expired, id)
	return nil
}

func (c *commands) Resync(context.Context) (int, error) { c.resyncs++; return 7, nil }

func reaper(t *testing.T, c *commands, limit int) *Reaper {
	t.Helper()
	r, err := New(Config{Commands: c, Schedule: "*/5 * * * *", MaxPerRun: limit, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSweepGoesOnAfterAFailureAndStopsAtItsLimit(t *testing.T) {
	c := &commands{due: []environment.Environment{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}}, broken: map[string]bool{"a": true}}
	got := reaper(t, c, 3).Sweep(t.Context())
	if diff := cmp.Diff(Stats{Expired: 2, Failed: 1, Woken: 7, Capped: true}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b", "c"}, c.expired); diff != "" {
		t.Error(diff)
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
