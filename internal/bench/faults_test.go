package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEveryKindOfFaultHasItsTurn reads which kinds the sandbox can script: one
// that is new there is to strike here, too.
func TestEveryKindOfFaultHasItsTurn(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "sandbox", "internal", "cloud", "faults.go"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z0-9-]+)": `).FindAllSubmatch(text, -1) {
		want = append(want, string(m[1]))
	}
	for _, f := range allFaults {
		got = append(got, f.kind())
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" || len(want) < 20 {
		t.Errorf("kinds of faults (-sandbox +chaos):\n%s", diff)
	}
}

func TestAFaultStruckWhenTheSandboxUsedItUp(t *testing.T) {
	var s script
	now := time.Now()
	s.add(&scripted{id: "f1", kind: "unavailable", times: 3, left: 3})
	s.add(&scripted{id: "f2", kind: "quota", times: 1, left: 1})
	pending := s.pending()
	s.add(&scripted{id: "f3", kind: "slow", times: 2, left: 2}) // the sandbox was asked before it knew of this one
	s.learn(pending, map[string]int{"f1": 1}, now)
	if diff := cmp.Diff(map[string]int{"unavailable": 2, "quota": 1}, s.struck()); diff != "" {
		t.Errorf("struck (-want +got):\n%s", diff)
	}
	if left := s.pending(); len(left) != 2 {
		t.Errorf("%d are pending; want f1 and f3", len(left))
	}
	if missed := s.missed(); slices.Contains(missed, "unavailable") || !slices.Contains(missed, "slow") {
		t.Errorf("missed %v; want slow and not unavailable", missed)
	}
	for _, test := range []struct {
		after time.Duration
		want  []string
	}{{aftermath / 2, []string{"quota"}}, {aftermath, nil}} {
		if diff := cmp.Diff(test.want, s.mortal(now.Add(test.after))); diff != "" {
			t.Errorf("mortal after %s (-want +got):\n%s", test.after, diff)
		}
	}
}

// TestOnlyWhoWasAliveIsExcused: a mortal fault excuses neither who came after
// it nor what it cannot do.
func TestOnlyWhoWasAliveIsExcused(t *testing.T) {
	c := &turmoil{stage: &stage{}}
	before, ended := c.born(0, "before"), c.born(0, "ended")
	c.over(ended, "")
	c.excuseLiving("quota")
	c.script.add(&scripted{id: "f", kind: "quota", times: 1, left: 1})
	during := c.born(0, "during")
	c.script.learn(c.script.pending(), nil, time.Now().Add(-aftermath))
	after := c.born(0, "after")
	type try struct {
		r     *record
		phase string
		want  bool
	}
	check := func(tries ...try) {
		for _, test := range tries {
			if got := c.excused(test.r, test.phase); got != test.want {
				t.Errorf("%s in phase %s: excused %t; want %t", test.r.id, test.phase, got, test.want)
			}
		}
	}
	check(try{before, "cluster", true}, try{before, "install", false}, try{during, "cluster", true}, try{ended, "cluster", false}, try{after, "cluster", false})
	c.excuseLiving(anyCall)
	check(try{before, "install", true}, try{after, "install", true}, try{ended, "install", false})
}

func TestRunsOnBothStoresAddUp(t *testing.T) {
	runs, note := runsOf("    chaos_test.go:9: seed 7\n    chaos_test.go:9: 300 runs with seed 7: map[told:2]\n    chaos_test.go:9: 15 runs with seed 8: map[told:1]\n")
	if want := "300 runs with seed 7: map[told:2]; 15 runs with seed 8: map[told:1]"; runs != 315 || note != want {
		t.Errorf("got %d, %q; want 315, %q", runs, note, want)
	}
}
