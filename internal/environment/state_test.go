package environment

import (
	"slices"
	"testing"
)

func TestEveryStateIsReachableAndHasAWayOut(t *testing.T) {
	reached := map[State]bool{StatePending: true}
	for range States() {
		for from, to := range transitions {
			if reached[from] {
				for _, s := range to {
					reached[s] = true
				}
			}
		}
	}
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("%s cannot be reached", s)
		}
		if s != StateDeleted && len(transitions[s]) == 0 {
			t.Errorf("%s has no way out", s)
		}
		if !leadsTo(s, StateDeleted) {
			t.Errorf("%s never ends in deleted", s)
		}
	}
	if len(transitions) != len(States()) {
		t.Errorf("the table has %d states; want the %d there are", len(transitions), len(States()))
	}
}

func leadsTo(from, to State) bool {
	seen := map[State]bool{from: true}
	queue := []State{from}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if s == to {
			return true
		}
		for _, n := range transitions[s] {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	return false
}

func TestEveryPhaseThatWaitsHasALimit(t *testing.T) {
	ends := []Phase{PhaseReady, PhaseGone}
	all := append(UpPhases(), PhaseStopping, PhaseExposed, PhaseTeardown, PhaseLeftovers)
	for _, p := range all {
		if p.Limit() <= 0 {
			t.Errorf("%s may last for ever", p)
		}
	}
	for _, p := range ends {
		if p.Limit() != 0 {
			t.Errorf("%s has a limit of %s; want none, nothing is waited for", p, p.Limit())
		}
	}
}

func TestCanBecome(t *testing.T) {
	for _, tt := range []struct {
		from, to State
		want     bool
	}{
		{StatePending, StateReady, false},
		{StatePending, StateCreating, true},
		{StateReady, StateReady, true},
		{StateDeleting, StateReady, false},
		{StateDeleted, StateDeleting, false},
		{StateFailed, StateDeleted, true},
		{State("unheard-of"), StateReady, false},
	} {
		if got := tt.from.CanBecome(tt.to); got != tt.want {
			t.Errorf("%s to %s: got %v; want %v", tt.from, tt.to, got, tt.want)
		}
	}
	if slices.ContainsFunc(States(), func(s State) bool { return s.Live() && s.Terminal() }) {
		t.Error("a state is both live and terminal")
	}
}
