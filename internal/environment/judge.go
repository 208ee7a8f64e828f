package environment

import (
	"fmt"
	"slices"
	"time"
)

// Verdict is what signals together say of the use of an environment.
type Verdict struct {
	Is VerdictKind `json:"is"`
	// Since is when the last use ended, for idle; when it was last in use, for
	// active; since when nothing is known, for unknown.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason"`
}

// VerdictKind is active, idle or unknown.
type VerdictKind string

// The verdicts.
const (
	VerdictActive  VerdictKind = "active"
	VerdictIdle    VerdictKind = "idle"
	VerdictUnknown VerdictKind = "unknown"
)

// recent is how fresh a last use makes an environment active: a hub's last
// activity can be six minutes old although somebody is typing. It is no longer
// than that takes, since each stop is paid for as long.
const recent = 7 * time.Minute

// recently is recent, and less where a whole idle limit is hardly more.
func recently(p Policy) time.Duration {
	if p.Idle == 0 {
		return recent
	}
	return min(recent, p.Idle*2/3)
}

// Assess is the truth table: any busy signal is active (until busy work has
// gone on for longer than Policy.MaxBusy, and then only beside a kernel or a
// terminal that was used by hand, or unknown beside a server that does not
// answer), a recent use is active, anything
// that did not answer is unknown, and what is left is idle since the last use
// or, when it was never used, since it was ready. It is pure.
func Assess(p Policy, e Environment, u Use) Verdict {
	now := u.Activity.At
	if e.KeepUntil.After(now) {
		return Verdict{VerdictActive, now, "kept until " + clockTime(e.KeepUntil) + " because somebody asked for it"}
	}
	last := latest(u.Activity.Last(), e.ReadyAt)
	if s, busy := u.Activity.find(SignalBusy); busy {
		if p.MaxBusy == 0 || now.Sub(u.BusySince) < p.MaxBusy {
			return Verdict{VerdictActive, now, s.Message}
		}
		return overworked(p, u, s)
	}
	if used := u.Activity.Last(); !used.IsZero() && now.Sub(used) < recently(p) {
		return Verdict{VerdictActive, used, "last used " + ago(now.Sub(used))}
	}
	if s, unknown := u.Activity.find(SignalUnknown); unknown {
		return Verdict{VerdictUnknown, first(u.UnknownSince, now), s.Message}
	}
	if len(u.Activity.Signals) == 0 {
		return Verdict{VerdictUnknown, first(u.UnknownSince, now), "nothing can be asked about its use"}
	}
	if !u.Ever {
		return Verdict{VerdictIdle, last, "nobody has used it since it was ready " + ago(now.Sub(e.ReadyAt))}
	}
	return Verdict{VerdictIdle, last, "last used " + ago(now.Sub(last))}
}

