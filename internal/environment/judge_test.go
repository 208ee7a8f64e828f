package environment

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const minute = time.Minute

var judged = Policy{TTL: 4 * time.Hour, MaxTTL: 8 * time.Hour, Idle: 45 * minute, Unused: 2 * time.Hour, MaxBusy: 3 * time.Hour,
	Warnings: []time.Duration{30 * minute, 10 * minute}}

// hub is an environment that has been ready since t0.
func hub(edit ...func(*Environment)) Environment {
	e := Environment{ID: "e1", Desired: Present, State: StateReady, ReadyAt: t0, CreatedAt: t0, ExpiresAt: t0.Add(4 * time.Hour)}
	for _, f := range edit {
		f(&e)
	}
	return e
}

func classOver(e *Environment) { e.ClassOver = t0.Add(time.Hour) }

func left(at time.Duration) func(*Environment) {
	return func(e *Environment) { e.CourseEnd = &CourseEnd{At: t0.Add(at), Cause: EndLeft} }
}

func told(cause EndCause, at, lead time.Duration) func(*Environment) {
	return func(e *Environment) { e.Ending = &Ending{At: t0.Add(at), Cause: cause, Lead: lead} }
}

// quiet is a use that ended so long after t0, found idle twice at now.
func quiet(after, now time.Duration) Use {
	return Use{Ever: true, IdleLooks: 2, Activity: Activity{At: t0.Add(now)}, Verdict: Verdict{Is: VerdictIdle, Since: t0.Add(after), Reason: "last used a while ago"}}
}

// dark is a use of which nothing has been known since so long after t0.
func dark(since time.Duration) Use {
	u := verdict(VerdictUnknown)
	u.UnknownSince = t0.Add(since)
	return u
}

func verdict(is VerdictKind) Use { return Use{Ever: true, Verdict: Verdict{Is: is, Reason: "…"}} }

