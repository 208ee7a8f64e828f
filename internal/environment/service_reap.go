package environment

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// reaperCaller is who the reaper acts as: an admin, by name.
var reaperCaller = Caller{Subject: "reaper", Role: RoleAdmin, Via: ViaReaper}

// PlanItem is what the reaper would do with one environment now.
type PlanItem struct {
	Environment Environment
	Use         Use
	Judgement   Judgement
	Terms       Terms
	// USDPerHour is what it costs, as estimated at the last look; 0 when it was
	// never looked at.
	USDPerHour float64
}

// RestsOnUse reports whether it would end now because nobody uses it, which
// has to be seen right before. Its maximum, and an end that the course sets,
// wait for nobody, and what was never ready cannot be asked.
func (i PlanItem) RestsOnUse() bool {
	c := i.Judgement.Cause
	return i.Judgement.Action == ReapDelete && !i.Environment.ReadyAt.IsZero() && c != EndMaximum && !c.ByCourse()
}

// Plan says what the reaper would do now, judged by the last looks: the same
// rule as a run's, without its fresh looks. It is for staff, who see their
// courses', and admins, who see all; what becomes of their own, students read
// with each environment.
func (s *Service) Plan(ctx context.Context, who Caller) ([]PlanItem, error) {
	if err := Authorize(who, ActionReap, "", ""); err != nil {
		return nil, err
	}
	f := Filter{States: reapable, Limit: 200}
	now := s.clock()
	var plan []PlanItem
	for {
		items, next, err := s.List(ctx, who, f)
		if err != nil {
			return nil, err
		}
		uses, err := s.store.Uses(ctx, idsOf(items))
		if err != nil {
			return nil, err
		}
		for _, e := range items {
			terms := s.TermsFor(e)
			use := uses[e.ID].leased(terms.Policy, e)
			plan = append(plan, PlanItem{Environment: e, Use: use, Judgement: Judge(terms.Policy, e, use, now), Terms: terms})
		}
		if next == "" {
			return plan, nil
		}
		f.Cursor = next
	}
}

// reapable are the states in which an environment can come to its end.
var reapable = []State{StatePending, StateCreating, StateReady, StateUpdating}

func idsOf(items []Environment) []string {
	ids := make([]string, len(items))
	for i, e := range items {
		ids[i] = e.ID
	}
	return ids
}

// Reapable lists every environment that can come to its end, for a run.
func (s *Service) Reapable(ctx context.Context) ([]string, error) {
	if err := s.weighAgain(ctx); err != nil {
		return nil, err
	}
	var ids []string
	err := s.each(ctx, Filter{States: reapable}, func(e Environment) bool {
		ids = append(ids, e.ID)
		return true
	})
	return ids, err
}

// Consider looks at an environment, unless it was looked at lately and
// nothing is about to happen to it, remembers what it saw and says what is to
// be done. It does not do it; Carry does. With dry set nothing is remembered.
func (s *Service) Consider(ctx context.Context, id string, dry bool) (PlanItem, error) {
	item, err := s.Recall(ctx, id)
	if err != nil {
		return item, err
	}
	now := s.clock()
	if e := item.Environment; !e.ReadyAt.IsZero() && e.Desired == Present && item.Use.Due(item.Judgement, now) {
		if err := s.look(ctx, &item, now, dry); err != nil {
			return item, err
		}
	}
	return item, nil
}

// Recall is Consider by the last look alone: for what a run has no time to
// look at, whose maximum and warnings still come.
func (s *Service) Recall(ctx context.Context, id string) (PlanItem, error) {
	e, err := s.store.Environment(ctx, id)
	if err != nil {
		return PlanItem{}, err
	}
	uses, err := s.store.Uses(ctx, []string{id})
	if err != nil {
		return PlanItem{}, err
	}
	item := PlanItem{Environment: e, Use: uses[id], Terms: s.TermsFor(e), USDPerHour: uses[id].Rate}
	item.Judgement = Judge(item.Terms.Policy, e, item.Use, s.clock())
	return item, nil
}

// look asks the environment itself, and judges anew.
func (s *Service) look(ctx context.Context, i *PlanItem, now time.Time, dry bool) error {
	a, memory := s.probe(ctx, i.Environment, i.Use.Memory, now)
	a.At = now
	fresh := i.Use.Activity.At.IsZero()
	i.Use.Tight = s.tight(i.Environment.ID)
	i.Use.Learn(i.Terms.Policy, i.Environment, a, memory)
	if err := s.accustom(ctx, i, fresh, dry); err != nil {
		return err
	}
	i.Judgement = Judge(i.Terms.Policy, i.Environment, i.Use, now)
	if dry {
		return nil
	}
	if err := s.account(ctx, i, now); err != nil {
		return err
	}
	return s.store.Commit(ctx, Change{Uses: []Use{i.Use}})
}

