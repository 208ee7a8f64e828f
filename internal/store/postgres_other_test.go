//go:build !linux

package store_test

import "testing"

func freshPostgres(tb testing.TB) string {
	tb.Helper()
	tb.Skip("the tests start PostgreSQL on Linux only")
	return ""
}
