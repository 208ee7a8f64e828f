package trash_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/trash"
)

func TestBin(t *testing.T) {
	dir := t.TempDir()
	bin, err := trash.New(filepath.Join(dir, "bin"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(dir, "node")
	if err := os.MkdirAll(filepath.Join(node, "lib", "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(node, "lib", "images", "layer"), []byte("x"), 0o400); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is gone already is fine
		if err := bin.Throw(node); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(node); !os.IsNotExist(err) {
		t.Errorf("what was thrown away: %v; want none", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); bin.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		left, err := os.ReadDir(filepath.Join(dir, "bin"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
	}
	cancel()
	<-done
}
