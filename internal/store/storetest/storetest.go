package storetest

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/daskbot/daskbot/internal/store"
)

// Open returns an empty store on SQLite; what it logs goes to the test.
func Open(tb testing.TB) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{URL: "sqlite:" + filepath.Join(tb.TempDir(), "daskbot.db"),
		Log: slog.New(slog.NewTextHandler(tb.Output(), nil))})
	if err != nil {
		tb.Fatalf("open a store: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}
