package storetest

import (
	"os"
	"testing"
)

// FreshPostgres gives the URL of an empty database, on a server that ends with
// the test.
func FreshPostgres(tb testing.TB) string {
	tb.Helper()
	p, err := StartPostgres()
	if err != nil {
		NoPostgres(tb, err)
	}
	tb.Cleanup(p.Stop)
	return p.Fresh(tb)
}

// NoPostgres skips a test where no server can be started. Continuous
// integration has one: there nobody reads what was skipped, and the half of the
// store that replicas stand on would go untested.
func NoPostgres(tb testing.TB, why error) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("no PostgreSQL to test with, in continuous integration: %v", why)
	}
	tb.Skipf("no PostgreSQL to test with: %v", why)
}