// probe asks the environment what goes on there. Whatever is in the way of
// asking is a signal that nothing is known.
func (s *Service) probe(ctx context.Context, e Environment, memory map[string]string, now time.Time) (Activity, map[string]string) {
	unknown := func(why string) (Activity, map[string]string) {
		return Activity{At: now, Signals: []Signal{{Source: "cluster", Kind: SignalUnknown, Message: why}}}, memory
	}
	if s.prober == nil {
		return unknown("nothing here can ask about its use")
	}
	t, plan, err := s.reach(ctx, reaperCaller, ActionView, e.ID)
	if err != nil {
		return unknown("the cluster cannot be asked: " + MessageOf(err))
	}
	return s.prober.Probe(ctx, Probe{Environment: e, Plan: plan, Target: t, Memory: memory, Now: now})
}

// account adds what the environment cost since the last look to its days.
func (s *Service) account(ctx context.Context, i *PlanItem, now time.Time) error {
	l, err := s.lookAt(ctx, i.Environment, i.Use)
	if err != nil {
		return err
	}
	i.USDPerHour = l.Cost.USDPerHour
	i.Use.Spend(l.Cost.USDPerHour, i.Environment.CreatedAt, now)
	i.Use.Rate, i.Use.Fee = l.Cost.USDPerHour, l.Cost.fee
	return nil
}

// Spend books an hourly price from where the books end (from, at first) to
// now, split at midnight UTC.
func (u *Use) Spend(usdPerHour float64, from, now time.Time) {
	from = latest(from, u.SpentUntil)
	if u.Spent == nil {
		u.Spent = map[string]float64{}
	}
	perDay(from, now, usdPerHour, func(day string, usd float64) { u.Spent[day] += usd })
	u.SpentUntil = latest(u.SpentUntil, now) // a clock that is set back books nothing twice
}

// Carry does what Consider said, if that still holds for the row as it is
// now: an extension that came in between is read, and wins. What would end
// because nobody uses it is looked at again when its last look is not fresh: a
// run over many takes minutes, in which work begins. A warning that comes too
// late for its end becomes no deletion: nobody looked right before.
func (s *Service) Carry(ctx context.Context, i PlanItem) (Judgement, error) {
	var j Judgement
	if i.RestsOnUse() {
		var err error
		if i, err = s.Consider(ctx, i.Environment.ID, false); err != nil {
			return j, err
		}
	}
	_, err := s.change(ctx, reaperCaller, ActionDelete, i.Environment.ID, 0, func(e *Environment, now time.Time) (Event, error) {
		use := i.Use
		use.Verdict = Assess(s.TermsFor(*e).Policy, *e, use) // a lease may be new
		j = Judge(s.TermsFor(*e).Policy, *e, use, now)
		if j.Action == ReapDelete && i.Judgement.Action != ReapDelete {
			j.Action, j.Reason = ReapKeep, j.Reason+" The next run looks first."
		}
		e.LastActivityAt = latest(e.LastActivityAt, use.Activity.Last())
		return carry(e, j, now), nil
	})
	return j, err
}

// carry writes a judgement into the row; the zero event means that there is
// nothing to write.
func carry(e *Environment, j Judgement, now time.Time) Event {
	switch {
	case j.Action == ReapDelete:
		e.EndedBecause, e.Ending = j.Cause, nil
		MarkDown(e, now, endedWords(j.Cause)+" It is being deleted.")
		return event(*e, EventStopping, reaperCaller.Subject, j.Reason, now)
	case j.Action == ReapWarn:
		told := now
		if e.Ending != nil && e.Ending.Cause == j.Cause && e.Ending.At.Equal(j.At) {
			told = e.Ending.ToldAt
		}
		e.Ending = &Ending{At: j.At, Cause: j.Cause, Lead: j.Lead, ToldAt: told}
		return event(*e, EventWarned, reaperCaller.Subject, "It ends at "+clockTime(j.At)+" unless it is extended or used. "+j.Reason, now)
	case j.Revive:
		e.Ending = nil
		return event(*e, EventKept, reaperCaller.Subject, "It goes on: "+j.Reason, now)
	default:
		return Event{}
	}
}

func endedWords(c EndCause) string {
	switch c {
	case EndIdle:
		return "Nobody was using it."
	case EndClass:
		return "Its class is over."
	case EndLeft:
		return "Its owner is no longer in the course."
	case EndCourse:
		return "The course has ended."
	case EndUnused:
		return "Nobody has ever used it."
	case EndMaximum:
		return "It reached the longest life that is allowed."
	default:
		return "Its time is over."
	}
}

