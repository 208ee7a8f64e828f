package main

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// TestCPUOfTreeCountsChildren: a server's work is done by its children, who
// may have ended.
func TestCPUOfTreeCountsChildren(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("CPU time is read from Linux's /proc")
	}
	before, err := cpuOfTree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	after, err := cpuOfTree(os.Getpid())
	if err != nil || after-before < used-3*ticks {
		t.Errorf("got %s, %v; want at least the child's %s", after-before, err, used.Round(time.Millisecond))
	}
}
