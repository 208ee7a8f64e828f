package environment

import (
	"context"
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
	u.Bound(adaptive, hub(), class(30, Beyond))
	u.Bound(adaptive, hub(), class(30, 20*minute))
	if u.Limit != 15*minute {
		t.Errorf("got %s; want what was learnt first: it may have been announced", u.Limit)
	}
	if j := Judge(adaptive, hub(), u, t0.Add(12*minute)); j.Cause != EndIdle || !j.At.Equal(t0.Add(15*minute)) || !strings.Contains(j.Reason, "0 % came back") {
		t.Errorf("got %+v", j)
	}
	u.Verdict.Is = VerdictActive
	u.Bound(adaptive, hub(), Habits{})
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
	for _, n := range h.Back[h.slotOf(t0)] {
		total += n
	}
	if total < 1.9 || total > 2 || len(h.Away) > 0 {
		t.Errorf("got %.2f counted and %v away; want 2 and nobody", total, h.Away)
	}
}

// awaited has seen a schedule make something ready at t0 for so many, who came
// after a while.
func awaited(n int, late time.Duration) Habits {
	var h Habits
	for i := range n {
		e := hub(func(e *Environment) { e.Owner, e.RequestedBy = fmt.Sprint(i), "schedule:lab" })
		h.Observe(e, true, Use{Activity: Activity{At: t0}, Verdict: Verdict{Is: VerdictIdle, Since: t0}})
		h.Observe(e, false, Use{Ever: true, Activity: Activity{At: t0.Add(late), Signals: []Signal{{Kind: SignalQuiet, Last: t0.Add(late)}}},
			Verdict: Verdict{Is: VerdictActive, Since: t0.Add(late)}})
	}
	return h
}

func TestWhatAScheduleMadeWaitsAsLongAsPeopleWereLate(t *testing.T) {
	p := adaptive
	p.Unused = 2 * time.Hour
	unused := func(e *Environment) { e.RequestedBy = "schedule:lab" }
	asked := func(e *Environment) { e.RequestedBy = "alice" }
	for name, test := range map[string]struct {
		of     func(*Environment)
		habits Habits
		ends   time.Duration
		says   string
	}{
		"nothing is known":              {unused, Habits{}, 2 * time.Hour, "nobody has used it"},
		"all come in time":              {unused, awaited(30, 10*minute), 45 * minute, "100 % came within 45m"},
		"some are an hour late":         {unused, awaited(30, 58*minute), 60 * minute, "100 % came within 1h"},
		"a person's own has its grace":  {asked, awaited(30, 10*minute), 2 * time.Hour, "nobody has used it"},
		"when people leave is not used": {unused, class(30, 20*minute), 2 * time.Hour, "nobody has used it"},
	} {
		e := hub(test.of)
		u := Use{IdleLooks: 2, Activity: Activity{At: t0.Add(10 * minute)}, Verdict: Verdict{Is: VerdictIdle, Since: t0, Reason: "nobody has used it"}}
		u.Bound(p, e, test.habits)
		if j := Judge(p, e, u, t0.Add(10*minute)); j.Cause != EndUnused || !j.At.Equal(t0.Add(test.ends)) || !strings.Contains(j.Reason, test.says) {
			t.Errorf("%s: got %s at %s (%s); want after %s, with %q", name, j.Cause, j.At, j.Reason, test.ends, test.says)
		}
	}
}

func TestHabitsGoByTheClockOfTheCourse(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	// Summer time ends on the 25th of October: noon in Paris is ten and then
	// eleven UTC.
	summer, winter := time.Date(2026, 10, 20, 12, 0, 0, 0, paris), time.Date(2026, 10, 27, 12, 0, 0, 0, paris)
	if a, b := summer.UTC().Hour(), winter.UTC().Hour(); a != 10 || b != 11 {
		t.Fatalf("got %d and %d UTC; want 10 and 11", a, b)
	}
	for name, test := range map[string]struct {
		zone  *time.Location
		limit time.Duration
	}{
		"the course's own":        {paris, 30 * minute},
		"none: it is an hour off": {nil, 45 * minute},
	} {
		h := Habits{Zone: test.zone}
		for i := range 20 {
			h.Stopped(fmt.Sprint(i), summer.UTC())
			h.Returned(fmt.Sprint(i), summer.UTC().Add(29*minute))
		}
		if limit, why := IdleLimit(adaptive, h, winter.UTC()); limit != test.limit {
			t.Errorf("%s: got %s (%s); want %s", name, limit, why, test.limit)
		}
	}
}

func TestTheHourThatComesTwiceIsOne(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	h := Habits{Zone: paris}
	first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // half past two, in summer
	second := first.Add(time.Hour)                          // half past two again
	if h.slotOf(first) != h.slotOf(second) {
		t.Errorf("got slots %d and %d; want one: both are half past two there", h.slotOf(first), h.slotOf(second))
	}
	h.Stopped("a", first)
	h.Returned("a", second)
	if got := h.Back[h.slotOf(first)][int(time.Hour/bin)]; got != 1 {
		t.Errorf("got %v who were away for an hour; want 1: a clock set back shortens no absence", got)
	}
}

// parisian is lecture with a clock of its own.
type parisian struct{ lecture }

func (parisian) Class(_ context.Context, id string) (Course, error) {
	if id == "gone" {
		return Course{}, nothing
	}
	return Course{ID: id, Timezone: "Europe/Paris"}, nil
}

func TestHabitsAreReadWithTheClockOfTheirCourse(t *testing.T) {
	s, _ := newTestService()
	s.roster = newRegistry(parisian{}, s.store)
	for course, want := range map[string]string{"de": "Europe/Paris", "gone": "UTC"} {
		n, err := s.habitsOf(t.Context(), course)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.habits.Zone.String(); got != want {
			t.Errorf("%s: got the clock of %s; want %s", course, got, want)
		}
	}
}
