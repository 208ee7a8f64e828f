package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// keptSamples is how many durations are kept for each key: enough for a
// median, few enough to follow a change.
const keptSamples = 50

const (
	insertEvent  = `INSERT INTO events (seq, environment, cluster, document) VALUES ($1, $2, $3, $4)`
	insertReplay = `INSERT INTO replays (caller, key, fingerprint, environment, at) VALUES ($1, $2, $3, $4, $5)`
	insertToken  = `INSERT INTO tokens (id, hash, created_at, document, version) VALUES ($1, $3, $4, $5, $2 + 1)`
	updateToken  = `UPDATE tokens SET hash = $3, created_at = $4, document = $5, version = version + 1
		WHERE id = $1 AND version = $2`
	insertSample = `INSERT INTO samples (key, seq, nanos) VALUES ($1, $2, $3)`
	pruneSamples = `DELETE FROM samples WHERE key = $1 AND seq NOT IN
		(SELECT seq FROM samples WHERE key = $1 ORDER BY seq DESC LIMIT $2)`
)

func putEvent(ctx context.Context, tx *sql.Tx, event environment.Event) error {
	document, err := encode(event)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	_, err = tx.ExecContext(ctx, insertEvent, event.Seq, event.Environment, event.Cluster, document)
	return err
}

// Events lists what happened to an environment after a sequence number,
// oldest first; a limit of 0 lists all.
func (s *Store) Events(ctx context.Context, environmentID string, after int64, limit int) ([]environment.Event, error) {
	const text = `SELECT document FROM events WHERE environment = $1 AND seq > $2 ORDER BY seq LIMIT $3`
	return s.events(ctx, text, environmentID, after, atMost(limit))
}

// EventsSince lists what happened to anything after a sequence number, oldest
// first; a limit of 0 lists all. Numbers become visible in order, so that a
// reader that goes on from the last one misses none.
func (s *Store) EventsSince(ctx context.Context, after int64, limit int) ([]environment.Event, error) {
	return s.events(ctx, `SELECT document FROM events WHERE seq > $1 ORDER BY seq LIMIT $2`, after, atMost(limit))
}

func atMost(limit int) int {
	if limit <= 0 {
		return math.MaxInt32
	}
	return limit
}

func (s *Store) events(ctx context.Context, text string, args ...any) ([]environment.Event, error) {
	rs, err := s.reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, translate(fmt.Errorf("list events: %w", err))
	}
	items, err := collect(rs, func(r row) (event environment.Event, err error) {
		err = scanDocument(r, &event)
		return event, err
	})
	return items, translate(err)
}

func scanDocument(r row, noun any) error {
	var document string
	if err := r.Scan(&document); err != nil {
		return err
	}
	return decode(document, noun)
}

func putReplay(ctx context.Context, tx *sql.Tx, r *environment.Replay) error {
	if r == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, insertReplay, r.Caller, r.Key, r.Fingerprint, r.Environment, micros(r.At))
	return err
}

// Replay finds what an idempotency key already made. The caller compares the
// fingerprint.
func (s *Store) Replay(ctx context.Context, caller, key string) (environment.Replay, error) {
	r := environment.Replay{Caller: caller, Key: key}
	var at int64
	const text = `SELECT fingerprint, environment, at FROM replays WHERE caller = $1 AND key = $2`
	if err := s.reads.QueryRowContext(ctx, text, caller, key).Scan(&r.Fingerprint, &r.Environment, &at); err != nil {
		return environment.Replay{}, translate(fmt.Errorf("read replay: %w", err))
	}
	if at != 0 {
		r.At = time.UnixMicro(at).UTC()
	}
	return r, nil
}

func (s *Store) putToken(ctx context.Context, tx *sql.Tx, t *environment.Token) error {
	if t == nil {
		return nil
	}
	document, err := encodeOver(ctx, tx, &s.own, *t, t.Version, `SELECT document FROM tokens WHERE id = $1`, t.ID)
	if err != nil {
		return fmt.Errorf("encode token %s: %w", t.ID, err)
	}
	return put(ctx, tx, t.Version, insertToken, updateToken, t.ID, t.Version, t.Hash, micros(t.CreatedAt), document)
}

// Token finds one by the hash of its secret part, also when it is revoked.
func (s *Store) Token(ctx context.Context, hash string) (environment.Token, error) {
	t, err := scanToken(s.reads.QueryRowContext(ctx, `SELECT version, document FROM tokens WHERE hash = $1`, hash))
	if err != nil {
		return environment.Token{}, translate(fmt.Errorf("read token: %w", err))
	}
	return t, nil
}

// Tokens lists all, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]environment.Token, error) {
	rs, err := s.reads.QueryContext(ctx, `SELECT version, document FROM tokens ORDER BY created_at, id`)
	if err != nil {
		return nil, translate(fmt.Errorf("list tokens: %w", err))
	}
	items, err := collect(rs, scanToken)
	return items, translate(err)
}

func scanToken(r row) (environment.Token, error) {
	var (
		t        environment.Token
		version  int64
		document string
	)
	if err := r.Scan(&version, &document); err != nil {
		return t, err
	}
	err := decode(document, &t)
	t.Version = version
	return t, err
}

func putSample(ctx context.Context, tx *sql.Tx, seq int64, d environment.Duration) error {
	if _, err := tx.ExecContext(ctx, insertSample, d.Key, seq, int64(d.Took)); err != nil {
		return fmt.Errorf("write sample: %w", err)
	}
	_, err := tx.ExecContext(ctx, pruneSamples, d.Key, keptSamples)
	return err
}

// Took lists the durations last recorded for a key, newest first, at most 50.
func (s *Store) Took(ctx context.Context, key string) ([]time.Duration, error) {
	rs, err := s.reads.QueryContext(ctx, `SELECT nanos FROM samples WHERE key = $1 ORDER BY seq DESC`, key)
	if err != nil {
		return nil, translate(fmt.Errorf("read durations of %s: %w", key, err))
	}
	items, err := collect(rs, func(r row) (time.Duration, error) {
		var nanos int64
		err := r.Scan(&nanos)
		return time.Duration(nanos), err
	})
	return items, translate(err)
}
