package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	insertEnvironment = `INSERT INTO environments
		(id, owner, course, profile, state, phase, cluster_id, live, created_at, document, version)
		VALUES ($1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $2 + 1)`
	updateEnvironment = `UPDATE environments
		SET owner = $3, course = $4, profile = $5, state = $6, phase = $7, cluster_id = $8, live = $9,
		    created_at = $10, document = $11, version = version + 1
		WHERE id = $1 AND version = $2`
	upsertSecrets = `INSERT INTO environment_secrets (environment, sealed) VALUES ($1, $2)
		ON CONFLICT (environment) DO UPDATE SET sealed = excluded.sealed`
	documentOfEnvironment = `SELECT document FROM environments WHERE id = $1`
	deleteSecrets         = `DELETE FROM environment_secrets WHERE environment = $1`

	selectEnvironment = `SELECT e.id, e.version, e.created_at, e.document, s.sealed
		FROM environments e LEFT JOIN environment_secrets s ON s.environment = e.id `
)

func (s *Store) putEnvironment(ctx context.Context, tx *sql.Tx, e *environment.Environment) error {
	if e == nil {
		return nil
	}
	bare := *e
	bare.Secrets = nil
	document, err := encodeOver(ctx, tx, &s.own, bare, e.Version, documentOfEnvironment, e.ID)
	if err != nil {
		return fmt.Errorf("encode environment %s: %w", e.ID, err)
	}
	err = put(ctx, tx, e.Version, insertEnvironment, updateEnvironment,
		e.ID, e.Version, e.Owner, e.Course, e.Profile, string(e.State), string(e.Phase), e.ClusterID,
		flag(e.State.Live()), micros(e.CreatedAt), document)
	if err != nil {
		return fmt.Errorf("write environment %s: %w", e.ID, err)
	}
	return s.putSecrets(ctx, tx, e.ID, e.Secrets)
}

func (s *Store) putSecrets(ctx context.Context, tx *sql.Tx, id string, secrets environment.Secrets) error {
	if len(secrets) == 0 {
		_, err := tx.ExecContext(ctx, deleteSecrets, id)
		return err
	}
	sealed, err := s.sealer.seal(id, secrets)
	if err != nil {
		return fmt.Errorf("seal the secrets of environment %s: %w", id, err)
	}
	_, err = tx.ExecContext(ctx, upsertSecrets, id, sealed)
	return err
}

// Environment reads one by id, with its secrets.
func (s *Store) Environment(ctx context.Context, id string) (environment.Environment, error) {
	e, _, err := s.scanEnvironment(s.reads.QueryRowContext(ctx, selectEnvironment+"WHERE e.id = $1", id))
	if err != nil {
		return environment.Environment{}, translate(fmt.Errorf("read environment %s: %w", id, err))
	}
	return e, nil
}

// LiveEnvironment finds the one an owner already has; there is at most one.
func (s *Store) LiveEnvironment(ctx context.Context, owner, course, profile string) (environment.Environment, error) {
	const where = "WHERE e.live = 1 AND e.owner = $1 AND e.course = $2 AND e.profile = $3"
	e, _, err := s.scanEnvironment(s.reads.QueryRowContext(ctx, selectEnvironment+where, owner, course, profile))
	if err != nil {
		return environment.Environment{}, translate(fmt.Errorf("read the live environment of %s: %w", owner, err))
	}
	return e, nil
}

// Environments lists, newest first. A Limit of 0 lists all. A cursor names
// the last row of a page, so that rows made in between move nothing; one that
// was not given by this method is CodeInvalid.
func (s *Store) Environments(ctx context.Context, f environment.Filter) ([]environment.Environment, string, error) {
	q, err := filterQuery(f)
	if err != nil {
		return nil, "", err
	}
	text := selectEnvironment + q.where() + " ORDER BY e.created_at DESC, e.id DESC"
	if f.Limit > 0 {
		text += " LIMIT " + q.arg(f.Limit+1) // one more tells whether there is a next page
	}
	found, err := s.listEnvironments(ctx, text, q.args...)
	if err != nil {
		return nil, "", translate(fmt.Errorf("list environments: %w", err))
	}
	next := ""
	if f.Limit > 0 && len(found) > f.Limit {
		found = found[:f.Limit]
		last := found[f.Limit-1]
		next = cursor{last.createdAt, last.ID}.String()
	}
	items := make([]environment.Environment, len(found))
	for i, l := range found {
		items[i] = l.Environment
	}
	return items, next, nil
}

