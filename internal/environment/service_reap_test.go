package environment

import (
	"context"
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

// given is a Prober that sees what it is told.
type given func(Probe) Signal

func (f given) Probe(_ context.Context, p Probe) (Activity, map[string]string) {
	return Activity{At: p.Now, Signals: []Signal{f(p)}}, nil
}

// reaped is one environment, ready since t0, under a reaper of its own.
type reaped struct {
	*testing.T
	s   *Service
	r   *rows
	now time.Time
}

func newReaped(t *testing.T, p Policy, sees given) *reaped {
	_, r := newTestService()
	w := &reaped{T: t, r: r, now: t0}
	w.s = NewService(ServiceConfig{Store: standing{r}, Feed: &Feed{}, Catalogue: shelf{}, Roster: lecture{}, Clusters: gates{}, Given: anyCluster{},
		Prober: sees, Installation: "test", Now: func() time.Time { return w.now }})
	r.envs["e1"] = hub(func(e *Environment) {
		e.Owner, e.ClusterID, e.Version, e.ExpiresAt = "alice", "c1", 1, t0.Add(p.TTL)
		e.Terms = Terms{Policy: p, From: map[string]string{"ttl": "default"}}
	})
	return w
}

func (w *reaped) consider() PlanItem {
	w.Helper()
	item, err := w.s.Consider(w.Context(), "e1", false)
	if err != nil {
		w.Fatal(err)
	}
	return item
}

func (w *reaped) carry(item PlanItem) Judgement {
	w.Helper()
	j, err := w.s.Carry(w.Context(), item)
	if err != nil {
		w.Fatal(err)
	}
	return j
}

// until sweeps once a minute up to so long after t0, or until it is ended, and
// counts what its owner was told.
func (w *reaped) until(after time.Duration) (told map[EventType]int) {
	w.Helper()
	seen := len(w.r.events)
	for w.now.Before(t0.Add(after)) && w.r.envs["e1"].Desired == Present {
		w.now = w.now.Add(time.Minute)
		if item := w.consider(); item.Judgement.Action == ReapWarn || item.Judgement.Action == ReapDelete || item.Judgement.Revive {
			w.carry(item)
		}
	}
	told = map[EventType]int{}
	for _, ev := range w.r.events[seen:] {
		told[ev.Type]++
	}
	return told
}

// TestAnExtensionPastTheDeadlineCounts: work may go on past the deadline, and
// then an hour more is an hour from now.
func TestAnExtensionPastTheDeadlineCounts(t *testing.T) {
	w := newReaped(t, judged, func(p Probe) Signal {
		return Signal{Source: "hub", Kind: SignalQuiet, Last: earliest(p.Now, t0.Add(6*time.Hour+20*minute))}
	})
	w.until(6*time.Hour + 31*minute)
	e, err := w.s.Extend(t.Context(), alice, "e1", time.Hour, 0)
	if err != nil || !e.ExpiresAt.Equal(w.now.Add(time.Hour)) || !e.KeepUntil.Equal(w.now.Add(time.Hour)) {
		t.Fatalf("got %v, an end at %s and a lease until %s; want both an hour after %s", err, e.ExpiresAt, e.KeepUntil, w.now)
	}
	if w.until(7*time.Hour + 30*minute); w.r.envs["e1"].Desired != Present {
		t.Errorf("it was ended at %s", w.now)
	}
}

// TestAHubThatFailsNowAndThen: who was told of an end is not told that it goes
// on, and then of an end again, since one look in three failed.
func TestAHubThatFailsNowAndThen(t *testing.T) {
	p := judged
	p.TTL, p.MaxTTL = 24*time.Hour, 24*time.Hour
	for _, every := range []int{2, 3, 6} {
		looks := 0
		w := newReaped(t, p, func(Probe) Signal {
			if looks++; looks%every == 0 {
				return Signal{Source: "hub", Kind: SignalUnknown, Message: "the hub does not answer"}
			}
			return Signal{Source: "hub", Kind: SignalQuiet, Last: t0.Add(20 * minute)}
		})
		told := w.until(12 * time.Hour)
		if told[EventWarned] > 2 || told[EventKept] != 0 || told[EventStopping] != 1 || w.now.After(t0.Add(80*minute)) {
			t.Errorf("one look in %d fails: %v until %s; want at most two warnings, and its end soon after an hour", every, told, w.now.Sub(t0))
		}
	}
}

// TestALateWarningIsNoDeletion: a run over many takes so long that the end to be
// warned of has come; whoever came back meanwhile is seen first.
func TestALateWarningIsNoDeletion(t *testing.T) {
	last := t0.Add(50 * minute)
	w := newReaped(t, judged, func(Probe) Signal { return Signal{Source: "hub", Kind: SignalQuiet, Last: last} })
	w.until(92 * minute)
	e := w.r.envs["e1"]
	e.Ending = &Ending{At: t0.Add(95 * minute), Cause: EndIdle, Lead: 30 * minute, ToldAt: t0.Add(65 * minute)}
	w.r.envs["e1"] = e
	item := w.consider()
	if item.Judgement.Action != ReapWarn {
		t.Fatalf("got %+v; want the second warning", item.Judgement)
	}
	last, w.now = t0.Add(93*minute), t0.Add(96*minute)
	if j := w.carry(item); j.Action != ReapKeep || w.r.envs["e1"].Desired != Present {
		t.Errorf("got %s (%s); want it kept until somebody looks", j.Action, j.Reason)
	}
}