// overworked is the verdict on busy work that has gone on for longer than is
// waited for. It must not go on for ever; whoever types beside it may, and who
// cannot be asked may be typing.
func overworked(p Policy, u Use, busy Signal) Verdict {
	now, typed := u.Activity.At, u.Activity.typed()
	if now.Sub(typed) < recently(p) {
		return Verdict{VerdictActive, typed, "last used " + ago(now.Sub(typed))}
	}
	if s, hidden := u.Activity.hidden(); hidden {
		return Verdict{VerdictUnknown, first(u.UnknownSince, now), s.Message}
	}
	return Verdict{VerdictIdle, latest(u.BusySince.Add(p.MaxBusy), typed),
		fmt.Sprintf("busy without a pause for more than %s, which is the most that is waited for: %s", FormatDuration(p.MaxBusy), busy.Message)}
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

func ago(d time.Duration) string {
	if d < time.Minute {
		return "just now"
	}
	return FormatDuration(d.Truncate(time.Minute)) + " ago"
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// ReapAction is what the reaper would do with an environment now.
type ReapAction string

// The actions, as contract and plan name them.
const (
	ReapKeep   ReapAction = "keep"
	ReapWarn   ReapAction = "warn"
	ReapDelete ReapAction = "delete"
	ReapSkip   ReapAction = "skip" // not the reaper's business now: being made, or protected
)

// SkipCause says why something is skipped, for counting.
type SkipCause string

// Why. Judge skips for the first three, a run for the others.
const (
	SkipGoing     SkipCause = "going"     // it is being deleted already
	SkipMaking    SkipCause = "making"    // it is still being made
	SkipProtected SkipCause = "protected" // only a person ends it
	SkipPaused    SkipCause = "paused"    // the reaper is
	SkipHeld      SkipCause = "held"      // too many look idle at once
	SkipCap       SkipCause = "cap"       // the run had ended as many as it may
	SkipLate      SkipCause = "late"      // there was no time to look at it
	SkipFailed    SkipCause = "failed"    // it could not be done
)

// SkipCauses lists them.
func SkipCauses() []SkipCause {
	return []SkipCause{SkipGoing, SkipMaking, SkipProtected, SkipPaused, SkipHeld, SkipCap, SkipLate, SkipFailed}
}

// Judgement is what Judge decided and why.
type Judgement struct {
	Action ReapAction
	// Reason is a sentence for people.
	Reason string
	// At is when it would end if nothing changed; zero when it would not.
	At time.Time
	// Cause says which limit ends it, "" while none does.
	Cause EndCause
	// Lead is which of the policy's warnings a ReapWarn is.
	Lead time.Duration
	// Skip says why, for a ReapSkip.
	Skip SkipCause
	// Revive: it was announced to end and is not going to; the announcement is
	// taken back.
	Revive bool
}

// minIdleLooks is how often in a row an environment must be found idle.
const minIdleLooks = 2

// lookLast is how long the last of minIdleLooks takes after the first that
// could find it idle.
const lookLast = 2 * time.Minute

// slack is how much later an end may come without being a new one: a hub
// reports its last activity with a jitter.
const slack = 2 * time.Minute

// Judge decides what becomes of an environment: the only place that does. It
// is pure, so a dry run prints exactly what a real one does.
//
//   - Nothing ends before the end its owner was told of, nor while it is in use
//     or nobody can tell, except at its maximum lifetime. An end that was told
//     stands while, for a short time, nobody can tell.
//   - An end is announced before it comes, with each of the policy's warnings
//     once; an end that was never announced, because nobody was running, is
//     announced then and comes a little later, yet never past the maximum.
func Judge(p Policy, e Environment, u Use, now time.Time) Judgement {
	switch {
	case e.Desired == Absent:
		return Judgement{Action: ReapSkip, Skip: SkipGoing, Reason: "It is being deleted already."}
	case e.ReadyAt.IsZero():
		return notReady(e, now)
	case e.Protected != nil:
		return Judgement{Action: ReapSkip, Skip: SkipProtected, Reason: "Protected by " + e.Protected.By + "; nothing ends it but a person.", Revive: e.Ending != nil}
	}
	end, cause, reason := endOf(p, e, u, now)
	if end.IsZero() {
		return goesOn(Judgement{Action: ReapKeep, Reason: reason}, e, u, now)
	}
	j := Judgement{Action: ReapKeep, At: end, Cause: cause, Reason: reason}
	switch told := e.Ending; {
	case told == nil:
	case told.Cause == cause && end.Sub(told.At) <= slack:
		j.At = told.At // what was promised, also when it would have come earlier
		return promised(j, *told, leadsFor(p, cause, u, now), now)
	case told.shields(j):
		j.At, j.Cause = told.At, told.Cause
		j.Reason += " Its owner was told of " + clockTime(told.At) + ", and it does not end before."
		return promised(j, *told, leadsFor(p, told.Cause, u, now), now)
	}
	return surprise(p, e, u, j, now)
}

// goesOn: no end is near. What was announced for earlier is taken back, but
// not by looks that could not tell: one that failed must not have its owner
// told that it goes on, and then again that it ends.
func goesOn(j Judgement, e Environment, u Use, now time.Time) Judgement {
	switch told := e.Ending; {
	case told == nil, stillEnds(e):
	case told.Cause != EndMaximum && !told.Cause.ByCourse() && unsure(u, now):
		j.At, j.Cause = told.At, told.Cause
		j.Reason = "Its owner was told of " + clockTime(told.At) + "; whether somebody uses it cannot be told at the moment: " + inUse(u) + "."
	default:
		j.Revive = true
	}
	return j
}

// unsureFor is how long an announced end stands while nothing is known.
const unsureFor = 15 * time.Minute

// unsure reports whether the looks since it was last found idle tell neither
// that it still is nor that somebody came back.
func unsure(u Use, now time.Time) bool {
	switch u.Verdict.Is {
	case VerdictUnknown:
		return now.Sub(first(u.UnknownSince, now)) < unsureFor
	case VerdictIdle:
		return u.IdleLooks < minIdleLooks
	default:
		return false
	}
}

// notReady bounds what was asked for as a clock time and never became ready.
func notReady(e Environment, now time.Time) Judgement {
	if !e.ExpiresAt.IsZero() && !now.Before(e.ExpiresAt) {
		return Judgement{Action: ReapDelete, At: e.ExpiresAt, Cause: EndDeadline, Reason: "Its time was over before it was ready."}
	}
	if end := courseEnd(e); !end.at.IsZero() && !now.Before(end.at) {
		return Judgement{Action: ReapDelete, At: end.at, Cause: end.cause, Reason: end.reason}
	}
	return Judgement{Action: ReapSkip, Skip: SkipMaking, At: e.ExpiresAt, Reason: "It is still being made."}
}

// maximum is when it ends whatever happens; zero for never.
func maximum(p Policy, e Environment) time.Time {
	if p.MaxTTL == 0 {
		return time.Time{}
	}
	return latest(e.ReadyAt.Add(p.MaxTTL), e.ExpiresAt)
}

// ending is an end that would come, and why.
type ending struct {
	at     time.Time // zero: never
	cause  EndCause
	reason string
}

// before reports whether a comes first.
func (a ending) before(b ending) bool {
	return !a.at.IsZero() && (b.at.IsZero() || a.at.Before(b.at))
}

// endOf is the earliest end that would come if nothing changed.
func endOf(p Policy, e Environment, u Use, now time.Time) (time.Time, EndCause, string) {
	end := deadline(p, e, u, now)
	for _, other := range []ending{idleEnd(p, e, u, now), classEnd(e, u), courseEnd(e)} {
		if other.before(end) {
			end = other
		}
	}
	switch {
	case end.at.IsZero():
		end.reason = "It has no end: " + inUse(u) + "."
	case end.cause == EndDeadline && u.Verdict.Is != "":
		end.reason += " Now: " + inUse(u) + "."
	}
	return end.at, end.cause, end.reason
}

// deadline is when its time is over. Past it, what is in use, or what nobody
// can tell of, may finish, up to the maximum.
func deadline(p Policy, e Environment, u Use, now time.Time) ending {
	end, hard := e.ExpiresAt, maximum(p, e)
	over := !end.IsZero() && !now.Before(end)
	if !over || u.Verdict.Is == VerdictIdle || !hard.IsZero() && !end.Before(hard) {
		return ending{end, EndDeadline, "Its time is over at " + clockTime(end) + "."}
	}
	reason := "Past its time, but " + inUse(u) + "."
	if !hard.IsZero() {
		reason += " At " + clockTime(hard) + " it ends in any case."
	}
	return ending{hard, EndMaximum, reason}
}

// foundIdle reports whether idleness may be acted on. One look is not enough.
func foundIdle(u Use) bool { return u.Verdict.Is == VerdictIdle && u.IdleLooks >= minIdleLooks }

// classEnd is when its class was over; it holds only once nobody uses it.
func classEnd(e Environment, u Use) ending {
	if e.ClassOver.IsZero() || !foundIdle(u) {
		return ending{}
	}
	return ending{e.ClassOver, EndClass, "Its class was over at " + clockTime(e.ClassOver) + ", and nobody is using it: " + u.Verdict.Reason + "."}
}

// courseEnd is the end that the course sets, whoever uses it.
func courseEnd(e Environment) ending {
	if e.CourseEnd == nil {
		return ending{}
	}
	reason := "The course " + e.Course + " ends at " + clockTime(e.CourseEnd.At) + "."
	if e.CourseEnd.Cause == EndLeft {
		reason = e.Owner + " is no longer on the roster of the course " + e.Course + "; what they have there is kept until " + clockTime(e.CourseEnd.At) + "."
	}
	return ending{e.CourseEnd.At, e.CourseEnd.Cause, reason}
}

// stillEnds reports whether what the owner was told is the course's own end,
// which an earlier one does not take back.
func stillEnds(e Environment) bool {
	return e.Ending != nil && e.CourseEnd != nil && e.Ending.Cause == e.CourseEnd.Cause && e.Ending.At.Equal(e.CourseEnd.At)
}

func inUse(u Use) string {
	switch u.Verdict.Is {
	case VerdictActive:
		return "in use (" + u.Verdict.Reason + ")"
	case VerdictIdle:
		return "idle (" + u.Verdict.Reason + ")"
	default:
		return "nobody can tell whether it is in use (" + first(u.Verdict.Reason, "not looked at yet") + ")"
	}
}

// idleEnd is when idleness ends it.
func idleEnd(p Policy, e Environment, u Use, now time.Time) ending {
	limit, why := idleLimit(p, u, now)
	if limit == 0 || !foundIdle(u) {
		return ending{}
	}
	cause := EndIdle
	if !u.Ever {
		cause = EndUnused
	}
	return ending{latest(u.Verdict.Since.Add(limit), e.KeepUntil), cause,
		fmt.Sprintf("Idle: %s; it ends after %s without use%s.", u.Verdict.Reason, FormatDuration(limit), why)}
}

// idleLimit is how long it may be idle, and in parentheses why that long when
// it is not simply the policy's.
func idleLimit(p Policy, u Use, now time.Time) (limit time.Duration, why string) {
	switch {
	case p.Adaptive && u.Limit > 0:
		limit, why = u.Limit, " ("+u.LimitWhy+")"
	case !u.Ever:
		limit = max(p.Unused, p.Idle)
	default:
		limit = p.Idle
	}
	if least := p.IdleMin; least > 0 && least < limit {
		switch {
		case u.Tight:
			return least, " (its budget is spent)"
		case inQuietHours(p.QuietHours, now):
			return least, " (quiet hours: " + p.QuietHours + ")"
		}
	}
	return limit, why
}

// leadsFor are the warnings that make sense before an end, longest first. An
// idle limit of 15 minutes has no room for a warning 30 minutes ahead.
func leadsFor(p Policy, cause EndCause, u Use, now time.Time) []time.Duration {
	leads := slices.Clone(p.Warnings)
	slices.SortFunc(leads, func(a, b time.Duration) int { return int(b - a) })
	leads = slices.Compact(leads)
	if cause == EndIdle || cause == EndUnused {
		limit, _ := idleLimit(p, u, now)
		if cause == EndUnused {
			limit = min(limit, p.Idle)
		}
		most := limit * 2 / 3
		if known := limit - recent - lookLast; cause == EndIdle && p.Adaptive && u.Limit > 0 && known > 0 {
			most = min(most, known) // it ends when it was learnt to, not later for being told late
		}
		leads = slices.DeleteFunc(leads, func(d time.Duration) bool { return d > most })
		if len(leads) == 0 && len(p.Warnings) > 0 {
			leads = []time.Duration{most}
		}
	}
	return leads
}

// promised: the owner knows of this end; the next warning, or the end.
func promised(j Judgement, told Ending, leads []time.Duration, now time.Time) Judgement {
	if !now.Before(j.At) {
		j.Action = ReapDelete
		return j
	}
	for _, lead := range slices.Backward(leads) { // the shortest that is due
		if j.At.Sub(now) <= lead && lead < told.Lead {
			j.Action, j.Lead = ReapWarn, lead
			return j
		}
	}
	return j
}

// surprise: the owner does not know of this end, or of another one.
func surprise(p Policy, e Environment, u Use, j Judgement, now time.Time) Judgement {
	leads, hard := leadsFor(p, j.Cause, u, now), maximum(p, e)
	due := slices.IndexFunc(leads, func(d time.Duration) bool { return j.At.Sub(now) <= d })
	switch {
	case len(leads) == 0 && !now.Before(j.At), !hard.IsZero() && !now.Before(hard):
		j.Action = ReapDelete // there is nothing to say, or no time left to say it
		return j
	case due < 0:
		return goesOn(j, e, u, now) // it ends later than any warning
	}
	// Whoever was not told in time gets the time of the last warning.
	if least := leads[len(leads)-1]; j.At.Sub(now) < least/2 {
		j.At = now.Add(least)
		if !hard.IsZero() && j.At.After(hard) {
			j.At = hard
		}
	}
	j.Action = ReapWarn
	for _, lead := range leads[due:] { // the shortest that is due: one message, not two at once
		if j.At.Sub(now) <= lead {
			j.Lead = lead
		}
	}
	return j
}
