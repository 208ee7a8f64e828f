package store

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/daskbot/daskbot/internal/environment"
)

// Load is how much there is, and how much of it waits.
type Load struct {
	// States counts environments that are not deleted.
	States map[environment.State]int
	// Waiting counts jobs that are due and not taken; Working those that are
	// being worked on, by any replica; Later those whose time has not come.
	Waiting, Working, Later int
	// Oldest is for how long the oldest of those waiting is due.
	Oldest time.Duration
}

// Load counts. It reads no row in full, so that it may be asked often.
func (s *Store) Load(ctx context.Context) (Load, error) {
	l := Load{States: map[environment.State]int{}}
	err := s.count(ctx, `SELECT state, COUNT(*) FROM environments WHERE state <> 'deleted' GROUP BY state`, func(state string, n int) {
		l.States[environment.State(state)] = n
	})
	if err != nil {
		return l, translate(fmt.Errorf("count environments: %w", err))
	}
	err = s.count(ctx, `SELECT CAST(state AS TEXT), COUNT(*) FROM river_job GROUP BY 1`, func(state string, n int) {
		switch rivertype.JobState(state) {
		case rivertype.JobStateAvailable, rivertype.JobStateRetryable:
			l.Waiting += n
		case rivertype.JobStateRunning:
			l.Working += n
		case rivertype.JobStateScheduled, rivertype.JobStatePending:
			l.Later += n
		default: // done
		}
	})
	if err != nil {
		return l, translate(fmt.Errorf("count jobs: %w", err))
	}
	if l.Waiting == 0 {
		return l, nil
	}
	first, err := s.inserter.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateAvailable).
		OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).First(1))
	if err != nil {
		return l, translate(fmt.Errorf("look at the oldest job: %w", err))
	}
	for _, job := range first.Jobs {
		l.Oldest = max(0, s.now().Sub(job.ScheduledAt))
	}
	return l, nil
}

// count reads rows of a name and a number.
func (s *Store) count(ctx context.Context, text string, each func(name string, n int)) error {
	rs, err := s.reads.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	_, err = collect(rs, func(r row) (struct{}, error) {
		var name string
		var n int
		err := r.Scan(&name, &n)
		if err == nil {
			each(name, n)
		}
		return struct{}{}, err
	})
	return err
}
