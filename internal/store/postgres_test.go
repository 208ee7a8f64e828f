package store_test

import (
	"sync"
	"testing"

	"github.com/daskbot/daskbot/internal/store/storetest"
)

// freshPostgres gives the URL of an empty database.
func freshPostgres(tb testing.TB) string {
	tb.Helper()
	server, err := postgres()
	if err != nil {
		storetest.NoPostgres(tb, err)
	}
	return server.Fresh(tb)
}

// postgres starts the server once for all tests.
var postgres = sync.OnceValues(func() (*storetest.Postgres, error) {
	server, err := storetest.StartPostgres()
	if err == nil {
		atExit(server.Stop)
	}
	return server, err
})
