package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/daskbot/daskbot/internal/environment"
)

// readConnections let lists and streams be read while a write is under way.
const readConnections = 4

// openSQLite creates the file with mode 0600 if it is absent and locks it
// against other processes.
func openSQLite(path string) (*backend, error) {
	path, err := createFile(path)
	if err != nil {
		return nil, &environment.Error{Code: environment.CodeUnavailable, Field: "store.url",
			Message: fmt.Sprintf("The database file %s cannot be created or opened; check that its folder exists and may be written.", path), Err: err}
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	writes, err := openPrepared(sqliteURL(path, "immediate"))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	// River's driver and SQLite itself want a single writer.
	writes.SetMaxOpenConns(1)
	reads, err := openPrepared(sqliteURL(path, "deferred") + "&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writes.Close(), lock.Close())
	}
	reads.SetMaxOpenConns(readConnections)
	reads.SetMaxIdleConns(readConnections)
	return &backend{
		db: writes, reads: reads, river: riversqlite.New(writes), shown: riversqlite.New(reads), goose: goose.DialectSQLite3, exclusive: true,
		transient:  func(error) bool { return false },
		turn:       new(turns).take,
		alone:      func(ctx context.Context, f func(context.Context) error) error { return f(ctx) },
		listTables: `SELECT name FROM sqlite_schema WHERE type = 'table'`,
		held:       lock,
	}, nil
}

// sqliteURL asks for WAL, so that readers and the writer do not wait for each
// other, and for full synchronisation: a row must survive a power cut before
// money is spent on it. Each connection caches a MiB of pages, half of what it
// would by itself: the system keeps the file's pages too, once for all.
func sqliteURL(path, txlock string) string {
	u := url.URL{Scheme: "file", Path: path}
	return u.String() + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=cache_size(-1024)&_txlock=" + txlock
}

// readOnlyURL is of a file that is only looked at, and never made. In an address
// the first part of a path that begins here would be a host.
func readOnlyURL(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u := url.URL{Scheme: "file", Path: path}
	return u.String() + "?mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"
}

// createFile makes the file before SQLite does, because SQLite would make it,
// and the journals that take over its mode, readable for everyone. It returns
// the path without symbolic links, so that two names of one file are one lock.
func createFile(path string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return path, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return path, err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return path, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	return filepath.EvalSymlinks(abs)
}

// lockFile takes a lock that ends with the process, however that ends. It is
// a file of its own: closing any handle of the database file would drop
// SQLite's own locks on it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &environment.Error{Code: environment.CodeUnavailable, Field: "store.url",
			Message: fmt.Sprintf("The lock file %s.lock cannot be created.", path), Err: err}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&environment.Error{Code: environment.CodeConflict, Field: "store.url",
			Message: fmt.Sprintf("Another daskbot is using the database %s; stop it, or give this one a database of its own.", path), Err: err}, f.Close())
	}
	return f, nil
}
