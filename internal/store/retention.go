package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Retention is for how long what is over is kept; zero is for ever.
type Retention struct {
	// Events of environments that are gone, and of none.
	Events time.Duration
	// Deliveries are idempotency keys, what notifiers remember of environments
	// that are gone, and commands for classes that were carried out. Messages of learning platforms have a limit of their own.
	Deliveries time.Duration
}

// Pruned is how many rows were deleted.
type Pruned struct{ Events, Deliveries int64 }

// pruneEvery is how often Keep looks.
const pruneEvery = time.Hour

// Keep deletes what is older than r, at the start and then every hour, until
// ctx ends. Of several replicas the leader runs it. What cannot be deleted is
// logged and tried again.
func (s *Store) Keep(ctx context.Context, r Retention) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		switch gone, err := s.Prune(ctx, r); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.ErrorContext(ctx, "prune what is over", "reason", err.Error())
		case gone != Pruned{}:
			s.log.InfoContext(ctx, "pruned what is over", "events", gone.Events, "deliveries", gone.Deliveries)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Prune deletes what is older than r. What concerns an environment that is
// not gone stays, however old.
func (s *Store) Prune(ctx context.Context, r Retention) (gone Pruned, err error) {
	now := s.now()
	if r.Events > 0 {
		if gone.Events, err = s.pruneEvents(ctx, now.Add(-r.Events)); err != nil {
			return gone, translate(fmt.Errorf("prune events: %w", err))
		}
	}
	if r.Deliveries > 0 {
		if gone.Deliveries, err = s.pruneDeliveries(ctx, now.Add(-r.Deliveries)); err != nil {
			return gone, translate(fmt.Errorf("prune deliveries: %w", err))
		}
	}
	return gone, nil
}

// settled are the environments of which nothing is left.
const settled = `state = 'deleted' OR state = 'failed' AND phase = 'gone'`

func (s *Store) pruneEvents(ctx context.Context, before time.Time) (int64, error) {
	seq, err := s.firstSince(ctx, before)
	if err != nil {
		return 0, err
	}
	return s.delete(ctx, `DELETE FROM events WHERE seq < $1 AND
		(environment = '' OR environment IN (SELECT id FROM environments WHERE `+settled+`))`, seq)
}

// firstSince is the number from which on events are not older than a time.
// Their order is that of time, but for clocks that differ; so it is found by
// halving, without an index on times.
func (s *Store) firstSince(ctx context.Context, at time.Time) (int64, error) {
	var low, high int64
	if err := s.reads.QueryRowContext(ctx, `SELECT COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0) + 1 FROM events`).Scan(&low, &high); err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low)/2
		found, err := s.events(ctx, `SELECT document FROM events WHERE seq >= $1 ORDER BY seq LIMIT 1`, middle)
		if err != nil {
			return 0, err
		}
		if len(found) == 0 || !found[0].At.Before(at) {
			high = middle
		} else {
			low = found[0].Seq + 1
		}
	}
	return low, nil
}

func (s *Store) pruneDeliveries(ctx context.Context, before time.Time) (int64, error) {
	keys, err := s.delete(ctx, `DELETE FROM replays WHERE at < $1`, micros(before))
	if err != nil {
		return keys, err
	}
	memories, err := s.overdueMemories(ctx, before)
	if err != nil {
		return keys, err
	}
	orders, err := s.overdueOrders(ctx, before)
	if err != nil {
		return keys, err
	}
	for _, key := range append(memories, orders...) {
		n, err := s.delete(ctx, `DELETE FROM notes WHERE key = $1`, key)
		if err != nil {
			return keys, err
		}
		keys += n
	}
	return keys, nil
}

// overdueMemories are the notes notify/NOTIFIER/ENVIRONMENT of environments
// that were gone before a time.
func (s *Store) overdueMemories(ctx context.Context, before time.Time) ([]string, error) {
	keys, err := column[string](ctx, s.reads, `SELECT key FROM notes WHERE key LIKE 'notify/%/%'`)
	if err != nil {
		return nil, err
	}
	var overdue []string
	for _, key := range keys {
		id := key[strings.LastIndexByte(key, '/')+1:]
		e, _, err := s.scanEnvironment(s.reads.QueryRowContext(ctx, selectEnvironment+`WHERE e.id = $1 AND (`+settled+`)`, id))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if over(e).Before(before) {
			overdue = append(overdue, key)
		}
	}
	return overdue, nil
}

// overdueOrders are the notes of commands for classes that were over before a
// time, and what notifiers remember of them. One that only told somebody stays:
// it is what keeps them from being told again.
func (s *Store) overdueOrders(ctx context.Context, before time.Time) ([]string, error) {
	ids, err := column[string](ctx, s.reads, `SELECT SUBSTR(key, 7) FROM notes WHERE key LIKE 'order/%'`)
	if err != nil {
		return nil, err
	}
	var overdue []string
	for _, id := range ids {
		order, err := environment.ReadCourseOrder(ctx, s, id)
		if err != nil {
			return nil, err
		}
		command := order.Action == environment.ScheduleUp || order.Action == environment.ScheduleDown
		if !command || order.Done.IsZero() || !order.Done.Before(before) {
			continue
		}
		memories, err := column[string](ctx, s.reads, `SELECT key FROM notes WHERE key LIKE 'notify/%/' || $1`, id)
		if err != nil {
			return nil, err
		}
		overdue = append(append(overdue, memories...), "order/"+id)
	}
	return overdue, nil
}

// over is when an environment that is gone came to its end.
func over(e environment.Environment) time.Time {
	if !e.DeletedAt.IsZero() {
		return e.DeletedAt
	}
	return e.PhaseSince
}

func (s *Store) delete(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}
