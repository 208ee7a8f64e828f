package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

const upsertUse = `INSERT INTO uses (environment, document) VALUES ($1, $2)
	ON CONFLICT (environment) DO UPDATE SET document = excluded.document`

// anyVersion is for rows that are written over whatever is there.
const anyVersion = -1

func (s *Store) putUses(ctx context.Context, tx *sql.Tx, uses []environment.Use) error {
	for _, use := range uses {
		document, err := encodeOver(ctx, tx, &s.own, use, anyVersion, `SELECT document FROM uses WHERE environment = $1`, use.Environment)
		if err != nil {
			return fmt.Errorf("encode the use of %s: %w", use.Environment, err)
		}
		if _, err := tx.ExecContext(ctx, upsertUse, use.Environment, document); err != nil {
			return fmt.Errorf("write the use of %s: %w", use.Environment, err)
		}
	}
	return nil
}

// usesAtOnce bounds the placeholders of one query; both databases take more.
const usesAtOnce = 500

// Uses reads what is remembered of the use of environments; those of which
// nothing is are left out.
func (s *Store) Uses(ctx context.Context, ids []string) (map[string]environment.Use, error) {
	found := make(map[string]environment.Use, len(ids))
	for len(ids) > 0 {
		some := ids[:min(len(ids), usesAtOnce)]
		ids = ids[len(some):]
		if err := s.uses(ctx, some, found); err != nil {
			return nil, translate(fmt.Errorf("read uses: %w", err))
		}
	}
	return found, nil
}

func (s *Store) uses(ctx context.Context, ids []string, into map[string]environment.Use) error {
	places, args := make([]string, len(ids)), make([]any, len(ids))
	for i, id := range ids {
		places[i], args[i] = "$"+strconv.Itoa(i+1), id
	}
	rs, err := s.reads.QueryContext(ctx, `SELECT document FROM uses WHERE environment IN (`+strings.Join(places, ", ")+`)`, args...)
	if err != nil {
		return err
	}
	all, err := collect(rs, func(r row) (use environment.Use, err error) {
		err = scanDocument(r, &use)
		return use, err
	})
	for _, use := range all {
		into[use.Environment] = use
	}
	return err
}