func TestJudge(t *testing.T) {
	h := time.Hour
	for _, test := range []struct {
		name   string
		e      Environment
		use    Use
		now    time.Duration // after t0
		action ReapAction
		cause  EndCause
		at     time.Duration
		revive bool
	}{
		{"in use, far from its end", hub(), verdict(VerdictActive), h, ReapKeep, EndDeadline, 4 * h, false},
		{"unknown is never idle", hub(), verdict(VerdictUnknown), 3 * h, ReapKeep, EndDeadline, 4 * h, false},
		{"idle a second before the first warning", hub(), quiet(h, h), h + 15*minute - time.Second, ReapKeep, EndIdle, h + 45*minute, false},
		{"idle at the first warning", hub(), quiet(h, h), h + 15*minute, ReapWarn, EndIdle, h + 45*minute, false},
		{"told once", hub(told(EndIdle, h+45*minute, 30*minute)), quiet(h, h), h + 20*minute, ReapKeep, EndIdle, h + 45*minute, false},
		{"the second warning", hub(told(EndIdle, h+45*minute, 30*minute)), quiet(h, h), h + 35*minute, ReapWarn, EndIdle, h + 45*minute, false},
		{"a second too early", hub(told(EndIdle, h+45*minute, 10*minute)), quiet(h, h), h + 45*minute - time.Second, ReapKeep, EndIdle, h + 45*minute, false},
		{"idle to its end", hub(told(EndIdle, h+45*minute, 10*minute)), quiet(h, h), h + 45*minute, ReapDelete, EndIdle, h + 45*minute, false},
		{"idle, but never told", hub(), quiet(h, h), 2 * h, ReapWarn, EndIdle, 2*h + 10*minute, false},
		{"idle once is not enough", hub(), Use{Ever: true, IdleLooks: 1, Verdict: Verdict{Is: VerdictIdle, Since: t0}}, 2 * h, ReapKeep, EndDeadline, 4 * h, false},
		{"used again after a warning", hub(told(EndIdle, h+45*minute, 10*minute)), verdict(VerdictActive), h + 40*minute, ReapKeep, EndDeadline, 4 * h, true},
		{"used again and idle again: told anew", hub(told(EndIdle, h+45*minute, 10*minute)), quiet(h+30*minute, h), h + 50*minute, ReapWarn, EndIdle, h + 75*minute, false},
		{"never used has a longer grace", hub(), Use{IdleLooks: 9, Verdict: Verdict{Is: VerdictIdle, Since: t0}}, h, ReapKeep, EndUnused, 2 * h, false},
		{"never used, to the end of its grace", hub(told(EndUnused, 2*h, 10*minute)), Use{IdleLooks: 9, Verdict: Verdict{Is: VerdictIdle, Since: t0}}, 2 * h, ReapDelete, EndUnused, 2 * h, false},

		{"told of idleness, one look failed: it stands", hub(told(EndIdle, h+45*minute, 10*minute)), dark(h + 39*minute), h + 40*minute, ReapKeep, EndIdle, h + 45*minute, false},
		{"told of idleness, and at its end nobody can tell", hub(told(EndIdle, h+45*minute, 10*minute)), dark(h + 40*minute), h + 50*minute, ReapKeep, EndIdle, h + 45*minute, false},
		{"told of idleness, and nobody can tell for long", hub(told(EndIdle, h+45*minute, 10*minute)), dark(h + 40*minute), h + 55*minute, ReapKeep, EndDeadline, 4 * h, true},
		{"told of idleness, nobody can tell, and its time is over soon", hub(told(EndIdle, 3*h+45*minute, 10*minute)), dark(3*h + 40*minute), 3*h + 50*minute, ReapWarn, EndDeadline, 4 * h, false},
		{"told of idleness, dark, and idle at one look", hub(told(EndIdle, h+45*minute, 10*minute)), Use{Ever: true, IdleLooks: 1, Verdict: Verdict{Is: VerdictIdle, Since: t0.Add(h)}}, h + 50*minute, ReapKeep, EndIdle, h + 45*minute, false},
		{"told of its deadline, and at it one look failed", hub(told(EndDeadline, 4*h, 10*minute)), dark(4 * h), 4*h + minute, ReapKeep, EndDeadline, 4 * h, false},
		{"dark at its maximum", hub(told(EndIdle, 8*h-minute, 10*minute)), dark(8*h - minute), 8 * h, ReapDelete, EndMaximum, 8 * h, false},

		{"deadline: first warning", hub(), verdict(VerdictActive), 3*h + 30*minute, ReapWarn, EndDeadline, 4 * h, false},
		{"deadline, idle", hub(told(EndDeadline, 4*h, 10*minute)), quiet(3*h+50*minute, 4*h), 4 * h, ReapDelete, EndDeadline, 4 * h, false},
		{"deadline, in use: it may finish", hub(told(EndDeadline, 4*h, 10*minute)), verdict(VerdictActive), 4 * h, ReapKeep, EndMaximum, 8 * h, true},
		{"deadline, nobody knows: it stays", hub(told(EndDeadline, 4*h, 10*minute)), dark(4 * h), 5 * h, ReapKeep, EndMaximum, 8 * h, true},
		{"past its time and idle since", hub(), quiet(5*h, 5*h), 5*h + 11*minute, ReapWarn, EndDeadline, 5*h + 21*minute, false},
		{"past its time, told, idle", hub(told(EndDeadline, 5*h+21*minute, 10*minute)), quiet(5*h, 5*h), 5*h + 21*minute, ReapDelete, EndDeadline, 5*h + 21*minute, false},
		{"its maximum is the end, in use or not", hub(told(EndMaximum, 8*h, 10*minute)), verdict(VerdictActive), 8 * h, ReapDelete, EndMaximum, 8 * h, false},
		{"its maximum, never told because nobody ran", hub(), verdict(VerdictActive), 9 * h, ReapDelete, EndMaximum, 8 * h, false},
		{"nobody ran: the grace ends at the maximum", hub(), verdict(VerdictActive), 8*h - 4*minute, ReapWarn, EndMaximum, 8 * h, false},
		{"extended: the warning is taken back", hub(told(EndDeadline, 3*h, 10*minute)), verdict(VerdictActive), 2*h + 55*minute, ReapKeep, EndDeadline, 4 * h, true},
		{"a promise is kept when the end moves closer", hub(told(EndIdle, 2*h, 30*minute)), quiet(h, h), h + 50*minute, ReapWarn, EndIdle, 2 * h, false},

		{"told of its deadline, it is idle before: a promise is kept", hub(told(EndDeadline, 4*h, 30*minute)), quiet(3*h, 3*h), 3*h + 46*minute, ReapKeep, EndDeadline, 4 * h, false},
		{"told of its deadline, idle before: the second warning is of it, too", hub(told(EndDeadline, 4*h, 30*minute)), quiet(3*h, 3*h), 3*h + 50*minute, ReapWarn, EndDeadline, 4 * h, false},
		{"told of its deadline, idle before, and it is over", hub(told(EndDeadline, 4*h, 10*minute)), quiet(3*h, 3*h), 4 * h, ReapDelete, EndDeadline, 4 * h, false},
		{"told of idleness, its class ends it sooner", hub(classOver, told(EndIdle, h+45*minute, 30*minute)), quiet(h, h), h + 20*minute, ReapKeep, EndIdle, h + 45*minute, false},
		{"told of idleness, the course ends it sooner", hub(left(h+30*minute), told(EndIdle, h+45*minute, 30*minute)), quiet(h, h), h + 25*minute, ReapWarn, EndLeft, h + 30*minute, false},

		{"its class is over, and it is in use", hub(classOver), verdict(VerdictActive), h + 5*minute, ReapKeep, EndDeadline, 4 * h, false},
		{"its class is over, and nobody can tell", hub(classOver), verdict(VerdictUnknown), h + 5*minute, ReapKeep, EndDeadline, 4 * h, false},
		{"its class is over, and it is idle: told first", hub(classOver), quiet(50*minute, h), h + 5*minute, ReapWarn, EndClass, h + 15*minute, false},
		{"its class is over, idle and told", hub(classOver, told(EndClass, h+15*minute, 10*minute)), quiet(50*minute, h), h + 15*minute, ReapDelete, EndClass, h + 15*minute, false},
		{"its class is over, told, and used again", hub(classOver, told(EndClass, h+15*minute, 10*minute)), verdict(VerdictActive), h + 12*minute, ReapKeep, EndDeadline, 4 * h, true},

		{"its owner left, and it is in use: told again at the usual times", hub(left(2*h), told(EndLeft, 2*h, 24*h)), verdict(VerdictActive), h + 30*minute, ReapWarn, EndLeft, 2 * h, false},
		{"its owner left, and the grace is over", hub(left(2*h), told(EndLeft, 2*h, 10*minute)), verdict(VerdictActive), 2 * h, ReapDelete, EndLeft, 2 * h, false},
		{"its owner left, and nobody was told", hub(left(2 * h)), verdict(VerdictActive), 3 * h, ReapWarn, EndLeft, 3*h + 10*minute, false},
		{"its owner left, told; idleness ends it sooner, which is no reprieve", hub(left(3*h+30*minute), told(EndLeft, 3*h+30*minute, 24*h)), quiet(h, h), h + minute, ReapKeep, EndIdle, h + 45*minute, false},
		{"its owner came back: the word is taken back", hub(told(EndLeft, 2*h, 24*h)), verdict(VerdictActive), h, ReapKeep, EndDeadline, 4 * h, true},
		{"its owner left before it was ready", hub(left(2*h), func(e *Environment) { e.ReadyAt = time.Time{} }), Use{}, 2 * h, ReapDelete, EndLeft, 2 * h, false},
		{"the course ends it later than its own time", hub(left(9 * h)), verdict(VerdictActive), h, ReapKeep, EndDeadline, 4 * h, false},
		{"protected, though its owner left", hub(left(h), func(e *Environment) { e.Protected = &Protection{By: "prof"} }), quiet(0, 0), 9 * h, ReapSkip, "", 0, false},

		{"protected", hub(func(e *Environment) { e.Protected = &Protection{By: "prof"} }), quiet(0, 0), 9 * h, ReapSkip, "", 0, false},
		{"being deleted", hub(func(e *Environment) { e.Desired = Absent }), Use{}, 9 * h, ReapSkip, "", 0, false},
		{"being made", hub(func(e *Environment) { e.ReadyAt = time.Time{} }), Use{}, h, ReapSkip, "", 4 * h, false},
		{"never became ready in its time", hub(func(e *Environment) { e.ReadyAt = time.Time{} }), Use{}, 4 * h, ReapDelete, EndDeadline, 4 * h, false},
		{"kept by a lease beyond the idle end", hub(func(e *Environment) { e.KeepUntil = t0.Add(3 * h) }), quiet(0, h), h, ReapKeep, EndIdle, 3 * h, false},
	} {
		got := Judge(judged, test.e, test.use, t0.Add(test.now))
		at := time.Duration(0)
		if !got.At.IsZero() {
			at = got.At.Sub(t0)
		}
		if got.Action != test.action || got.Cause != test.cause || at != test.at || got.Revive != test.revive {
			t.Errorf("%s: got %s %q at %s, revive %v (%s); want %s %q at %s, revive %v",
				test.name, got.Action, got.Cause, at, got.Revive, got.Reason, test.action, test.cause, test.at, test.revive)
		}
		if got.Reason == "" {
			t.Errorf("%s: no reason", test.name)
		}
	}
}

