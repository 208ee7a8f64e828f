package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver"

	"github.com/daskbot/daskbot/internal/environment"
)

// backend is what differs between the databases.
type backend struct {
	db, reads *sql.DB
	river     riverdriver.Driver[*sql.Tx]
	shown     riverdriver.Driver[*sql.Tx] // river over reads
	goose     goose.Dialect
	// exclusive says that no other process has this database open, so that
	// jobs found running at the start are what a crash left.
	exclusive bool
	// transient reports errors after which the transaction is worth repeating.
	transient func(error) bool
	// turn waits until a transaction may begin and returns how to end its turn.
	turn func(ctx context.Context) (leave func(), err error)
	// alone runs f while no other process migrates.
	alone func(ctx context.Context, f func(context.Context) error) error
	// snapshot is the isolation of a transaction that reads one moment.
	snapshot sql.IsolationLevel
	// listTables is the query of the names of all tables.
	listTables string
	// held is released last.
	held io.Closer
}

func openBackend(url string) (*backend, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok && path != "" {
		return openSQLite(path)
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(url)
	}
	// The URL is not repeated: it may hold a password.
	return nil, environment.Invalid("store.url", `The URL of the store is neither sqlite:PATH nor postgres://…; for example "sqlite:/var/lib/daskbot/daskbot.db".`)
}

func (b *backend) close() error {
	var errs []error
	if b.reads != b.db {
		errs = append(errs, b.reads.Close())
	}
	errs = append(errs, b.db.Close())
	if b.held != nil {
		errs = append(errs, b.held.Close())
	}
	return errors.Join(errs...)
}
