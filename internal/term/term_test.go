package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// one is a term in which only the first student does anything.
func one(uses ...stretch) term {
	var t term
	t[0] = uses
	return t
}

// few is a term of which only the first students are left.
func few(seed uint64, n int) term {
	all := newTerm(seed)
	clear(all[n:])
	return all
}

// at is a use from one time of the first day to another.
func at(from, to time.Duration) stretch { return stretch{from: start.Add(from), to: start.Add(to)} }

func training(from, to time.Duration) stretch {
	u := at(from, to)
	u.alone = true
	return u
}

// unwarned ends everything a time after it is ready, whoever uses it, as the
// baseline with a fixed lifetime does.
func unwarned(d time.Duration) environment.Policy { return environment.Policy{TTL: d, MaxTTL: d} }

// TestEarlyKillsAreCounted: a zero in the table is worth something only if the
// same count is not zero where somebody is cut off, and the same for everybody.
func TestEarlyKillsAreCounted(t *testing.T) {
	const h = time.Hour
	for _, test := range []struct {
		name        string
		uses        []stretch
		early, cold int
	}{
		{"nobody is there at the end", []stretch{at(10*h, 11*h)}, 0, 1},
		{"somebody is, and asks for another", []stretch{at(10*h, 15*h)}, 1, 2},
		{"somebody is, twice", []stretch{at(10*h, 18*h)}, 2, 3},
		{"a training is lost, and nobody asks", []stretch{at(10*h, 11*h), training(11*h, 15*h)}, 1, 1},
		{"a training that is lost is not taken up by the next", []stretch{at(10*h, 11*h), training(11*h, 15*h), at(16*h, 17*h)}, 1, 2},
		{"a training without anything to run in", []stretch{training(9*h, 10*h), at(10*h, 11*h)}, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			over := day(0, 2)
			for name, got := range map[string]outcome{
				"daskbot":      judged(one(test.uses...), unwarned(3*h), 0, over),
				"the baseline": each(lifetime(3*h))(one(test.uses...), over),
			} {
				if got.early != test.early || got.cold != test.cold {
					t.Errorf("%s: got %d ended early and %d cold returns; want %d and %d", name, got.early, got.cold, test.early, test.cold)
				}
			}
		})
	}
}

// TestOneCountForAll: over a whole term daskbot's rules with nothing but a
// lifetime come to what the baseline comes to, but for the minute of a sweep.
func TestOneCountForAll(t *testing.T) {
	trace, over := few(3, 40), day(weeks, 2)
	want := each(lifetime(3*time.Hour))(trace, over)
	got := judged(trace, unwarned(3*time.Hour), 0, over)
	near := func(what string, a, b float64) {
		if a < 0.95*b || a > 1.05*b {
			t.Errorf("%s: got %.0f; want %.0f", what, a, b)
		}
	}
	if want.early == 0 {
		t.Fatal("the baseline cuts nobody off: this test sees nothing")
	}
	near("ended early", float64(got.early), float64(want.early))
	near("cold returns", float64(got.cold), float64(want.cold))
	near("hours", got.alive.Hours(), want.alive.Hours())
}

// TestTheMaximumCutsWhatRuns: what is busy past its deadline is waited for, up
// to the maximum, and losing it then is counted.
func TestTheMaximumCutsWhatRuns(t *testing.T) {
	const h = time.Hour
	p := limits
	p.TTL, p.MaxTTL = 2*h, 4*h
	if got := judged(one(at(10*h, 11*h), training(11*h, 14*h)), p, 0, day(0, 2)); got.early != 0 {
		t.Errorf("done before the maximum: got %d ended early; want none", got.early)
	}
	if got := judged(one(at(10*h, 11*h), training(11*h, 16*h)), p, 0, day(0, 2)); got.early != 1 {
		t.Errorf("at work at the maximum: got %d ended early; want 1", got.early)
	}
}

// TestNobodyIsCutOff is the promise that the table shows.
func TestNobodyIsCutOff(t *testing.T) {
	trace, over := newTerm(2), day(weeks, 2)
	for _, p := range policies {
		if p.name != daskbot && p.name != unscheduled {
			continue
		}
		if got := p.run(trace, over); got.early != 0 {
			t.Errorf("%s: got %d ended while in use; want none", p.name, got.early)
		}
	}
	if each(culler)(trace, over).early == 0 {
		t.Error("not even the culler ends anything that is in use: this test sees nothing")
	}
}

// TestTracesRepeat: a table that comes out differently every time shows
// nothing.
func TestTracesRepeat(t *testing.T) {
	a, again, over := few(7, 20), few(7, 20), day(weeks, 2)
	if !reflect.DeepEqual(a, again) {
		t.Error("the same seed made another term")
	}
	if reflect.DeepEqual(a, few(8, 20)) {
		t.Error("another seed made the same term")
	}
	play := policies[len(policies)-3]
	if play.name != daskbot {
		t.Fatalf("got %s; want daskbot's own rules", play.name)
	}
	if play.run(a, over) != play.run(again, over) {
		t.Error("the same term came out differently")
	}
	for _, uses := range a {
		for i, u := range uses {
			if u.to.Before(u.from) || i > 0 && u.from.Before(uses[i-1].to) {
				t.Fatalf("a use from %s to %s after one to %s: a student does one thing at a time", u.from, u.to, uses[max(i-1, 0)].to)
			}
		}
	}
}