func TestShortIdleLimitsHaveRoomForAWarning(t *testing.T) {
	p := judged
	p.Idle = 15 * minute
	got := Judge(p, hub(), quiet(0, 0), t0.Add(5*minute))
	if got.Action != ReapWarn || got.Lead != 10*minute || !got.At.Equal(t0.Add(15*minute)) {
		t.Errorf("got %+v; want a warning 10 minutes ahead", got)
	}
}

func TestAssess(t *testing.T) {
	now := t0.Add(3 * time.Hour)
	at := func(d time.Duration) time.Time { return now.Add(-d) }
	busy := Signal{Source: "kernel", Kind: SignalBusy, Message: "kernel python3 is running"}
	for _, test := range []struct {
		name    string
		signals []Signal
		use     Use
		keep    time.Time
		want    VerdictKind
		since   time.Time
		word    string
	}{
		{"any busy signal", []Signal{{Kind: SignalQuiet, Last: at(time.Hour)}, busy}, Use{BusySince: at(time.Hour)}, time.Time{}, VerdictActive, now, "kernel"},
		{"busy beats unknown", []Signal{{Kind: SignalUnknown}, busy}, Use{BusySince: now}, time.Time{}, VerdictActive, now, "kernel"},
		{"busy for too long", []Signal{busy}, Use{BusySince: at(3 * time.Hour)}, time.Time{}, VerdictIdle, now, "3h"},
		{"busy for too long, and somebody types beside it", []Signal{busy, {Source: "kernel", Kind: SignalQuiet, Last: at(minute)}}, Use{BusySince: at(3 * time.Hour)}, time.Time{}, VerdictActive, at(minute), "1m ago"},
		{"busy for too long, and somebody typed a while ago", []Signal{busy, {Source: "terminal", Kind: SignalQuiet, Last: at(10 * minute)}}, Use{BusySince: at(4 * time.Hour)}, time.Time{}, VerdictIdle, at(10 * minute), "3h"},
		{"busy for too long, and it prints", []Signal{busy, {Source: "hub", Kind: SignalQuiet, Last: at(minute)}}, Use{BusySince: at(3 * time.Hour)}, time.Time{}, VerdictIdle, now, "3h"},
		{"busy for too long, and who may type cannot be asked", []Signal{busy, {Source: "server", Kind: SignalUnknown, Message: "a notebook does not answer"}}, Use{BusySince: at(3 * time.Hour)}, time.Time{}, VerdictUnknown, now, "notebook"},
		{"busy for too long, and of workers nothing is known", []Signal{busy, {Source: "scheduler", Kind: SignalUnknown}}, Use{BusySince: at(3 * time.Hour)}, time.Time{}, VerdictIdle, now, "3h"},
		{"used lately", []Signal{{Kind: SignalQuiet, Last: at(6 * minute)}}, Use{Ever: true}, time.Time{}, VerdictActive, at(6 * minute), "6m ago"},
		{"used lately, and something does not answer", []Signal{{Kind: SignalQuiet, Last: at(minute)}, {Kind: SignalUnknown}}, Use{Ever: true}, time.Time{}, VerdictActive, at(minute), ""},
		{"quiet, and something does not answer", []Signal{{Kind: SignalQuiet, Last: at(time.Hour)}, {Kind: SignalUnknown, Message: "the hub does not answer"}}, Use{Ever: true}, time.Time{}, VerdictUnknown, now, "hub"},
		{"no signal at all", nil, Use{}, time.Time{}, VerdictUnknown, now, ""},
		{"idle since the latest", []Signal{{Kind: SignalQuiet, Last: at(2 * time.Hour)}, {Kind: SignalQuiet, Last: at(time.Hour)}}, Use{Ever: true}, time.Time{}, VerdictIdle, at(time.Hour), "1h ago"},
		{"never used: since ready", []Signal{{Kind: SignalQuiet}}, Use{}, time.Time{}, VerdictIdle, t0, "nobody has used it"},
		{"a lease", []Signal{{Kind: SignalQuiet}}, Use{}, now.Add(minute), VerdictActive, now, "kept"},
		{"a lease that is over", []Signal{{Kind: SignalQuiet, Last: at(time.Hour)}}, Use{Ever: true}, now, VerdictIdle, at(time.Hour), ""},
	} {
		test.use.Activity = Activity{At: now, Signals: test.signals}
		got := Assess(judged, hub(func(e *Environment) { e.KeepUntil = test.keep }), test.use)
		if got.Is != test.want || !got.Since.Equal(test.since) || !strings.Contains(got.Reason, test.word) {
			t.Errorf("%s: got %s since %s (%s); want %s since %s, with %q", test.name, got.Is, got.Since, got.Reason, test.want, test.since, test.word)
		}
	}
}

