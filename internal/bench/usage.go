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

// cpuPer is what the daemon used for each of so many requests, in milliseconds:
// unlike times, that says the same on a machine that others use too.
func (s *stage) cpuPer(count int, work func() error) (float64, error) {
	pid := s.daemon.cmd.Process.Pid
	before, err := cpuTime(pid)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	after, err := cpuTime(pid)
	return ms(after-before) / float64(count), err
}

// ticks is in what the kernel shows CPU time, on every Linux there is.
const ticks = time.Second / 100

// stat are the fields of /proc/PID/stat from the third on.
type stat []string

func statFields(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, fmt.Errorf("CPU time, which is read from /proc: %w", err)
	}
	// The second field is the program's name in parentheses, with any letters.
	_, rest, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return nil, errors.New("/proc/PID/stat is not as expected")
	}
	return fields, nil
}

// cpu adds up the two fields from one on: user and system.
func (s stat) cpu(at int) (time.Duration, error) {
	user, err1 := strconv.Atoi(s[at])
	system, err2 := strconv.Atoi(s[at+1])
	return time.Duration(user+system) * ticks, errors.Join(err1, err2)
}

// cpuTime reads what a process has used so far, from Linux's /proc.
func cpuTime(pid int) (time.Duration, error) {
	s, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	return s.cpu(11)
}

// cpuOfTree is cpuTime of a process with its children, also of those that ended
// and were waited for: a PostgreSQL has one for each connection.
func cpuOfTree(pid int) (time.Duration, error) {
	s, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	own, err1 := s.cpu(11)
	ended, err2 := s.cpu(13)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time of children, which is read from /proc: %w", err)
	}
	total := own + ended
	for _, child := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return 0, err
		}
		if used, err := cpuOfTree(n); err == nil { // it may just have ended
			total += used
		}
	}
	return total, nil
}

func residentMB(pid int) (float64, error) { return memoryMB(pid, "VmRSS") }

// anonymousMB is what the process itself has in memory, without the pages of
// its program, which come as code is first used and go when others need room.
func anonymousMB(pid int) (float64, error) { return memoryMB(pid, "RssAnon") }

func memoryMB(pid int, field string) (float64, error) {
	var kb float64
	_, err := fmt.Sscanf(firstValue(fmt.Sprintf("/proc/%d/status", pid), field), "%f", &kb)
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
