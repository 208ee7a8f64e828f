package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSoakTellsStartMiddleAndEnd(t *testing.T) {
	k := &soaking{turmoil: &turmoil{stage: &stage{}}}
	for n := range 9 {
		k.minutes = append(k.minutes, holding{rssMB: float64(60 + n), anonymousMB: 40, goroutines: 100})
	}
	got := k.results().values
	want := map[string]float64{"soak.rss_mb_start": 60, "soak.rss_mb_middle": 64, "soak.rss_mb_end": 68, "soak.own_mb_start": 40, "soak.own_mb_end": 40, "soak.own_mb_per_hour": 0,
		"soak.goroutines_start": 100, "soak.goroutines_middle": 100, "soak.goroutines_end": 100, "soak.goroutines_per_hour": 0}
	for name, v := range want {
		if diff := cmp.Diff(v, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if growth := got["soak.rss_mb_per_hour"]; growth < 59.9 || growth > 60.1 {
		t.Errorf("got a growth of %f MB an hour; want 60", growth)
	}
}
