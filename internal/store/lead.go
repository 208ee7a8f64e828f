package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	// leaderLock is an arbitrary number that all replicas agree on.
	leaderLock = 0x6461736b6c656164
	// aloneLock is the first half of the locks of Alone; the name is the second.
	aloneLock = 0x646f6e65
	// lookEvery is how often a replica looks whether it may lead, and a leader
	// whether it still does.
	lookEvery = time.Second
	// answerWithin is how long the database may take to say so. With lookEvery
	// it is less than the server needs to give up a connection that went silent
	// (see holdOn), so that the old leader stops before a new one begins.
	answerWithin = 3 * time.Second
)

// Lead runs f while this process is the leader of the replicas on this
// database, and runs it again whenever it becomes that again. At most one
// replica leads; when it ends or dies another begins within seconds. f's
// context ends when the lead is lost, and nobody else leads before f returned,
// unless this process cannot reach the database: what f writes must therefore
// be compared with what was read, as Commit does.
//
// A leader also hands over at once what replicas that died were working on.
// An SQLite file has one process, which always leads.
//
// It returns nil when ctx ended, and otherwise the error f returned.
func (s *Store) Lead(ctx context.Context, f func(context.Context) error) error {
	if s.back.exclusive {
		return f(ctx)
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		ended, err := s.leadOnce(ctx, f)
		switch {
		case ctx.Err() != nil:
			return nil
		case ended:
			return err
		case err != nil:
			s.log.WarnContext(ctx, "the lead cannot be had or was lost", "reason", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// leadOnce leads once if nobody else does. ended says that f returned by
// itself; another error is the database's.
func (s *Store) leadOnce(ctx context.Context, f func(context.Context) error) (ended bool, err error) {
	conn, leave, err := s.holdOn(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		var mine bool
		if err := ask(ctx, conn, &mine, `SELECT pg_try_advisory_lock($1)`, leaderLock); err != nil {
			return false, err
		}
		if mine {
			break
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-tick.C:
		}
	}
	s.log.InfoContext(ctx, "leading the replicas")
	leading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- f(leading) }()
	err = s.whileHeld(leading, conn, done)
	if errors.Is(err, errReturned) {
		return true, <-done
	}
	stop()
	<-done //nolint:errcheck // it was told to stop; nobody leads before it has
	return false, err
}

// errReturned says that what the leader ran came to its own end.
var errReturned = errors.New("returned")

// whileHeld watches over the lead, and hands over what dead replicas held.
func (s *Store) whileHeld(ctx context.Context, conn *sql.Conn, done chan error) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var gone missing
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-done:
			done <- err
			return errReturned
		case <-tick.C:
		}
		var alive int
		if err := ask(ctx, conn, &alive, `SELECT 1`); err != nil {
			return err
		}
		if err := s.takeOver(ctx, &gone); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "what dead replicas held waits", "reason", err.Error())
		}
	}
}

// holdOn opens a connection whose locks last as long as this process does: the
// server gives them up some nine seconds after the machine went silent, and at
// once when the process ended. leave closes it, and with it gives up its locks.
func (s *Store) holdOn(ctx context.Context) (conn *sql.Conn, leave func(), err error) {
	opening, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	conn, err = s.db.Conn(opening)
	if err != nil {
		return nil, nil, err
	}
	leave = func() {
		// The pool must not keep it: its locks would stay.
		_ = conn.Raw(func(any) error { return errDiscard })
	}
	const keepAlive = `SELECT set_config('tcp_keepalives_idle', '3', false), set_config('tcp_keepalives_interval', '2', false),
		set_config('tcp_keepalives_count', '3', false), set_config('idle_session_timeout', '0', false)`
	if _, err := conn.ExecContext(opening, keepAlive); err != nil {
		leave()
		return nil, nil, err
	}
	return conn, leave, nil
}

// Alone runs f while no other replica runs one under the same name, and waits
// for its turn until ctx ends. Within one process it keeps nobody out.
func (s *Store) Alone(ctx context.Context, name string, f func(context.Context) error) error {
	if s.back.exclusive {
		return f(ctx)
	}
	conn, leave, err := s.holdOn(ctx)
	if err != nil {
		return translate(err)
	}
	defer leave()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1, $2)`, aloneLock, seat(name)); err != nil {
		return translate(err)
	}
	return f(ctx)
}

// ask reads one value within a few seconds.
func ask(ctx context.Context, conn *sql.Conn, into any, text string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return conn.QueryRowContext(ctx, text, args...).Scan(into)
}
