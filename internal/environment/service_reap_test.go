package environment

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPausingIsAnEvent: who stopped the reaper, and why, is kept.
func TestPausingIsAnEvent(t *testing.T) {
	s, r := newTestService()
	prof := Caller{Subject: "prof", Role: RoleStaff}
	if _, err := s.Pause(t.Context(), alice, true, ""); CodeOf(err) != CodeForbidden {
		t.Errorf("a student: got %v; want forbidden", err)
	}
	for _, on := range []bool{true, false} {
		state, err := s.Pause(t.Context(), prof, on, " The hubs are ill. ")
		if err != nil || state.Paused != on || state.By != "prof" || state.Reason != "The hubs are ill." {
			t.Errorf("got %+v, %v", state, err)
		}
	}
	want := []Event{
		{At: t0, Type: EventPaused, Actor: "prof", Message: "The reaper is paused: nothing ends by itself.", Detail: "The hubs are ill."},
		{At: t0, Type: EventResumed, Actor: "prof", Message: "The reaper goes on.", Detail: "The hubs are ill."},
	}
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOneMayBeStricterThanPolicy: with an environment a shorter idle limit may
// be asked for, never a longer one; and it says where the limit came from.
func TestOneMayBeStricterThanPolicy(t *testing.T) {
	fixed := Policy{TTL: 4 * time.Hour, MaxTTL: 8 * time.Hour, Idle: 45 * minute}
	learnt := fixed
	learnt.Adaptive, learnt.IdleMin, learnt.IdleMax = true, 15*minute, 90*minute
	for _, test := range []struct {
		name   string
		policy Policy
		idle   time.Duration
		code   Code
		limits map[string]time.Duration // those of the environment's own
	}{
		{"not asked for", fixed, 0, "", nil},
		{"shorter", fixed, 20 * minute, "", map[string]time.Duration{"idle": 20 * minute}},
		{"the same", fixed, 45 * minute, "", nil},
		{"longer", fixed, time.Hour, CodeInvalid, nil},
		{"too short", fixed, 5 * minute, CodeInvalid, nil},
		{"negative", fixed, -time.Hour, CodeInvalid, nil},
		{"without a limit so far", Policy{}, 24 * time.Hour, "", map[string]time.Duration{"idle": 24 * time.Hour}},
		{"where it is learnt: all that may be learnt", learnt, 60 * minute, "", map[string]time.Duration{"idleMax": 60 * minute}},
		{"where it is learnt: shorter than usual", learnt, 20 * minute, "", map[string]time.Duration{"idle": 20 * minute, "idleMax": 20 * minute}},
		{"where it is learnt: longer", learnt, 2 * time.Hour, CodeInvalid, nil},
	} {
		_, r := newTestService()
		e, _, err := budgeted(thrift{policy: test.policy}, r).Up(t.Context(), alice, Request{Idle: test.idle})
		if CodeOf(err) != test.code {
			t.Errorf("%s: got %v; want %q", test.name, err, test.code)
		}
		own := map[string]time.Duration{}
		p := e.Terms.Policy
		for name, limit := range map[string]time.Duration{"idle": p.Idle, "idleMin": p.IdleMin, "idleMax": p.IdleMax} {
			if e.Terms.From[name] == FromEnvironment {
				own[name] = limit
			}
		}
		if len(own)+len(test.limits) > 0 && !maps.Equal(own, test.limits) {
			t.Errorf("%s: got %v; want %v", test.name, own, test.limits)
		}
	}
}