func TestLearnCountsLooksThatAreApart(t *testing.T) {
	var u Use
	look := func(after time.Duration) int {
		u.Learn(judged, hub(), Activity{At: t0.Add(after), Signals: []Signal{{Kind: SignalQuiet}}}, nil)
		return u.IdleLooks
	}
	if a, b, c := look(time.Hour), look(time.Hour+30*time.Second), look(time.Hour+2*minute); a != 1 || b != 1 || c != 2 {
		t.Errorf("got %d, %d, %d; want 1, 1, 2: two looks within a minute prove no more than one", a, b, c)
	}
}

// TestLooksThatCannotTell: they make idleness neither surer nor less sure.
func TestLooksThatCannotTell(t *testing.T) {
	var u Use
	var got []int
	for n, kind := range []SignalKind{SignalQuiet, SignalUnknown, SignalQuiet, SignalUnknown, SignalBusy, SignalUnknown, SignalQuiet} {
		u.Learn(judged, hub(), Activity{At: t0.Add(time.Hour + time.Duration(n)*2*minute), Signals: []Signal{{Kind: kind}}}, nil)
		got = append(got, u.IdleLooks)
	}
	if want := []int{1, 1, 2, 2, 0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
}

// TestAClockThatIsSetBack: what was seen and booked while it was a day ahead
// keeps nobody from looking, and nothing is booked twice.
func TestAClockThatIsSetBack(t *testing.T) {
	var u Use
	look := func(after time.Duration, kind SignalKind) {
		u.Learn(judged, hub(), Activity{At: t0.Add(after), Signals: []Signal{{Kind: kind}}}, nil)
		u.Spend(1, t0, t0.Add(after))
	}
	look(24*time.Hour, SignalBusy)
	if now := t0.Add(time.Hour); !u.Due(Judge(judged, hub(), u, now), now) {
		t.Error("it is not looked at before the time of the look that was wrong")
	}
	look(time.Hour, SignalBusy)
	if !u.BusySince.Equal(t0.Add(time.Hour)) {
		t.Errorf("busy since %s, which is to come", u.BusySince)
	}
	look(25*time.Hour, SignalQuiet)
	sum := 0.0
	for _, usd := range u.Spent {
		sum += usd
	}
	if sum != 25 {
		t.Errorf("25 hours at a dollar: booked %v", sum)
	}
}

// TestNotSeenIsNoPause: a hub that did not answer once begins no new stretch of
// busy work, or what never ends would be waited for for ever; and the time in
// which nobody saw it work is not held against it.
func TestNotSeenIsNoPause(t *testing.T) {
	var u Use
	look := func(after time.Duration, kind SignalKind) VerdictKind {
		return u.Learn(judged, hub(), Activity{At: t0.Add(after), Signals: []Signal{{Kind: kind}}}, nil).Is
	}
	look(0, SignalBusy)
	look(time.Hour, SignalBusy)
	look(2*time.Hour, SignalUnknown)
	if is := look(3*time.Hour, SignalBusy); is != VerdictActive || !u.BusySince.Equal(t0.Add(time.Hour)) {
		t.Errorf("got %s, busy since %s; want active, and two of the three hours", is, u.BusySince)
	}
	if is := look(4*time.Hour, SignalBusy); is != VerdictIdle {
		t.Errorf("seen busy for as long as counts: got %s; want idle", is)
	}
	look(5*time.Hour, SignalQuiet)
	if !u.BusySince.IsZero() {
		t.Error("a pause ends the stretch")
	}
}

func TestTermsSayWhereEachLimitComesFrom(t *testing.T) {
	got := TermsOf(Policy{TTL: time.Hour}, Policy{TTL: 2 * time.Hour, Idle: 20 * minute}, judged)
	if got.Policy.TTL != time.Hour || got.Policy.Idle != 20*minute || got.Policy.MaxTTL != 8*time.Hour {
		t.Errorf("got %+v", got.Policy)
	}
	for field, want := range map[string]string{"ttl": "profile", "idle": "course", "maxTtl": "default", "warnings": "default", "extensions": ""} {
		if got.From[field] != want {
			t.Errorf("%s: got %q; want %q", field, got.From[field], want)
		}
	}
}

func TestSpendSplitsAtMidnight(t *testing.T) {
	var u Use
	day := time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)
	u.Spend(1, day, day.Add(4*time.Hour))
	u.Spend(2, day, day.Add(5*time.Hour))
	if u.Spent["2026-11-23"] != 2 || u.Spent["2026-11-24"] != 4 {
		t.Errorf("got %v; want 2 and 4", u.Spent)
	}
}
