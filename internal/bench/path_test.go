package main

import (
	"testing"
	"time"
)

func TestCriticalPath(t *testing.T) {
	zero := time.Unix(1_000_000_000, 0)
	at := func(s float64) time.Time { return zero.Add(time.Duration(s * float64(time.Second))) }
	w := func(from, to float64) wait { return wait{Kind: "k", Start: at(from), End: at(to)} }
	running := wait{Kind: "k", Start: at(1)}
	tests := map[string]struct {
		waits []wait
		ready float64
		cloud float64
		idle  int
	}{
		"nothing":                  {nil, 10, 0, 1},
		"one after another":        {[]wait{w(1, 4), w(5, 9)}, 10, 7, 3},
		"side by side count once":  {[]wait{w(1, 4), w(2, 3), w(2, 6)}, 10, 5, 2},
		"in any order":             {[]wait{w(5, 9), w(1, 4)}, 10, 7, 3},
		"no gap":                   {[]wait{w(0, 4), w(4, 10)}, 10, 10, 0},
		"began before the request": {[]wait{w(-1, 4)}, 10, 0, 1},
		"still lasts at ready":     {[]wait{w(0, 4), w(2, 11), running}, 10, 4, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cloud, idle := criticalPath(tc.waits, zero, at(tc.ready))
			if want := time.Duration(tc.cloud * float64(time.Second)); cloud != want || len(idle) != tc.idle {
				t.Errorf("got %s and %v; want %s and %d stretches", cloud, idle, want, tc.idle)
			}
			sum := cloud
			for _, s := range idle {
				sum += s.to.Sub(s.from)
			}
			if want := at(tc.ready).Sub(zero); sum != want {
				t.Errorf("the parts sum up to %s; want %s", sum, want)
			}
		})
	}
}
