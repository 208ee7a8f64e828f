package environment

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var adaptive = Policy{Adaptive: true, Idle: 45 * minute, IdleMin: 15 * minute, IdleMax: 90 * minute, TTL: 12 * time.Hour, MaxTTL: 24 * time.Hour,
	Warnings: []time.Duration{30 * minute, 10 * minute}}

// class has seen so many stop at t0, who came back after a while.
func class(n int, back time.Duration) Habits {
	var h Habits
	for i := range n {
		who := fmt.Sprint(i)
		h.Stopped(who, t0)
		h.Returned(who, t0.Add(back))
	}
	return h
}

func TestIdleLimitIsWhatReturnsSay(t *testing.T) {
	for name, test := range map[string]struct {
		habits Habits
		limit  time.Duration
		says   string
	}{
		"nothing is known":        {Habits{}, 45 * minute, "too little"},
		"two are not enough":      {class(2, 20*minute), 45 * minute, "too little"},
		"all are back in 20m":     {class(30, 20*minute), 21 * minute, "100 % came back within 40m"},
		"all are back in 29m":     {class(30, 29*minute), 30 * minute, "100 %"},
		"nobody comes back":       {class(30, Beyond), 15 * minute, "0 % came back"},
		"all come back too late":  {class(30, 100*minute), 15 * minute, "0 % came back"},
		"an hour would cost more": {class(30, 60*minute), 15 * minute, "0 % came back"},
	} {
		limit, why := IdleLimit(adaptive, test.habits, t0.AddDate(0, 0, 7))
		if limit != test.limit || !strings.Contains(why, test.says) {
			t.Errorf("%s: got %s (%s); want %s with %q", name, limit, why, test.limit, test.says)
		}
	}
}

func TestTheLimitHoldsForAStretchOfIdleness(t *testing.T) {
	u := quiet(0, 20*minute)
	u.Bound(adaptive, class(30, Beyond))
	u.Bound(adaptive, class(30, 20*minute))
	if u.Limit != 15*minute {
		t.Errorf("got %s; want what was learnt first: it may have been announced", u.Limit)
	}
	if j := Judge(adaptive, hub(), u, t0.Add(12*minute)); j.Cause != EndIdle || !j.At.Equal(t0.Add(15*minute)) || !strings.Contains(j.Reason, "0 % came back") {
		t.Errorf("got %+v", j)
	}
	u.Verdict.Is = VerdictActive
	u.Bound(adaptive, Habits{})
	if u.Limit != 0 {
		t.Errorf("in use again: got a limit of %s; want none", u.Limit)
	}
}

func TestHabitsCountEachStopOnce(t *testing.T) {
	var h Habits
	h.Stopped("a", t0)
	if h.Stopped("a", t0.Add(time.Minute)) {
		t.Error("a hub's jitter was taken for another stop")
	}
	h.Stopped("b", t0)
	h.Returned("a", t0.Add(20*minute))
	h.Returned("a", t0.Add(30*minute))
	h.Settle(t0.Add(Beyond))
	total := 0.0
	for _, n := range h.Back[slotOf(t0)] {
		total += n
	}
	if total < 1.9 || total > 2 || len(h.Away) > 0 {
		t.Errorf("got %.2f counted and %v away; want 2 and nobody", total, h.Away)
	}
}
