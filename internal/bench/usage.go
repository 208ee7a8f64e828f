package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process took of the machine.
type usage struct{ cpuPercent, rssMB float64 }

// usage watches the daemon for a while.
func (s *stage) usage(ctx context.Context, while time.Duration) (usage, error) {
	pid := s.daemon.cmd.Process.Pid
	before, err := cpuTime(pid)
	if err != nil {
		return usage{}, err
	}
	begin := time.Now()
	if err := pause(ctx, while); err != nil {
		return usage{}, err
	}
	after, err := cpuTime(pid)
	if err != nil {
		return usage{}, err
	}
	percent := 100 * (after - before).Seconds() / time.Since(begin).Seconds()
	rss, err := residentMB(pid)
	return usage{percent, rss}, err
}

// ticks is in what the kernel shows CPU time, on every Linux there is.
const ticks = time.Second / 100

// cpuTime reads what a process has used so far, from Linux's /proc.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time, which is read from /proc: %w", err)
	}
	// The second field is the program's name in parentheses, with any letters.
	_, rest, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is not as expected")
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * ticks, errors.Join(err1, err2)
}

func residentMB(pid int) (float64, error) {
	var kb float64
	_, err := fmt.Sscanf(firstValue(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"), "%f", &kb)
	return kb / 1024, err
}

// loadAverage is how many threads wanted to run over the last minute, 0 where
// the system does not say.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}
