package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/daskbot/daskbot/internal/environment"
)

// look is River's job: one pass over one row. There is at most one for each
// row, waiting or running.
type look struct {
	Row environment.JobKind `json:"row"`
	ID  string              `json:"id"`
}

// Kind names the job in River's table.
func (look) Kind() string { return "look" }

// unfinished are River's states of a job that still matters. River's own
// default includes completed, which would swallow the next wake-up.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
	rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

const (
	// countWakeup keeps the most urgent wish until the row is settled. The
	// count starts at the time, so that it never repeats a value that a pass
	// remembers from before the count was dropped.
	countWakeup = `INSERT INTO wakeups (kind, id, wanted, tries, urgency, trail) VALUES ($1, $2, $4, 0, $3, $5)
		ON CONFLICT (kind, id) DO UPDATE SET wanted = wakeups.wanted + 1, urgency =
			CASE WHEN excluded.urgency < wakeups.urgency THEN excluded.urgency ELSE wakeups.urgency END,
			trail = CASE WHEN excluded.trail <> '' THEN excluded.trail ELSE wakeups.trail END
		RETURNING urgency`
	readWakeup = `SELECT wanted, trail FROM wakeups WHERE kind = $1 AND id = $2`
	// endWakeup also counts failures in a row, and locks the row on PostgreSQL, so that a wake-up comes
	// either before it, and is seen, or after the next job exists.
	endWakeup = `INSERT INTO wakeups (kind, id, wanted, tries, urgency) VALUES ($1, $2, 0, $3, $4)
		ON CONFLICT (kind, id) DO UPDATE SET tries = CASE WHEN excluded.tries > 0 THEN wakeups.tries + 1 ELSE 0 END
		RETURNING wanted, tries, urgency`
	dropWakeup = `DELETE FROM wakeups WHERE kind = $1 AND id = $2`
)

// soon is how long a wait River's scheduler, which looks every five seconds,
// is too coarse for.
const soon = 10 * time.Second

// makeFetchable lets the fetch itself honour a short wait; it compares
// scheduled_at. River does the same when it snoozes a job for a short while,
// but offers it for no insert.
const makeFetchable = `UPDATE river_job SET state = 'available' WHERE id = $1 AND state = 'scheduled'`

// wake makes the row's job due now, within the caller's transaction. A pass
// that is under way meets the counter at its end and looks again.
func (s *Store) wake(ctx context.Context, tx *sql.Tx, job environment.Job) error {
	var urgency int
	err := tx.QueryRowContext(ctx, countWakeup, string(job.Kind), job.ID, priority(job.Urgency), s.now().UnixMicro(), trailFrom(ctx)).Scan(&urgency)
	if err != nil {
		return err
	}
	result, err := s.insert(ctx, tx, look{job.Kind, job.ID}, urgency, 0)
	if err != nil || !result.UniqueSkippedAsDuplicate {
		return err
	}
	waiting := result.Job
	switch {
	case waiting.State == rivertype.JobStateRunning:
		return nil
	case waiting.Priority > urgency:
		// River cannot change a priority; a new job can have another.
		if _, err := s.inserter.JobDeleteTx(ctx, tx, waiting.ID); err != nil {
			return err
		}
		_, err := s.insert(ctx, tx, look{job.Kind, job.ID}, urgency, 0)
		return err
	case waiting.State == rivertype.JobStateAvailable && !waiting.ScheduledAt.After(s.now()):
		return nil
	default:
		_, err := s.inserter.JobRetryTx(ctx, tx, waiting.ID)
		return err
	}
}

// priority maps an urgency to River's range of 1 to 4.
func priority(u environment.Urgency) int { return int(min(max(u, 1), 4)) }

// insert adds the row's job unless there is one; wait 0 is now.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, args look, urgency int, wait time.Duration) (*rivertype.JobInsertResult, error) {
	opts := &river.InsertOpts{
		MaxAttempts: math.MaxInt16, // the row decides when to give up, not the queue
		Priority:    urgency,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: unfinished},
	}
	if wait > 0 {
		opts.ScheduledAt = s.now().Add(wait)
	}
	result, err := s.inserter.InsertTx(ctx, tx, args, opts)
	if err != nil || wait <= 0 || wait > soon {
		return result, err
	}
	_, err = tx.ExecContext(ctx, makeFetchable, result.Job.ID)
	return result, err
}

// outcome is how a pass ended.
type outcome struct {
	again     time.Duration
	err       error
	cancelled bool // the process is stopping; nobody's fault
}

// begin reads what finish compares with, and whose wish the pass carries out.
// A wake-up before it is answered by this pass, one after it by the next.
func (s *Store) begin(ctx context.Context, args look) (under context.Context, wanted int64, err error) {
	var trail string
	err = s.reads.QueryRowContext(ctx, readWakeup, string(args.Row), args.ID).Scan(&wanted, &trail)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return onTrail(ctx, trail, args), wanted, err
}

// finish ends a pass in one transaction: its job goes, and the next comes if
// there is to be one. It returns how long that waits, and 0 for now or none.
func (s *Store) finish(ctx context.Context, job *river.Job[look], before int64, out outcome) (wait time.Duration, err error) {
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		var after struct{ wanted, tries, urgency int64 }
		failed := out.err != nil && !out.cancelled
		err := tx.QueryRowContext(ctx, endWakeup, string(job.Args.Row), job.Args.ID, flag(failed), job.Priority).
			Scan(&after.wanted, &after.tries, &after.urgency)
		if err != nil {
			return fmt.Errorf("read wake-ups: %w", err)
		}
		if err := s.remove(ctx, tx, job); err != nil {
			return fmt.Errorf("complete job: %w", err)
		}
		woken := after.wanted != before
		if out.err == nil && !woken && out.again <= 0 {
			_, err := tx.ExecContext(ctx, dropWakeup, string(job.Args.Row), job.Args.ID)
			return err
		}
		wait = nextWait(out, woken, int(after.tries))
		_, err = s.insert(ctx, tx, job.Args, int(after.urgency), wait)
		return err
	})
	return wait, err
}

// remove completes the running job and deletes it, so that River's table
// holds only what is still to be done.
func (s *Store) remove(ctx context.Context, tx *sql.Tx, job *river.Job[look]) error {
	if _, err := river.JobCompleteTx[riverdriver.Driver[*sql.Tx]](ctx, tx, job); err != nil {
		return err
	}
	_, err := s.inserter.JobDeleteTx(ctx, tx, job.ID)
	return err
}

// The back-off after errors: 1 s, 2 s, 4 s … up to a minute.
const (
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

func backoff(tries int) time.Duration {
	if tries > 6 {
		return maxBackoff
	}
	return min(firstBackoff<<max(tries-1, 0), maxBackoff)
}

// nextWait says when the row is looked at again. A wake-up cuts the wait
// short; after an error not entirely, or a pass that wakes its own row and
// fails would run without pause.
func nextWait(out outcome, woken bool, tries int) time.Duration {
	switch {
	case out.cancelled:
		return 0
	case out.err != nil && woken:
		return firstBackoff
	case out.err != nil:
		var asked *environment.Error
		if errors.As(out.err, &asked) {
			return max(backoff(tries), asked.RetryAfter)
		}
		return backoff(tries)
	case woken:
		return 0
	default:
		return out.again
	}
}
