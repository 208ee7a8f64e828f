package reaper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// spans are those that began and ended, with how.
type spans struct {
	mu    sync.Mutex
	ended []string
}

func (s *spans) span(ctx context.Context, name string, _ ...slog.Attr) (context.Context, func(error)) {
	return ctx, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			name += " failed"
		}
		s.ended = append(s.ended, name)
	}
}

// classes take every occasion, or fail.
type classes struct {
	Classes
	err error
}

func (c classes) Attend(context.Context, environment.Occasion, []string) (environment.Batch, error) {
	return environment.Batch{}, c.err
}

// surveys find nothing.
type surveys struct{}

func (surveys) SweepOrphans(context.Context, environment.OrphanRun) (environment.Orphans, error) {
	return environment.Orphans{}, nil
}

func TestRunsAndSchedulesAreTraced(t *testing.T) {
	var s spans
	r := reaper(t, &commands{}, 1)
	r.Span = s.span
	sweep(t, r, Options{})
	for _, c := range []classes{{}, {err: errors.New("no answer")}} {
		r.Classes = c
		err := r.carryOut(t.Context(), occasion{timetable: timetable{Schedule: Schedule{Name: "lab", Course: "de", Action: environment.ScheduleUp}}, at: time.Now()}, []string{"alice"})
		if !errors.Is(err, c.err) {
			t.Errorf("got %v; want %v", err, c.err)
		}
	}
	o, err := NewOrphans(OrphanConfig{Sweeper: surveys{}, Schedule: "@hourly", Span: s.span, Log: r.Log})
	if err != nil {
		t.Fatal(err)
	}
	o.sweep(t.Context())
	if diff := cmp.Diff([]string{"sweep", "schedule up", "schedule up failed", "orphan sweep"}, s.ended); diff != "" {
		t.Errorf("spans (-want +got)\n%s", diff)
	}
}
