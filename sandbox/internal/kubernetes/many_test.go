package kubernetes_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	clusters = flag.Int("clusters", 0, "how many clusters TestManyClusters starts at once")
	idle     = flag.Duration("idle", 20*time.Second, "how long TestManyClusters then looks at them")
)

// TestManyClusters measures what clusters cost: time until ready, memory, and
// CPU when nothing happens.
func TestManyClusters(t *testing.T) {
	if *clusters == 0 {
		t.Skip("measures; run it with -clusters N")
	}
	dir := t.TempDir()
	s := run(t, dir, network(), newCompute(network(), 1000))
	began := time.Now()
	var group sync.WaitGroup
	for i := range *clusters {
		group.Go(func() {
			if _, err := s.Start(t.Context(), spec(fmt.Sprintf("c%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	t.Logf("%d clusters ready after %s", *clusters, time.Since(began).Round(time.Millisecond))
	pids := append(processes(t, dir), os.Getpid())
	before := cpu(pids)
	timer := time.NewTimer(*idle)
	<-timer.C
	after := cpu(pids)
	var total, used float64
	for name, mb := range memory(pids) {
		spent := after[name] - before[name]
		t.Logf("%-28s %7.0f MB %6.2f %% of a core", name, mb, 100*spent/idle.Seconds())
		total, used = total+mb, used+spent
	}
	t.Logf("all: %.0f MB, %.0f MB a cluster, %.1f %% of a core", total, total/float64(*clusters), 100*used/idle.Seconds())
}

// component is the part of a command line that names what runs.
func component(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	parts := bytes.Split(line, []byte{0})
	if len(parts) > 1 && pid != os.Getpid() {
		return string(parts[1])
	}
	return "this process"
}

func memory(pids []int) map[string]float64 {
	all := map[string]float64{}
	for _, pid := range pids {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
				kb, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
				all[component(pid)] += kb / 1024
			}
		}
	}
	return all
}

// cpu is the CPU time used so far, in seconds.
func cpu(pids []int) map[string]float64 {
	all := map[string]float64{}
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			continue
		}
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		all[component(pid)] += (user + system) / 100
	}
	return all
}
