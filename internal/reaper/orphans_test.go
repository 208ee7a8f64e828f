package reaper

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// sweeper is a scripted Sweeper: what each sweep finds, in turn.
type sweeper struct {
	found []environment.Orphans

	mu   sync.Mutex
	runs []environment.OrphanRun
}

func (s *sweeper) ran() []environment.OrphanRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs
}

func (s *sweeper) SweepOrphans(_ context.Context, run environment.OrphanRun) (environment.Orphans, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, run)
	switch len(s.runs) {
	case 2:
		panic("once")
	case 3:
		return environment.Orphans{}, errors.New("the store is away")
	default:
		return s.found[0], nil
	}
}

func TestOrphansAreSweptOnScheduleAndEveryActIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log strings.Builder
		disk := environment.Resource{Kind: environment.KindDisk, Project: "p", Location: "z", Name: "pvc-1"}
		s := &sweeper{found: []environment.Orphans{{Held: "The reaper is paused.", Unsure: []environment.Unsure{{Project: "q", Reason: "No answer."}},
			Items: []environment.Orphan{{Resource: disk, Action: environment.OrphanDelete, Done: environment.OrphanAsked, Reason: "Its cluster is gone."},
				{Resource: disk, Action: environment.OrphanDelete, Done: environment.OrphanFailed, Err: errors.New("in use")}, {Resource: disk, Action: environment.OrphanWait}}}}}
		o, err := NewOrphans(OrphanConfig{Sweeper: s, Schedule: "0 * * * *", Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- o.Run(ctx) }()
		synctest.Wait()
		if len(s.ran()) > 0 {
			t.Error("it swept at the start")
		}
		for range 4 {
			time.Sleep(time.Hour) // virtual
			synctest.Wait()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(s.ran()) != 4 {
			t.Errorf("got %d sweeps in four hours; want 4", len(s.ran()))
		}
		for _, run := range s.ran() {
			if run != (environment.OrphanRun{}) {
				t.Errorf("the clock's sweep was %+v; want the timid one", run)
			}
		}
		for what, times := range map[string]int{"name=pvc-1": 4, "done=asked": 2, `reason="in use"`: 2, "project=q": 2, "reason=\"The reaper is paused.\"": 2, "store is away": 1, "found=3": 2} {
			if got := strings.Count(log.String(), what); got != times {
				t.Errorf("the log says %s %d times; want %d:\n%s", what, got, times, log.String())
			}
		}
	})
}

func TestABadOrphanScheduleIsRefused(t *testing.T) {
	if _, err := NewOrphans(OrphanConfig{Schedule: "TZ=UTC"}); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want invalid", err)
	}
}
