package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	insertNote = `INSERT INTO notes (key, value, sealed, version) VALUES ($1, $3, $4, $2 + 1)`
	updateNote = `UPDATE notes SET value = $3, sealed = $4, version = version + 1 WHERE key = $1 AND version = $2`
)

// noteSecret names a note's secret in its sealed form.
const noteSecret = "secret"

// noteSeal is what a note's secret is sealed for: it opens under no other key.
func noteSeal(key string) string { return "note/" + key }

func (s *Store) putNote(ctx context.Context, tx *sql.Tx, n *environment.Note) error {
	if n == nil {
		return nil
	}
	sealed := ""
	if !n.Secret.IsZero() {
		var err error
		if sealed, err = s.sealer.seal(noteSeal(n.Key), environment.Secrets{noteSecret: n.Secret}); err != nil {
			return fmt.Errorf("seal note: %w", err)
		}
	}
	return put(ctx, tx, n.Version, insertNote, updateNote, n.Key, n.Version, n.Value, sealed)
}

// Note reads what was noted under a key. A secret that cannot be opened, as
// when store.key was changed, is CodeUnavailable.
func (s *Store) Note(ctx context.Context, key string) (environment.Note, error) {
	n := environment.Note{Key: key}
	const text = `SELECT value, sealed, version FROM notes WHERE key = $1`
	var sealed string
	if err := s.reads.QueryRowContext(ctx, text, key).Scan(&n.Value, &sealed, &n.Version); err != nil {
		return environment.Note{}, translate(fmt.Errorf("read note: %w", err))
	}
	if sealed == "" {
		return n, nil
	}
	secrets, err := s.sealer.open(noteSeal(key), sealed)
	if err != nil {
		return environment.Note{}, &environment.Error{Code: environment.CodeUnavailable,
			Message: "A stored secret cannot be read; the people who run daskbot must check store.key.", Err: err}
	}
	n.Secret = secrets[noteSecret]
	return n, nil
}
