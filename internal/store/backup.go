package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// Backup writes the store at cfg.URL, which may be in use, to a new file: an
// SQLite database of one moment, whatever it comes from. Secrets stay sealed
// with the store's key, which is not in it. The file appears whole or not at
// all; its folder must exist. CodeConflict means that the file exists.
func Backup(ctx context.Context, cfg Config, file string) (err error) {
	if _, err := os.Stat(file); err == nil {
		return environment.Errorf(environment.CodeConflict, "There is a file %s already; a backup does not overwrite another.", file)
	}
	// In a folder of its own, so that journals and locks go with it.
	dir, err := os.MkdirTemp(filepath.Dir(file), ".daskbot-backup-")
	if err != nil {
		return unwritable(file, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	part := filepath.Join(dir, "part")
	if path, ok := strings.CutPrefix(cfg.URL, "sqlite:"); ok {
		err = vacuum(ctx, path, part)
	} else {
		err = copyOut(ctx, cfg, part)
	}
	if err != nil {
		return translate(err)
	}
	if err := toDisk(part); err != nil {
		return unwritable(file, err)
	}
	return os.Rename(part, file)
}

func unwritable(file string, err error) error {
	return &environment.Error{Code: environment.CodeUnavailable, Message: fmt.Sprintf("The file %s cannot be written.", file), Err: err}
}

// vacuum lets SQLite copy a file that another process may be using.
func vacuum(ctx context.Context, path, part string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return &environment.Error{Code: environment.CodeNotFound, Field: "store.url", Message: fmt.Sprintf("There is no database file %s.", path), Err: err}
	}
	empty, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := empty.Close(); err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", sqliteURL(abs, "deferred"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, part)
	return err
}

// copyOut copies a PostgreSQL database into a new file.
func copyOut(ctx context.Context, cfg Config, part string) (err error) {
	back, err := openBackend(cfg.URL) // not Open: a backup migrates nothing
	if err != nil {
		return err
	}
	from := &Store{db: back.db, reads: back.reads, back: back}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := Open(ctx, Config{URL: "sqlite:" + part, Log: cfg.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err := from.CopyTo(ctx, to); err != nil {
		return err
	}
	_, err = to.db.ExecContext(ctx, `PRAGMA journal_mode = DELETE`) // all in one file
	return err
}

// toDisk makes the file survive a power cut before it gets its name.
func toDisk(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore reads a backup into the empty store at cfg.URL, bringing it up to
// date; the file stays as it is. What was made in the cloud after the backup
// is not known then: the orphan sweep finds it. CodeConflict means that the
// store is not empty, CodeInvalid that the file is no backup.
func Restore(ctx context.Context, cfg Config, file string) (copied Copied, err error) {
	dir, err := os.MkdirTemp("", "daskbot-restore-")
	if err != nil {
		return nil, unwritable(os.TempDir(), err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// A copy: opening it brings its tables up to date.
	backup := filepath.Join(dir, "backup")
	if err := copyFile(file, backup); err != nil {
		return nil, &environment.Error{Code: environment.CodeNotFound, Message: fmt.Sprintf("The backup %s cannot be read.", file), Err: err}
	}
	if err := isStore(ctx, backup, file); err != nil {
		return nil, err
	}
	return copyAll(ctx, Config{URL: "sqlite:" + backup, Log: cfg.Log}, cfg)
}

// Migrate copies one store into another, which must be empty. Neither may be
// in use by a daemon; for SQLite that is enforced. CodeNotFound means that there
// is no such SQLite file to copy, CodeInvalid that it holds no store.
func Migrate(ctx context.Context, from, to Config) (copied Copied, err error) {
	if path, ok := strings.CutPrefix(from.URL, "sqlite:"); ok {
		if err := isStore(ctx, path, path); err != nil {
			return nil, err
		}
	}
	return copyAll(ctx, from, to)
}

// isStore refuses a file that never was a store, and that opening would make
// one: everything in it would then arrive, which is nothing, and whoever moves
// on from there has lost the record of what costs money. The error calls the
// file by name.
func isStore(ctx context.Context, path, name string) error {
	if _, err := os.Stat(path); err != nil {
		return &environment.Error{Code: environment.CodeNotFound, Message: fmt.Sprintf("There is no file %s, or it may not be read.", name), Err: err}
	}
	db, err := sql.Open("sqlite", readOnlyURL(path))
	if err != nil {
		return translate(err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	var tables int
	err = db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'`).Scan(&tables)
	if tables == 0 && (err == nil || noDatabase(err)) {
		return &environment.Error{Code: environment.CodeInvalid, Message: fmt.Sprintf("The file %s holds no store of daskbot's, and nothing was copied; is it the right one?", name), Err: err}
	}
	return translate(err)
}

func copyAll(ctx context.Context, from, to Config) (copied Copied, err error) {
	source, err := Open(ctx, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := Open(ctx, to)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return source.CopyTo(ctx, target)
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
