package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/daskbot/daskbot/internal/environment"
)

// PostgreSQL's codes that mean something to a caller.
const (
	pgUniqueViolation       = "23505"
	pgSerializationFailure  = "40001"
	pgDeadlockDetected      = "40P01"
	pgUndefinedTable        = "42P01"
	pgInsufficientPrivilege = "42501"
)

// translate turns whatever the database said into an *environment.Error. It
// is the one place where that happens; every exported method ends in it.
func translate(err error) error {
	var known *environment.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return &environment.Error{Code: environment.CodeNotFound, Message: "There is no such thing.", Err: err}
	case duplicate(err):
		return conflict(err)
	case errors.Is(err, context.Canceled):
		return &environment.Error{Code: environment.CodeUnavailable, Message: "The request was given up before it was carried out.", Err: err}
	default:
		return &environment.Error{Code: environment.CodeUnavailable, Message: "daskbot's database does not answer at the moment; try again in a minute.", Err: err}
	}
}

func conflict(err error) error {
	return &environment.Error{Code: environment.CodeConflict, Message: "Somebody else changed this at the same moment; look at it again and repeat what is still wanted.", Err: err}
}

// duplicate reports whether err is a violated unique index.
func duplicate(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return pgCode(err) == pgUniqueViolation
}

// undefinedTable reports whether a query named a table that there is not.
func undefinedTable(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) { // SQLite has no code of its own for it
		return lite.Code() == lib.SQLITE_ERROR && strings.Contains(lite.Error(), "no such table")
	}
	return pgCode(err) == pgUndefinedTable
}

// pgCode is PostgreSQL's code of an error, "" for any other.
func pgCode(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// noDatabase reports whether SQLite was given a file that is none of its own.
func noDatabase(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code() == lib.SQLITE_NOTADB
}

// deadlocked reports whether PostgreSQL ended a transaction that can succeed
// unchanged when it is run again.
func deadlocked(err error) bool {
	code := pgCode(err)
	return code == pgSerializationFailure || code == pgDeadlockDetected
}
