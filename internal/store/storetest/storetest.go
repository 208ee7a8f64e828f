package storetest

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/store"
)

// Open returns an empty store on SQLite; what it logs goes to the test.
func Open(tb testing.TB) *store.Store {
	tb.Helper()
	return At(tb, filepath.Join(tb.TempDir(), "daskbot.db"), nil)
}

// At opens the store in a file, anew or again, by a clock; time.Now when that
// is nil. A test that goes on with the file closes the store first.
func At(tb testing.TB, path string, now func() time.Time) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{URL: "sqlite:" + path, Log: slog.New(slog.NewTextHandler(tb.Output(), nil)), Now: now})
	if err != nil {
		tb.Fatalf("open a store: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}
