package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/daskbot/daskbot/internal/environment"
)

// Commit writes everything in the change, or nothing. It does not alter the
// change: a caller that goes on with a row counts its Version up itself.
//
// CodeConflict means that a row is not at the Version given, that there is a
// live one of its kind already, or that the idempotency key was used before:
// read again and decide again. CodeUnavailable means that nothing is known to
// be written, save when the reply of a distant database was lost.
func (s *Store) Commit(ctx context.Context, change environment.Change) error {
	err := s.transaction(ctx, func(tx *sql.Tx) error { return s.write(ctx, tx, change) })
	if err == nil && len(change.Wake) > 0 {
		s.bell.ring()
	}
	return translate(err)
}

// write keeps one order of tables, so that two transactions on PostgreSQL
// rarely wait for each other in a circle.
func (s *Store) write(ctx context.Context, tx *sql.Tx, change environment.Change) error {
	steps := []func() error{
		func() error { return s.putEnvironment(ctx, tx, change.Environment) },
		func() error { return s.putCluster(ctx, tx, change.Cluster) },
		func() error { return putReplay(ctx, tx, change.Replay) },
		func() error { return s.putToken(ctx, tx, change.Token) },
		func() error { return s.putPeople(ctx, tx, change.Released) },
		func() error { return s.putPerson(ctx, tx, change.Person) },
		func() error { return s.putCourse(ctx, tx, change.Course) },
		func() error { return s.putNote(ctx, tx, change.Note) },
		func() error { return s.putUses(ctx, tx, change.Uses) },
		func() error { return s.wakeAll(ctx, tx, change.Wake) },
		func() error { return s.tellReplicas(ctx, tx, change.Events) }, // at the commit; asked for before others have to wait
		func() error { return putAudited(ctx, tx, change.Audited) },    // its counter is locked from here on, like that of events
		func() error { return s.append(ctx, tx, change.Events, change.Duration) },
		func() error { return within(ctx, tx, change.Within) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) wakeAll(ctx context.Context, tx *sql.Tx, jobs []environment.Job) error {
	jobs = slices.SortedFunc(slices.Values(jobs), func(a, b environment.Job) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	for _, job := range jobs {
		if err := s.wake(ctx, tx, job); err != nil {
			return fmt.Errorf("wake %s %s: %w", job.Kind, job.ID, err)
		}
	}
	return nil
}

// put inserts at version 0 and otherwise updates, compared by version. The
// first two arguments of both statements are id and version.
func put(ctx context.Context, tx *sql.Tx, version int64, insert, update string, args ...any) error {
	if version == 0 {
		_, err := tx.ExecContext(ctx, insert, args...)
		return err
	}
	result, err := tx.ExecContext(ctx, update, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return conflict(nil)
}

// within counts what is live with this change in it. Changes with limits carry
// an event, so each waits its turn for the counter of events: two that are
// written at once see each other here.
func within(ctx context.Context, tx *sql.Tx, bounds []environment.Bound) error {
	for _, b := range bounds {
		var n int
		if err := tx.QueryRowContext(ctx, countLive, b.Owner, b.Course).Scan(&n); err != nil {
			return fmt.Errorf("count environments: %w", err)
		}
		if n > b.Max {
			return b.Refusal
		}
	}
	return nil
}

// append gives events and samples their numbers. It comes last because the
// counter stays locked until the transaction ends.
func (s *Store) append(ctx context.Context, tx *sql.Tx, events []environment.Event, sample *environment.Duration) error {
	need := int64(len(events))
	if sample != nil {
		need++
	}
	if need == 0 {
		return nil
	}
	var last int64
	const take = `UPDATE counters SET n = n + $1 WHERE name = 'seq' RETURNING n`
	if err := tx.QueryRowContext(ctx, take, need).Scan(&last); err != nil {
		return fmt.Errorf("number events: %w", err)
	}
	seq := last - need
	for _, event := range events {
		seq++
		event.Seq = seq
		if event.At.IsZero() {
			event.At = s.now().UTC()
		}
		if err := putEvent(ctx, tx, event); err != nil {
			return err
		}
	}
	if sample != nil {
		return putSample(ctx, tx, last, *sample)
	}
	return nil
}
