package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/daskbot/daskbot/internal/environment"
)

// Condition is how a database is, seen without changing it.
type Condition struct {
	// New: there is no database yet; the daemon makes it when it starts.
	New bool
	// Version of the tables, and the one that this program brings them to.
	Version, Latest int64
	Sealed          Sealed
	// FreeBytes is what is left on the disk of an SQLite file; -1 is unknown.
	FreeBytes int64
	// Now is the clock of a PostgreSQL server; zero for SQLite.
	Now time.Time
}

// Examine looks at a database beside a running daemon: it takes no lock,
// migrates nothing and writes nothing. Errors are as of Open; besides,
// CodeForbidden means that PostgreSQL does not let the account do what the
// daemon has to.
func Examine(ctx context.Context, cfg Config) (Condition, error) {
	c := Condition{FreeBytes: -1, Latest: latestVersion()}
	sealer, err := newSealer(cfg.Key, cfg.OldKeys...)
	if err != nil {
		return c, err
	}
	path, isFile := strings.CutPrefix(cfg.URL, "sqlite:")
	var db *sql.DB
	if isFile {
		c.FreeBytes = freeBytes(filepath.Dir(path))
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			c.New = true
			return c, writable(filepath.Dir(path))
		}
		db, err = sql.Open("sqlite", readOnlyURL(path))
	} else {
		db, err = connectPostgres(cfg.URL)
	}
	if err != nil {
		return c, translate(err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	s := &Store{db: db, reads: db, sealer: sealer}
	if err := s.look(ctx, &c, !isFile); err != nil {
		if pgCode(err) == pgInsufficientPrivilege {
			err = noRights(err)
		}
		return c, translate(err)
	}
	return c, nil
}

// noRights is told to whoever runs daskbot only: for everybody else, a database
// that refuses does not answer.
func noRights(err error) error {
	return &environment.Error{Code: environment.CodeForbidden, Field: "store.url",
		Message: "The database does not let the account of store.url do what the daemon has to.", Err: err}
}

func connectPostgres(url string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the URL cannot be read") // the parser's own error may hold the password
	}
	return stdlib.OpenDB(*cfg), nil
}

func (s *Store) look(ctx context.Context, c *Condition, server bool) error {
	if err := s.reads.PingContext(ctx); err != nil {
		return err
	}
	if server {
		if err := s.reads.QueryRowContext(ctx, `SELECT now()`).Scan(&c.Now); err != nil {
			return err
		}
	}
	err := s.reads.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&c.Version)
	if undefinedTable(err) {
		c.New = true
		return s.mayMakeTables(ctx, server)
	}
	if err != nil {
		return err
	}
	if c.Version < c.Latest {
		return nil // its tables may lack what is looked at below
	}
	c.Sealed, err = s.Seals(ctx)
	return err
}

// mayMakeTables asks a server without tables whether the daemon could make them.
// To an account that may not even look into a schema the tables in it do not
// exist, and there is no current schema.
func (s *Store) mayMakeTables(ctx context.Context, server bool) error {
	if !server {
		return nil
	}
	var may bool
	err := s.reads.QueryRowContext(ctx, `SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&may)
	if err == nil && !may {
		err = noRights(errors.New("it may not make tables in any schema that it finds"))
	}
	return err
}

// latestVersion is the number of the last migration.
func latestVersion() int64 {
	files, err := fs.ReadDir(migrations, "migrations")
	if err != nil || len(files) == 0 {
		return 0
	}
	var n int64
	for _, digit := range strings.SplitN(files[len(files)-1].Name(), "_", 2)[0] {
		n = n*10 + int64(digit-'0')
	}
	return n
}

func freeBytes(dir string) int64 {
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) != nil {
		return -1
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}

// writable reports whether a file could be made in the folder, or the folder
// itself.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			continue
		}
		if err == nil && !info.IsDir() {
			return errors.New(dir + " is no folder")
		}
		if err != nil {
			return err
		}
		return syscall.Access(dir, 2) // W_OK
	}
}
