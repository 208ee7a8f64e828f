package environment

import (
	"context"
	"time"
)

// Signal is what one source says of the use of an environment.
type Signal struct {
	Source string     `json:"source"` // hub, server, kernel, terminal, scheduler, workers, lease
	Kind   SignalKind `json:"kind"`
	// Last is the latest use the source knows of; zero when it knows of none.
	Last time.Time `json:"last,omitzero"`
	// Message says it in words, without a name or a secret of the inside:
	// "kernel python3 has been running for 2h".
	Message string `json:"message"`
}

// SignalKind is what a signal means for idleness.
type SignalKind string

// The kinds. What could not be asked is unknown, and unknown is never idle.
const (
	SignalBusy    SignalKind = "busy"    // at work at this moment
	SignalQuiet   SignalKind = "quiet"   // nothing goes on; Last says when it last did
	SignalUnknown SignalKind = "unknown" // did not answer, or would not say
)

// Activity is one look at everything that can tell of use.
type Activity struct {
	At      time.Time `json:"at"`
	Signals []Signal  `json:"signals"`
}

// Last is the latest use that any signal knows of; zero for none.
func (a Activity) Last() time.Time {
	var last time.Time
	for _, s := range a.Signals {
		if s.Last.After(last) {
			last = s.Last
		}
	}
	return last
}

// typed is when somebody last used a kernel that computes nothing now, or a
// terminal; zero for never. The times of hubs and servers move by themselves
// while something that computes prints.
func (a Activity) typed() (last time.Time) {
	for _, s := range a.Signals {
		if s.Kind == SignalQuiet && (s.Source == "kernel" || s.Source == "terminal") {
			last = latest(last, s.Last)
		}
	}
	return last
}

// hidden is a source that did not answer and could have told of somebody who
// types. A scheduler could not: it only knows what computes.
func (a Activity) hidden() (Signal, bool) {
	for _, s := range a.Signals {
		if s.Kind == SignalUnknown && s.Source != "scheduler" {
			return s, true
		}
	}
	return Signal{}, false
}

// first signal of a kind.
func (a Activity) find(kind SignalKind) (Signal, bool) {
	for _, s := range a.Signals {
		if s.Kind == kind {
			return s, true
		}
	}
	return Signal{}, false
}

// Use is what is remembered of an environment's use between looks. It is a
// row of its own, since it changes all the time: nobody's If-Match fails
// because a kernel became idle.
type Use struct {
	Environment string   `json:"environment"`
	Activity    Activity `json:"activity"` // the last look
	Verdict     Verdict  `json:"verdict"`  // what was made of it
	// IdleLooks counts the looks that found it idle since one found it in use;
	// one is not enough to act on. A look that could not tell counts for neither.
	IdleLooks int `json:"idleLooks"`
	// BusySince and UnknownSince are when the present stretch began; zero
	// outside of one. Time in which nothing was known of busy work is taken out
	// of its stretch.
	BusySince    time.Time `json:"busySince,omitzero"`
	UnknownSince time.Time `json:"unknownSince,omitzero"`
	// Limit is how long this stretch of idleness may last where the policy lets
	// that be learnt, and LimitWhy why; 0 where it does not, or outside of one.
	Limit    time.Duration `json:"limit,omitempty"`
	LimitWhy string        `json:"limitWhy,omitempty"`
	// Every is how soon to look again; zero is the usual.
	Every time.Duration `json:"every,omitzero"`
	// Ever is set once any use was seen; until then the never-used grace holds.
	Ever bool `json:"ever"`
	// Tight: a budget it counts towards is spent, so little is waited for.
	Tight bool `json:"tight,omitempty"`
	// Memory is what the prober wants to be given at its next look, such as the
	// counters of a scheduler that cannot say since when it is idle.
	Memory map[string]string `json:"memory,omitempty"`
	// Spent is the estimated cost by UTC day, "2026-11-23" to US dollars, up to
	// SpentUntil.
	Spent      map[string]float64 `json:"spent,omitempty"`
	SpentUntil time.Time          `json:"spentUntil,omitzero"`
	// Rate is what an hour cost when it was last booked, and Fee the cluster's
	// management fee in it.
	Rate float64 `json:"rate,omitempty"`
	Fee  float64 `json:"fee,omitempty"`
}

// Prober looks at what goes on in an environment. It never fails: what does
// not answer is a signal of its own. A look must not count as use.
type Prober interface {
	Probe(ctx context.Context, p Probe) (Activity, map[string]string)
}

// Probe is what a Prober is given.
type Probe struct {
	Environment Environment
	Plan        Plan
	Target      Target
	// Memory is what the last look returned, nil at first.
	Memory map[string]string
	// Now is the time of the look; times that servers report are clamped to it.
	Now time.Time
}

// The reaper looks again when the last look is older than lookEvery, and
// before it acts when it is older than lookFresh. Two looks prove more than one
// when they are lookApart from each other.
const (
	lookEvery = 5 * time.Minute
	lookFresh = 30 * time.Second
	lookApart = time.Minute
)

// looksWithin is how often to look when the idle limit is short, so that its
// end is not missed by most of it; zero for lookEvery.
func looksWithin(p Policy) time.Duration {
	if every := p.Idle / 4; every < lookEvery {
		return every
	}
	return 0
}

// Due says whether it is time for another look: now and then, before
// something is done, and as soon as a look would find it idle that did not.
// A look of the future was taken by a clock that was wrong.
func (u Use) Due(j Judgement, now time.Time) bool {
	age, every := now.Sub(u.Activity.At), first(u.Every, lookEvery)
	acts := j.Action == ReapWarn || j.Action == ReapDelete
	turns := u.IdleLooks == 1 || u.Verdict.Is == VerdictActive && now.Sub(u.Verdict.Since) >= recent
	return age < 0 || age >= every || acts && age >= min(lookFresh, every) || turns && age >= min(lookApart, every)
}

// Learn takes a look into what is remembered and returns the new verdict.
//
// Two looks within lookApart count as one: what they agree on proves no more.
func (u *Use) Learn(p Policy, e Environment, a Activity, memory map[string]string) Verdict {
	u.Every = looksWithin(p)
	before := u.Activity.At
	again := a.At.Before(before) || a.At.Sub(before) >= min(lookApart, first(u.Every, lookEvery))
	u.Environment, u.Activity, u.Memory = e.ID, a, memory
	if !a.Last().IsZero() {
		u.Ever = true
	}
	_, busy := a.find(SignalBusy)
	if busy {
		u.BusySince = earliest(first(u.BusySince, a.At), a.At)
	}
	u.Ever = u.Ever || busy
	u.Verdict = Assess(p, e, *u)
	switch {
	case busy:
	case u.Verdict.Is == VerdictUnknown && !u.BusySince.IsZero():
		// Not seen is neither a pause nor work: it counts for neither.
		u.BusySince = u.BusySince.Add(max(a.At.Sub(before), 0))
	default:
		u.BusySince = time.Time{}
	}
	u.UnknownSince = stretch(u.UnknownSince, u.Verdict.Is == VerdictUnknown, a.At)
	switch {
	case u.Verdict.Is == VerdictActive:
		u.IdleLooks = 0
	case u.Verdict.Is == VerdictIdle && (again || u.IdleLooks == 0):
		u.IdleLooks++
	}
	return u.Verdict
}

// stretch keeps when something began, for as long as it lasts.
func stretch(since time.Time, on bool, now time.Time) time.Time {
	switch {
	case !on:
		return time.Time{}
	case since.IsZero():
		return now
	default:
		return earliest(since, now)
	}
}
