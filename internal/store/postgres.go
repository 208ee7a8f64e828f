package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	// postgresConnections is enough for 100 workers, which hold one only to
	// begin and to end a pass.
	postgresConnections = 20
	// migrationLock is an arbitrary number that all replicas agree on.
	migrationLock = 0x6461736b626f74
)

// openPostgres prepares the pool; the first use connects. River is used
// through database/sql, and so by polling instead of LISTEN (ADR 17): another replica
// may notice up to a second later, and there is one text of SQL for both
// databases.
func openPostgres(url string) (*backend, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's error is dropped: it may repeat the password.
		return nil, environment.Invalid("store.url", `The URL of the PostgreSQL database cannot be read; for example "postgres://daskbot@localhost:5432/daskbot".`)
	}
	db := stdlib.OpenDB(*cfg)
	jobs := riverdatabasesql.New(db)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return &backend{
		db: db, reads: db, river: jobs, shown: jobs, goose: goose.DialectPostgres,
		transient:  deadlocked,
		snapshot:   sql.LevelRepeatableRead,
		listTables: `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()`,
		turn:       func(context.Context) (func(), error) { return func() {}, nil }, // its transactions run side by side
		alone: func(ctx context.Context, f func(context.Context) error) error {
			return advisoryLocked(ctx, db, f)
		},
	}, nil
}

// advisoryLocked runs f while this session holds the migration lock.
func advisoryLocked(ctx context.Context, db *sql.DB, f func(context.Context) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	defer func() {
		_, unlockErr := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
		err = errors.Join(err, unlockErr)
	}()
	return f(ctx)
}