const countLive = `SELECT COUNT(*) FROM environments
	WHERE live = 1 AND ($1 = '' OR owner = $1) AND ($2 = '' OR course = $2)`

// CountLive counts live environments; an empty owner or course matches all.
func (s *Store) CountLive(ctx context.Context, owner, course string) (int, error) {
	var n int
	if err := s.reads.QueryRowContext(ctx, countLive, owner, course).Scan(&n); err != nil {
		return 0, translate(fmt.Errorf("count environments: %w", err))
	}
	return n, nil
}

// Tenants lists the environments on a cluster that may still hold something
// there: not those deleted, nor those that failed and were cleared away.
func (s *Store) Tenants(ctx context.Context, clusterID string) ([]environment.Environment, error) {
	const where = `WHERE e.cluster_id = $1 AND e.cluster_id <> ''
		AND e.state <> 'deleted' AND NOT (e.state = 'failed' AND e.phase = 'gone')
		ORDER BY e.created_at, e.id`
	found, err := s.listEnvironments(ctx, selectEnvironment+where, clusterID)
	if err != nil {
		return nil, translate(fmt.Errorf("list tenants of %s: %w", clusterID, err))
	}
	items := make([]environment.Environment, len(found))
	for i, l := range found {
		items[i] = l.Environment
	}
	return items, nil
}

// listed is an environment with the column its cursor is made of.
type listed struct {
	environment.Environment
	createdAt int64
}

func (s *Store) listEnvironments(ctx context.Context, text string, args ...any) ([]listed, error) {
	rs, err := s.reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return collect(rs, func(r row) (listed, error) {
		e, createdAt, err := s.scanEnvironment(r)
		return listed{e, createdAt}, err
	})
}

func (s *Store) scanEnvironment(r row) (environment.Environment, int64, error) {
	var (
		e         environment.Environment
		id        string
		version   int64
		createdAt int64
		document  string
		sealed    sql.NullString
	)
	if err := r.Scan(&id, &version, &createdAt, &document, &sealed); err != nil {
		return e, 0, err
	}
	if err := s.recipes.decode(document, &e); err != nil {
		return e, 0, fmt.Errorf("decode environment %s: %w", id, err)
	}
	e.Version = version
	if sealed.Valid {
		secrets, err := s.sealer.open(id, sealed.String)
		if err != nil {
			return e, 0, err
		}
		e.Secrets = secrets
	}
	return e, createdAt, nil
}

// query collects conditions and their arguments.
type query struct {
	conditions []string
	args       []any
}

// arg adds an argument and returns its placeholder.
func (q *query) arg(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *query) and(condition string) { q.conditions = append(q.conditions, condition) }

func (q *query) where() string {
	if len(q.conditions) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(q.conditions, " AND ")
}

// oneOf is a condition that holds for any of the values; none of none.
func oneOf[T ~string](q *query, column string, values []T) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = q.arg(string(v))
	}
	return column + " IN (" + strings.Join(places, ", ") + ")"
}

func filterQuery(f environment.Filter) (*query, error) {
	q := &query{}
	if f.Owner != "" {
		q.and("e.owner = " + q.arg(f.Owner))
	}
	switch {
	case f.Course != "" && f.Owner != "": // no plain column: SQLite would go through the whole class for what one of it has
		q.and("e.course || '' = " + q.arg(f.Course))
	case f.Course != "":
		q.and("e.course = " + q.arg(f.Course))
	}
	if f.Courses != nil {
		q.and("(" + oneOf(q, "e.course", f.Courses) + " OR e.owner <> '' AND e.owner = " + q.arg(f.Self) + ")")
	}
	if len(f.States) > 0 {
		q.and(oneOf(q, "e.state", f.States))
	}
	if f.Cursor != "" {
		after, err := parseCursor(f.Cursor)
		if err != nil {
			return nil, err
		}
		q.and("(e.created_at, e.id) < (" + q.arg(after.createdAt) + ", " + q.arg(after.id) + ")")
	}
	return q, nil
}

// cursor is the place of a row in the list. Its text is opaque to clients.
type cursor struct {
	createdAt int64
	id        string
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.createdAt, 10) + " " + c.id))
}

func parseCursor(text string) (cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	at, id, ok := strings.Cut(string(raw), " ")
	createdAt, numErr := strconv.ParseInt(at, 10, 64)
	if err != nil || numErr != nil || !ok {
		return cursor{}, environment.Invalid("cursor", "This cursor was not given by a list; take the value of \"next\" from one, or leave it out to start at the beginning.")
	}
	return cursor{createdAt, id}, nil
}
