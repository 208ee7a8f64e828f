package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	nextAudit   = `UPDATE counters SET n = n + 1 WHERE name = 'audit' RETURNING n`
	appendAudit = `INSERT INTO audit (seq, at, actor, role, via, action, object, outcome, request, address)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	readAudit = `SELECT seq, at, actor, role, via, action, object, outcome, request, address FROM audit `
)

var _ environment.AuditLog = (*Store)(nil)

// AppendAudit adds an entry. The error is CodeUnavailable when that is not
// known to have happened.
func (s *Store) AppendAudit(ctx context.Context, a environment.Audited) error {
	return translate(s.transaction(ctx, func(tx *sql.Tx) error { return putAudited(ctx, tx, &a) }))
}

func putAudited(ctx context.Context, tx *sql.Tx, a *environment.Audited) error {
	if a == nil {
		return nil
	}
	var seq int64
	err := tx.QueryRowContext(ctx, nextAudit).Scan(&seq)
	if err == nil {
		_, err = tx.ExecContext(ctx, appendAudit, seq, micros(a.At), a.Actor, string(a.Role), a.Via, a.Action,
			a.Object, a.Outcome, a.Request, a.Address)
	}
	if err != nil {
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}

// ReadAudit lists entries, newest first.
func (s *Store) ReadAudit(ctx context.Context, f environment.AuditFilter) ([]environment.Audited, error) {
	q := &query{}
	for column, want := range map[string]string{"actor": f.Actor, "object": f.Object, "outcome": f.Outcome} {
		if want != "" {
			q.and(column + " = " + q.arg(want))
		}
	}
	if f.Before > 0 {
		q.and("seq < " + q.arg(f.Before))
	}
	text := readAudit + q.where() + " ORDER BY seq DESC LIMIT " + q.arg(f.Limit)
	rs, err := s.reads.QueryContext(ctx, text, q.args...)
	if err != nil {
		return nil, translate(fmt.Errorf("read the audit log: %w", err))
	}
	items, err := collect(rs, scanAudit)
	return items, translate(err)
}

func scanAudit(r row) (a environment.Audited, err error) {
	var at int64
	err = r.Scan(&a.Seq, &at, &a.Actor, &a.Role, &a.Via, &a.Action, &a.Object, &a.Outcome, &a.Request, &a.Address)
	a.At = time.UnixMicro(at).UTC()
	return a, err
}
