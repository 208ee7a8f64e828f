package process_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/process"
)

func TestRunStartsAgainAndEnds(t *testing.T) {
	dir := t.TempDir()
	marks := filepath.Join(dir, "marks")
	// The first life ends at once, the second one stays.
	script := `echo x >> "$0"; [ $(wc -l < "$0") -ge 2 ] && exec tail -f /dev/null; exit 3`
	p := &process.Process{Name: "child", Argv: []string{"/bin/sh", "-c", script, marks}, Log: filepath.Join(dir, "log")}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, slog.New(slog.DiscardHandler)) }()
	pid := 0
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		data, _ := os.ReadFile(marks)
		if pid = p.PID(); strings.Count(string(data), "x") >= 2 && pid != 0 {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}

func TestRunReportsWhatCannotStart(t *testing.T) {
	p := &process.Process{Name: "child", Argv: []string{"/no/such/program"}, Log: filepath.Join(t.TempDir(), "log")}
	if err := p.Run(t.Context(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a program that does not exist was started")
	}
}
