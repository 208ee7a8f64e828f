package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// holding is what a daemon holds at a time. Of what is its own, goMB is what Go
// keeps, free room included; the rest is SQLite's.
type holding struct{ rssMB, anonymousMB, goMB, heapMB, goroutines, files, storeMB float64 }

// least is of each thing the lesser.
func (h holding) least(o holding) holding {
	return holding{min(h.rssMB, o.rssMB), min(h.anonymousMB, o.anonymousMB), min(h.goMB, o.goMB), min(h.heapMB, o.heapMB),
		min(h.goroutines, o.goroutines), min(h.files, o.files), min(h.storeMB, o.storeMB)}
}

// lookEvery is how often a minute is looked into. Of a minute counts the least:
// what stays, not what passes through.
const lookEvery = 5 * time.Second

// watchHoldings notes every minute what the daemon held, until ctx ends.
func (k *soaking) watchHoldings(ctx context.Context) error {
	fmt.Println("  minute  rss MB  own MB  Go's MB  heap MB  goroutines  files  store MB  environments")
	for ctx.Err() == nil {
		least, err := k.leastIn(ctx, time.Minute)
		if err != nil {
			return err
		}
		k.minutes = append(k.minutes, least)
		k.mu.Lock()
		lives := len(k.all)
		k.mu.Unlock()
		fmt.Printf("  %6d  %6.1f  %6.1f  %7.1f  %7.2f  %10.0f  %5.0f  %8.2f  %12d\n", len(k.minutes), least.rssMB, least.anonymousMB, least.goMB, least.heapMB, least.goroutines, least.files, least.storeMB, lives)
	}
	return ctx.Err()
}

// leastIn looks for a while.
func (k *soaking) leastIn(ctx context.Context, while time.Duration) (holding, error) {
	least, err := k.holds(ctx)
	for range while / lookEvery {
		if err != nil {
			return least, err
		}
		if err := pause(ctx, lookEvery); err != nil {
			return least, err
		}
		var h holding
		h, err = k.holds(ctx)
		least = least.least(h)
	}
	return least, err
}

// holds looks once: at what the daemon tells of itself, and at its files.
func (k *soaking) holds(ctx context.Context) (holding, error) {
	const mb = 1 << 20
	m, err := metricsOf(ctx, k.daemonURL)
	if err != nil {
		return holding{}, err
	}
	h := holding{rssMB: m["process_resident_memory_bytes"] / mb, heapMB: m["go_gc_heap_live_bytes"] / mb,
		goMB:       (m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"]) / mb,
		goroutines: m["go_goroutines"], files: m["process_open_fds"]}
	if h.rssMB == 0 || h.heapMB == 0 || h.goroutines == 0 || h.files == 0 {
		return h, fmt.Errorf("/metrics tells not enough: %+v", h)
	}
	if h.anonymousMB, err = anonymousMB(k.replicas[0].cmd.Process.Pid); err != nil {
		return h, err
	}
	parts, err := filepath.Glob(k.file() + "*")
	for _, part := range parts {
		if info, err := os.Stat(part); err == nil { // it may just have gone
			h.storeMB += float64(info.Size()) / mb
		}
	}
	return h, err
}

// metricsOf reads the metrics without labels.
func metricsOf(ctx context.Context, address string) (map[string]float64, error) {
	resp, err := open(ctx, http.MethodGet, address+"/metrics", "", nil, "text/plain")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New("metrics: " + resp.Status)
	}
	found := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			found[name] = v
		}
	}
	return found, lines.Err()
}

// warmUp is the share of the time that does not count: caches fill.
const warmUp = 4 // a quarter

// results are how fast each thing grew after the warm-up.
func (k *soaking) results() results {
	counted := k.minutes[len(k.minutes)/warmUp:]
	hourly := func(of func(holding) float64) float64 { return slope(counted, of) * 60 }
	store := hourly(func(h holding) float64 { return h.storeMB })
	hours := k.lasts.Hours()
	got := results{values: map[string]float64{
		"soak.minutes": float64(len(k.minutes)), "soak.environments": float64(len(k.all)), "soak.violations": float64(len(k.wrong)),
		"soak.rss_mb_per_hour":        hourly(func(h holding) float64 { return h.rssMB }),
		"soak.own_mb_per_hour":        hourly(func(h holding) float64 { return h.anonymousMB }),
		"soak.go_mb_per_hour":         hourly(func(h holding) float64 { return h.goMB }),
		"soak.heap_mb_per_hour":       hourly(func(h holding) float64 { return h.heapMB }),
		"soak.goroutines_per_hour":    hourly(func(h holding) float64 { return h.goroutines }),
		"soak.files_per_hour":         hourly(func(h holding) float64 { return h.files }),
		"soak.store_kb_a_environment": store * 1024 * hours / float64(max(len(k.all), 1)),
	}}
	for name, h := range milestones(k.minutes) {
		got.values["soak.rss_mb_"+name], got.values["soak.own_mb_"+name], got.values["soak.goroutines_"+name] = h.rssMB, h.anonymousMB, h.goroutines
	}
	for _, w := range k.wrong[:min(len(k.wrong), 20)] {
		got.notes = append(got.notes, "violation: "+w)
	}
	return got
}

// milestones are what it held at the start, in the middle and at the end.
func milestones(minutes []holding) map[string]holding {
	if len(minutes) == 0 {
		return nil
	}
	return map[string]holding{"start": minutes[0], "middle": minutes[len(minutes)/2], "end": minutes[len(minutes)-1]}
}

// slope is how much a value grows from one to the next: least squares.
func slope(all []holding, of func(holding) float64) float64 {
	n := float64(len(all))
	var x, y, xx, xy float64
	for i, h := range all {
		at, v := float64(i), of(h)
		x, y, xx, xy = x+at, y+v, xx+at*at, xy+at*v
	}
	if n < 2 {
		return 0
	}
	return (n*xy - x*y) / (n*xx - x*x)
}
