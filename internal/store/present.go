package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// errDiscard makes database/sql close a connection instead of keeping it.
var errDiscard = driver.ErrBadConn

const (
	// presenceLock is the first half of the lock that each replica holds while
	// it lives; the second half stands for the replica.
	presenceLock = 0x6461736b
	// absentFor is how long a replica must have been missing before another
	// takes over what it was working on: long enough that a database that was
	// restarted is not taken for replicas that died.
	absentFor = 8 * time.Second
	// aloneFor is after how long without the database a replica gives up its
	// passes. It is shorter, so that two never work on the same row.
	aloneFor = 5 * time.Second
)

// seat is the second half of a replica's lock.
func seat(replica string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(replica)) // never fails
	return int32(h.Sum32())         //nolint:gosec // any 32 bits will do
}

// presence tells the other replicas that this one lives, for as long as it can
// reach the database.
type presence struct {
	mu     sync.Mutex
	stop   context.CancelFunc // ends the passes of now
	passes context.Context
}

// during returns a context that ends with ctx, or when this replica has been
// without the database for so long that another takes over.
func (p *presence) during(ctx context.Context) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	passes := p.passes
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	if passes == nil {
		return ctx, cancel
	}
	forget := context.AfterFunc(passes, cancel)
	return ctx, func() { forget(); cancel() }
}

// begin lets passes run; end stops those under way.
func (p *presence) begin(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passes == nil || p.passes.Err() != nil {
		p.passes, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	}
}

func (p *presence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
	}
}

// attend keeps this replica's seat until ctx ends. first is closed once it has
// been taken, or could not be: the queue then starts all the same.
func (s *Store) attend(ctx context.Context, first chan<- struct{}) {
	begun := sync.OnceFunc(func() { close(first) })
	defer begun()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := time.Now()
	for ctx.Err() == nil {
		err := s.sit(ctx, func() {
			s.present.begin(ctx)
			seen = time.Now()
			begun()
		})
		begun()
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "the other replicas cannot see this one", "reason", err.Error())
		}
		if time.Since(seen) > aloneFor {
			s.present.end()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// sit holds the seat until the connection is lost or ctx ends.
func (s *Store) sit(ctx context.Context, seen func()) error {
	conn, leave, err := s.holdOn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	// Two connections of this replica may overlap while the server forgets the
	// first, so the lock is a shared one.
	var alive int
	const take = `SELECT 1 FROM pg_advisory_lock_shared($1, $2)`
	if err := ask(ctx, conn, &alive, take, presenceLock, seat(s.replica)); err != nil {
		return err
	}
	seen()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := ask(ctx, conn, &alive, `SELECT 1`); err != nil {
			return err
		}
		seen()
	}
}

// missing is since when replicas that hold jobs have been missing.
type missing map[string]time.Time

const (
	whoWorks = `SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM river_job WHERE state = 'running'`
	whoLives = `SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	handOver = `UPDATE river_job SET state = 'available' WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`
)

// takeOver makes due what replicas that died were working on.
func (s *Store) takeOver(ctx context.Context, gone *missing) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	working, err := column[sql.NullString](ctx, s.db, whoWorks)
	if err != nil || len(working) == 0 {
		*gone = nil
		return err
	}
	living, err := column[int64](ctx, s.db, whoLives, presenceLock)
	if err != nil {
		return err
	}
	still := missing{}
	for _, w := range working {
		if seated(living, w.String) {
			continue
		}
		since, known := (*gone)[w.String]
		if !known {
			since = time.Now()
		}
		still[w.String] = since
		if time.Since(since) < absentFor {
			continue
		}
		if err := s.handOver(ctx, w.String); err != nil {
			return err
		}
		delete(still, w.String)
	}
	*gone = still
	return nil
}

func (s *Store) handOver(ctx context.Context, replica string) error {
	result, err := s.db.ExecContext(ctx, handOver, replica)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	s.log.WarnContext(ctx, "a replica died; others do what it was working on", "replica", replica, "passes", n)
	s.bell.ring()
	return err
}

// column reads a query's only column.
func column[T any](ctx context.Context, db *sql.DB, text string, args ...any) ([]T, error) {
	rs, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read a column: %w", err)
	}
	return collect(rs, func(r row) (v T, err error) {
		err = r.Scan(&v)
		return v, err
	})
}

// Replica names this process among those on the database.
func (s *Store) Replica() string { return s.replica }

// Lives reports whether a replica lives. It takes absentFor to say that one does
// not, since one that lost its connection is not seen either until it has another.
// On SQLite there is no other.
func (s *Store) Lives(ctx context.Context, replica string) (bool, error) {
	if s.back.exclusive {
		return replica == s.replica, nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for began := time.Now(); ; {
		living, err := column[int64](ctx, s.db, whoLives, presenceLock)
		switch {
		case err != nil:
			return false, translate(fmt.Errorf("look which replicas live: %w", err))
		case seated(living, replica):
			return true, nil
		case time.Since(began) >= absentFor:
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, translate(ctx.Err())
		case <-tick.C:
		}
	}
}

// seated reports whether a replica's lock is among those of the living.
func seated(living []int64, replica string) bool {
	return slices.Contains(living, int64(uint32(seat(replica)))) //nolint:gosec // the server shows it unsigned
}
