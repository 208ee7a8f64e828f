package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	// passLimit ends a pass's context. Passes are short; waiting is done
	// between them.
	passLimit = 2 * time.Minute
	// RescueAfter is when a pass that was begun and did not end is begun anew
	// although its replica lives; a dead one's are taken over within seconds.
	// It must exceed passLimit, or both would work at once.
	RescueAfter = 3 * time.Minute
	// drainLimit is how long Run lets passes finish after its context ended.
	drainLimit = 20 * time.Second
	// pollEvery is the net under the bell: how late a due job starts that
	// another process made due.
	pollEvery = time.Second
	// fetchCooldown gathers jobs that become due together into one fetch.
	fetchCooldown = 20 * time.Millisecond
	// finishLimit bounds the transaction that ends a pass, which is not
	// cancelled with it.
	finishLimit = 15 * time.Second
)

// Run hands due jobs to work until ctx ends, then lets running passes finish
// for up to 20 seconds before it cancels them, and returns nil. It returns an
// error when it cannot start, or when another Run of this Store is going on.
//
// Errors and panics of work are logged here and retried with a back-off of at
// most a minute, for ever; the row decides when to give up.
func (s *Store) Run(ctx context.Context, work environment.Work) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("the queue runs already")
	}
	defer s.running.Store(false)
	if err := s.recover(ctx); err != nil {
		return translate(fmt.Errorf("recover jobs: %w", err))
	}
	if err := s.resume(ctx); err != nil {
		return translate(fmt.Errorf("resume rows: %w", err))
	}
	client, err := s.worker(work)
	if err != nil {
		return fmt.Errorf("prepare the queue: %w", err)
	}
	leave := s.arrive(ctx)
	defer leave()
	if err := client.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return translate(fmt.Errorf("start the queue: %w", err))
	}
	<-client.Stopped()
	return nil
}

// arrive lets other replicas know that this one lives, until leave: longer
// than ctx, since passes may still end after it.
func (s *Store) arrive(ctx context.Context) (leave func()) {
	if s.back.exclusive {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	first, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.attend(ctx, first)
	}()
	<-first
	return func() {
		cancel()
		<-done
	}
}

func (s *Store) worker(work environment.Work) (*river.Client[*sql.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &pass{store: s, work: work}); err != nil {
		return nil, err
	}
	return river.NewClient(s.river, &river.Config{
		ID:                   s.replica,
		Logger:               s.riverLog(),
		Workers:              workers,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: s.workers}},
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    pollEvery,
		JobTimeout:           passLimit,
		RescueStuckJobsAfter: RescueAfter,
		RetryPolicy:          cappedRetry{},
		SoftStopTimeout:      drainLimit,
	})
}

// cappedRetry is for passes whose end could not be written, and for rescued
// ones; other failures are rescheduled by finish.
type cappedRetry struct{}

// NextRetry is River's hook.
func (cappedRetry) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(backoff(job.Attempt))
}

// pass is River's worker.
type pass struct {
	river.WorkerDefaults[look]
	store *Store
	work  environment.Work
}

// Work carries out one pass. What it returns matters only when the end of the
// pass could not be written: River then keeps the job and retries it.
func (p *pass) Work(ctx context.Context, job *river.Job[look]) error {
	log := p.store.log.With("row", string(job.Args.Row), "id", job.Args.ID)
	ctx, before, err := p.store.begin(ctx, job.Args)
	if err != nil {
		return fmt.Errorf("begin a pass over %s %s: %w", job.Args.Row, job.Args.ID, err)
	}
	ctx, cancel := p.store.present.during(ctx)
	defer cancel()
	out := p.carryOut(ctx, job)
	out.cancelled = out.err != nil && errors.Is(ctx.Err(), context.Canceled)

	// The end of a pass is written even when its own time is over.
	ending, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), finishLimit)
	defer cancelEnd()
	wait, err := p.store.finish(ending, job, before, out)
	if err != nil {
		return fmt.Errorf("end a pass over %s %s: %w", job.Args.Row, job.Args.ID, err)
	}
	p.store.bell.ringIn(wait)
	if out.err != nil && !out.cancelled {
		log.WarnContext(ctx, "pass failed", "retry_in", wait, "err", out.err)
	}
	return nil
}

// carryOut calls work and makes a panic an error.
func (p *pass) carryOut(ctx context.Context, job *river.Job[look]) (out outcome) {
	defer func() {
		if r := recover(); r != nil {
			out = outcome{err: fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
		}
	}()
	again, err := p.work(ctx, environment.Job{
		Kind: job.Args.Row, ID: job.Args.ID, Urgency: environment.Urgency(job.Priority),
	})
	return outcome{again: again, err: err}
}

// recover makes the jobs that a crash left running available at once. River
// would do so by their age; with the database to itself, a process that just
// started knows that nobody works on them.
func (s *Store) recover(ctx context.Context) error {
	if !s.back.exclusive {
		return nil
	}
	return s.transaction(ctx, func(tx *sql.Tx) error {
		for _, text := range []string{
			`UPDATE river_job SET state = 'available' WHERE state = 'running'`,
			`DELETE FROM river_leader`,
		} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// unsettled are the rows that are not gone. All of them get a job at the
// start: the queue may have been lost, and a look costs little.
const unsettled = `SELECT 'environment', id FROM environments
		WHERE state <> 'deleted' AND NOT (state = 'failed' AND phase = 'gone')
	UNION ALL SELECT 'cluster', id FROM clusters WHERE state <> 'deleted'
	UNION ALL SELECT kind, id FROM wakeups WHERE kind IN ('course', 'delivery')
	ORDER BY 1, 2`

// resume gives every row that is not gone a job, unless it has one, whose due
// time then stays.
func (s *Store) resume(ctx context.Context) error {
	rs, err := s.reads.QueryContext(ctx, unsettled)
	if err != nil {
		return err
	}
	looks, err := collect(rs, func(r row) (l look, err error) {
		err = r.Scan(&l.Row, &l.ID)
		return l, err
	})
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(looks, 200) {
		err := s.transaction(ctx, func(tx *sql.Tx) error {
			for _, l := range batch {
				if _, err := s.insert(ctx, tx, l, int(environment.UrgencyPerson), 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// riverLog passes on River's warnings and errors; its notes about itself are
// no news.
func (s *Store) riverLog() *slog.Logger {
	return slog.New(atLeast{s.log.Handler(), slog.LevelWarn})
}

// atLeast is a slog.Handler that drops records below a level.
type atLeast struct {
	slog.Handler
	level slog.Level
}

// Enabled reports whether a record of the level is wanted.
func (h atLeast) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs keeps the level.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup keeps the level.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