// Keep is a lease: the environment counts as in use for d from now, for work
// that cannot be seen from outside. It does not move the deadline.
func (s *Service) Keep(ctx context.Context, who Caller, id string, d time.Duration, expect int64) (Environment, error) {
	if d < time.Minute || d > longestLease {
		return Environment{}, Invalid("for", "%s is not a time to keep it for: 1m to %s, for example \"1h\".", FormatDuration(d), FormatDuration(longestLease))
	}
	return s.change(ctx, who, ActionChange, id, expect, func(e *Environment, now time.Time) (Event, error) {
		if err := running(e); err != nil {
			return Event{}, err
		}
		if !now.Add(d).After(e.KeepUntil) {
			return Event{}, nil
		}
		e.KeepUntil = now.Add(d)
		e.ClassOver = time.Time{}
		if e.Ending != nil && e.Ending.Cause.ForWantOfUse() {
			e.Ending = nil
		}
		return event(*e, EventKept, who.Subject, "Kept until "+clockTime(e.KeepUntil)+".", now), nil
	})
}

const longestLease = 24 * time.Hour

// Protect keeps the reaper away from an environment, or lets it back; staff of
// the course and admins.
func (s *Service) Protect(ctx context.Context, who Caller, id string, on bool, expect int64) (Environment, error) {
	if who.Role == RoleStudent {
		return Environment{}, Errorf(CodeForbidden, "Only staff may protect an environment; `daskbot extend` moves its end.")
	}
	return s.change(ctx, who, ActionChange, id, expect, func(e *Environment, now time.Time) (Event, error) {
		switch {
		case on && e.Protected != nil, !on && e.Protected == nil:
			return Event{}, nil
		case !on:
			e.Protected = nil
			return event(*e, EventChanged, who.Subject, "No longer protected: the reaper judges it again.", now), nil
		}
		if err := running(e); err != nil {
			return Event{}, err
		}
		e.Protected, e.Ending = &Protection{By: who.Subject, At: now}, nil
		return event(*e, EventKept, who.Subject, "Protected: only a person ends it.", now), nil
	})
}

// ReaperState is what people decided about the reaper as a whole.
type ReaperState struct {
	Paused bool      `json:"paused"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	// Reason is what who paused or resumed it last said; "" for nothing.
	Reason string `json:"reason,omitempty"`
	// Held says why the last run stopped and waits for a person; "" if it did not.
	Held string `json:"held,omitempty"`
}

const reaperNote = "reaper"

// Reaper reads it.
func (s *Service) Reaper(ctx context.Context) (ReaperState, error) {
	state, _, err := s.reaperState(ctx)
	return state, err
}

func (s *Service) reaperState(ctx context.Context) (ReaperState, Note, error) {
	var state ReaperState
	note, err := s.store.Note(ctx, reaperNote)
	switch {
	case CodeOf(err) == CodeNotFound:
		return state, Note{Key: reaperNote}, nil
	case err != nil:
		return state, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &state); err != nil {
		return state, note, &Error{Code: CodeInternal, Message: "What was noted about the reaper cannot be read.", Err: err}
	}
	return state, note, nil
}

// Pause stops the reaper from ending anything, or lets it go on; staff and
// admins. It is an event with whoever did it and their reason, since everybody
// pays for what then stands.
func (s *Service) Pause(ctx context.Context, who Caller, paused bool, reason string) (ReaperState, error) {
	if err := Authorize(who, ActionReap, "", ""); err != nil {
		return ReaperState{}, err
	}
	reason = strings.TrimSpace(reason)
	if len(reason) > maxReason {
		return ReaperState{}, Invalid("reason", "A reason is at most %d bytes, for example \"the hub is being repaired\".", maxReason)
	}
	now := s.clock()
	happened := Event{At: now, Type: EventPaused, Message: "The reaper is paused: nothing ends by itself.", Actor: who.Subject, Detail: reason}
	if !paused {
		happened.Type, happened.Message = EventResumed, "The reaper goes on."
	}
	return s.noteReaper(ctx, func(state *ReaperState) {
		*state = ReaperState{Paused: paused, By: who.Subject, At: now, Reason: reason}
	}, happened)
}

const maxReason = 500

// Hold notes why a run stopped at its limit, "" that it did not.
func (s *Service) Hold(ctx context.Context, why string) error {
	state, err := s.Reaper(ctx)
	if err != nil || state.Held == why {
		return err
	}
	_, err = s.noteReaper(ctx, func(state *ReaperState) { state.Held = why })
	return err
}

func (s *Service) noteReaper(ctx context.Context, edit func(*ReaperState), events ...Event) (ReaperState, error) {
	for range 3 {
		state, note, err := s.reaperState(ctx)
		if err != nil {
			return state, err
		}
		edit(&state)
		value, err := json.Marshal(state)
		if err != nil {
			return state, err
		}
		note.Value = string(value)
		if err = s.store.Commit(ctx, Change{Note: &note, Events: events}); CodeOf(err) != CodeConflict {
			return state, err
		}
	}
	return ReaperState{}, Errorf(CodeConflict, "Somebody else is changing the reaper at the same moment; try again.")
}
