package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config says which database to open, and how.
type Config struct {
	// URL is sqlite:PATH or postgres://….
	URL string
	Log *slog.Logger
	// Workers is how many passes run at once in this process; 100 when 0.
	Workers int
	// Now is the clock for due times and for events without one; time.Now
	// when nil.
	Now func() time.Time
	// Key encrypts secrets at rest with AES-GCM; 16 or 32 bytes. When empty
	// they are stored in the clear, protected by the database's own access
	// control (the mode 0600 of an SQLite file).
	Key []byte
	// OldKeys open what was encrypted before; see Reseal.
	OldKeys [][]byte
}

// defaultWorkers suits work that mostly waits for other machines.
const defaultWorkers = 100

// Store is environment.Store and environment.Queue on one database.
type Store struct {
	db    *sql.DB // writes; on SQLite a single connection
	reads *sql.DB // the same database; on SQLite connections of their own
	back  *backend

	river riverdriver.Driver[*sql.Tx]
	bell  *bell
	// inserter puts jobs into the caller's transaction and never works any.
	inserter *river.Client[*sql.Tx]
	sealer   sealer
	log      *slog.Logger
	workers  int
	now      func() time.Time
	running  atomic.Bool
	arrivals arrivals
	recipes  recipes
	courses  courses
	own      own
	// replica names this process among those on the database.
	replica string
	present presence
}

var (
	_ environment.Store = (*Store)(nil)
	_ environment.Queue = (*Store)(nil)
)

// Open opens the database, creates it if it is SQLite and absent, and brings
// its tables up to date. It starts no goroutines of its own; call Run for
// jobs to be carried out and Close at the end.
//
// It returns a CodeInvalid error for a URL or key that cannot be used, a
// CodeConflict one when another process holds the SQLite file, and
// CodeUnavailable when the database does not answer.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	sealer, err := newSealer(cfg.Key, cfg.OldKeys...)
	if err != nil {
		return nil, err
	}
	back, err := openBackend(cfg.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: back.db, reads: back.reads, back: back, sealer: sealer,
		bell: newBell(), log: cfg.Log, workers: cfg.Workers, now: cfg.Now, replica: rand.Text(),
	}
	s.river = belled{back.river, s.bell}
	if s.workers == 0 {
		s.workers = defaultWorkers
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(translate(err), s.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	var err error
	s.inserter, err = river.NewClient(s.river, &river.Config{Logger: s.riverLog()})
	return err
}

// Close releases the database. Run must have returned.
func (s *Store) Close() error { return s.back.close() }

// Ping reports whether the database answers; the error is CodeUnavailable.
func (s *Store) Ping(ctx context.Context) error { return translate(s.reads.PingContext(ctx)) }

// transaction runs f in one transaction and, when the database chose it as
// the victim of a deadlock, runs it again from the beginning.
func (s *Store) transaction(ctx context.Context, f func(tx *sql.Tx) error) error {
	var err error
	for range 5 {
		if err = s.attempt(ctx, f); !s.back.transient(err) {
			return err
		}
	}
	return err
}

func (s *Store) attempt(ctx context.Context, f func(tx *sql.Tx) error) error {
	leave, err := s.back.turn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // without effect after a commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
