//go:build !linux

package storetest

import (
	"errors"
	"testing"
)

// Postgres is a server of the tests' own, where they can start one.
type Postgres struct{}

// StartPostgres starts none.
func StartPostgres() (*Postgres, error) {
	return nil, errors.New("the tests start PostgreSQL on Linux only")
}

// Stop has nothing to end.
func (*Postgres) Stop() {}

// Fresh is never called.
func (*Postgres) Fresh(testing.TB) string { return "" }
