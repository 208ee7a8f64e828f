package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile(t *testing.T) {
	var hundred []time.Duration
	for n := range 100 {
		hundred = append(hundred, time.Duration(n+1))
	}
	tests := map[string]struct {
		sorted []time.Duration
		q      float64
		want   time.Duration
	}{
		"none":       {nil, 0.5, 0},
		"one":        {[]time.Duration{7}, 0.99, 7},
		"the middle": {hundred, 0.5, 50},
		"late":       {hundred, 0.99, 99},
		"the last":   {hundred, 1, 100},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := quantile(tc.sorted, tc.q); got != tc.want {
				t.Errorf("got %d; want %d", got, tc.want)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	tests := map[string]struct {
		names []string
		want  []string
		fails bool
	}{
		"all":          {nil, []string{"time_to_ready", "time_to_ready_fast", "idle", "fleet", "slack", "lti", "hooks", "term", "probe", "chaos", "upgrade", "scale", "judge"}, false},
		"a benchmark":  {[]string{"idle"}, []string{"idle"}, false},
		"a metric":     {[]string{"api.p99_ms"}, []string{"fleet"}, false},
		"a first part": {[]string{"api", "time_to_ready"}, []string{"time_to_ready", "time_to_ready_fast", "fleet"}, false},
		"nothing":      {[]string{"idle", "tea"}, nil, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			chosen, err := choose(tc.names)
			var got []string
			for _, b := range chosen {
				got = append(got, b.name)
			}
			if diff := cmp.Diff(tc.want, got); (err != nil) != tc.fails || !tc.fails && diff != "" {
				t.Errorf("error %v; -want +got\n%s", err, diff)
			}
		})
	}
}

func TestMiddles(t *testing.T) {
	var shown map[string]json.RawMessage
	answer := `{"preset":"gke","latencies":{"node-boot":{"min":"90s","max":"1m40s"},"disk":{"min":"4s","max":"4s"}}}`
	if err := json.Unmarshal([]byte(answer), &shown); err != nil {
		t.Fatal(err)
	}
	got, err := middles(shown)
	if diff := cmp.Diff(map[string]string{"node-boot": "1m35s", "disk": "4s"}, got); err != nil || diff != "" {
		t.Errorf("error %v; -want +got\n%s", err, diff)
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc here")
	}
	rss, err := residentMB(os.Getpid())
	if err != nil || rss < 1 {
		t.Errorf("got %.1f MB, %v", rss, err)
	}
	if own, err := anonymousMB(os.Getpid()); err != nil || own <= 0 || own >= rss {
		t.Errorf("got %.1f MB of its own of %.1f, %v", own, rss, err)
	}
	if used, err := cpuTime(os.Getpid()); err != nil || used < 0 {
		t.Errorf("got %s, %v", used, err)
	}
}
