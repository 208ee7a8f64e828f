package environment

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// change reads, authorizes, applies edit and commits one transaction. expect
// is the Version the caller saw, 0 for any. A row that moved under an
// unconditional command is read again: the command still means the same.
func (s *Service) change(ctx context.Context, who Caller, a Action, id string, expect int64,
	edit func(*Environment, time.Time) (Event, error)) (Environment, error) {
	const tries = 10 // the runner writes the row too, each time it gets further
	for i := 1; ; i++ {
		e, err := s.fetch(ctx, who, a, id)
		if err != nil {
			return e, err
		}
		if done, err := s.doneBefore(ctx, id); done || err != nil {
			return e, err
		}
		if expect != 0 && expect != e.Version {
			return e, &Error{Code: CodeConflict, Field: "If-Match", Message: "The environment changed since you looked; look again and decide again."}
		}
		now := s.clock()
		ev, err := edit(&e, now)
		if err != nil || ev.Type == "" {
			return e, err
		}
		err = s.store.Commit(ctx, Change{Environment: &e, Events: []Event{ev}, Wake: []Job{{JobEnvironment, e.ID, wakeUrgency(who, e)}},
			Replay: s.onceFor(id, now), Audited: auditedEvent(ctx, who, a, ev)})
		if err == nil {
			e.Version++
			return e, nil
		}
		if CodeOf(err) != CodeConflict || i == tries {
			return e, err
		}
	}
}

func wakeUrgency(who Caller, e Environment) Urgency {
	if e.Desired == Absent {
		return UrgencyDelete
	}
	return urgency(who)
}

// Down asks for everything of the environment to be deleted. It is accepted
// in every state, also while a cluster is being made. already says that it
// was gone before.
func (s *Service) Down(ctx context.Context, who Caller, id string, expect int64) (e Environment, already bool, err error) {
	e, err = s.change(ctx, who, ActionDelete, id, expect, func(e *Environment, now time.Time) (Event, error) {
		already = false
		switch {
		case e.State == StateDeleted:
			already = true
			return Event{}, nil
		case e.State == StateDeleting:
			return Event{}, nil
		case e.Phase == PhaseGone: // failed, and nothing is left of it
			already = true
			e.State, e.DeletedAt, e.Message = StateDeleted, now, "Deleted."
			return event(*e, EventDeleted, who.Subject, "Deleted.", now), nil
		}
		MarkDown(e, now, "Being deleted.")
		return event(*e, EventStopping, who.Subject, "Deletion was asked for.", now), nil
	})
	return e, already, err
}

// MarkDown turns the row towards deletion. Work already done on the way down
// by a failed environment is kept.
func MarkDown(e *Environment, now time.Time, message string) {
	if e.Desired == Present {
		e.Phase, e.PhaseSince = PhaseStopping, now
	}
	e.Desired, e.State, e.Message = Absent, StateDeleting, message
	e.Generation++
}

// running refuses changes of what is not there, or no longer.
func running(e *Environment) error {
	if e.Desired == Absent {
		return Errorf(CodeConflict, "This environment is %s; ask for a new one with `daskbot up`.", ended(e.State))
	}
	return nil
}

func ended(s State) string {
	switch s {
	case StateFailed:
		return "failed"
	case StateDeleted:
		return "deleted"
	default:
		return "being deleted"
	}
}

// Extend moves the deadline by d, and is a word that it is in use for as long:
// idleness does not end it before now + d. It never moves the deadline beyond
// the longest lifetime that policy allows, and says how far it can go.
func (s *Service) Extend(ctx context.Context, who Caller, id string, d time.Duration, expect int64) (Environment, error) {
	if d < time.Minute {
		return Environment{}, Invalid("duration", "%s is not a time to extend by, for example \"2h\".", d)
	}
	return s.change(ctx, who, ActionChange, id, expect, func(e *Environment, now time.Time) (Event, error) {
		if err := running(e); err != nil {
			return Event{}, err
		}
		policy := s.TermsFor(*e).Policy
		if policy.Extension > 0 && d > policy.Extension && who.Role == RoleStudent {
			return Event{}, Invalid("duration", "%s is more than the %s that one extension may add, for example \"%s\".", FormatDuration(d), FormatDuration(policy.Extension), FormatDuration(policy.Extension))
		}
		if policy.Extensions > 0 && e.Extensions >= policy.Extensions && who.Role == RoleStudent {
			return Event{}, Invalid("duration", "It was extended %s already, which is all that is allowed; ask the staff of the course for more.", count(e.Extensions, "time", "times"))
		}
		until, err := extended(*e, policy, d, now)
		if err != nil {
			return Event{}, err
		}
		e.Extensions++
		if e.ReadyAt.IsZero() && e.ExpiresAt.IsZero() {
			e.Spec.TTL = until.Sub(time.Time{})
			return event(*e, EventExtended, who.Subject, "It will live for "+FormatDuration(e.Spec.TTL)+" once it is ready.", now), nil
		}
		e.ExpiresAt, e.Ending, e.ClassOver = until, nil, time.Time{}
		if !e.ReadyAt.IsZero() {
			e.KeepUntil = latest(e.KeepUntil, earliest(now.Add(d), until))
		}
		return event(*e, EventExtended, who.Subject, "It now ends at "+until.Format("2006-01-02 15:04 MST")+".", now), nil
	})
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// LongestExtension is how much the caller may add to an environment's life at
// once; 0 or less when nothing may be added.
func (s *Service) LongestExtension(who Caller, e Environment) time.Duration {
	policy := s.TermsFor(e).Policy
	longest := longest
	if policy.Extension > 0 && who.Role == RoleStudent {
		longest = policy.Extension
	}
	from, start := lifeOf(e, s.clock())
	if policy.MaxTTL > 0 {
		longest = min(longest, policy.MaxTTL-from.Sub(start))
	}
	if e.CourseEnd != nil && !start.IsZero() {
		longest = min(longest, e.CourseEnd.At.Sub(from))
	}
	return longest
}

// AddedTo is what an extension adds time to: the deadline or, once that has
// passed, now. It is zero while there is no deadline.
func AddedTo(e Environment, now time.Time) time.Time {
	if e.ExpiresAt.IsZero() {
		return time.Time{}
	}
	deadline, _ := lifeOf(e, now)
	return deadline
}

// lifeOf is the present deadline and what the lifetime counts from; before
// ready, a lifetime after the zero time. What goes on past its deadline since
// it is in use has now for one: time is added to that.
func lifeOf(e Environment, now time.Time) (deadline, start time.Time) {
	deadline, start = e.ExpiresAt, e.ReadyAt
	if start.IsZero() && deadline.IsZero() {
		deadline = time.Time{}.Add(e.Spec.TTL)
	}
	if start.IsZero() && !e.ExpiresAt.IsZero() {
		start = e.CreatedAt
	}
	if !start.IsZero() && !deadline.IsZero() {
		deadline = latest(deadline, now)
	}
	return deadline, start
}

// extended returns the new deadline; before ready, as a lifetime after the
// zero time.
func extended(e Environment, p Policy, d time.Duration, now time.Time) (time.Time, error) {
	from, start := lifeOf(e, now)
	until := from.Add(d)
	if end := e.CourseEnd; end != nil && !start.IsZero() && until.After(end.At) {
		return until, Invalid("duration", "Its course ends it at %s whatever is added; ask the staff of the course.", clockTime(end.At))
	}
	if p.MaxTTL > 0 && until.Sub(start) > p.MaxTTL {
		return until, Invalid("duration", "That would make it live longer than the %s that is allowed; %s can still be added.",
			FormatDuration(p.MaxTTL), FormatDuration(max(p.MaxTTL-from.Sub(start), 0).Truncate(time.Minute)))
	}
	return until, nil
}

// Scale asks for n Dask workers (or, where notebooks make the workers, for
// room for n nodes).
func (s *Service) Scale(ctx context.Context, who Caller, id string, n int, expect int64) (Environment, error) {
	return s.change(ctx, who, ActionChange, id, expect, func(e *Environment, now time.Time) (Event, error) {
		if err := running(e); err != nil {
			return Event{}, err
		}
		if err := checkWorkers(e.Recipe, n); err != nil {
			return Event{}, err
		}
		if n == e.Spec.Workers {
			return Event{}, nil
		}
		e.Spec.Workers = n
		message := fmt.Sprintf("Scaling to %s.", count(n, "worker", "workers"))
		if e.Recipe.Workers.Kind == WorkersNodes {
			message = fmt.Sprintf("Letting the cluster grow to %s.", count(n, "node", "nodes"))
		}
		return changed(e, who, now, message), nil
	})
}

// ChangePackages adds and removes pip requirements, on every side alike.
// Adding one that is there in another version replaces it; removing one that
// is not there is an error, because it is likely a typo.
func (s *Service) ChangePackages(ctx context.Context, who Caller, id string, add, remove []string, expect int64) (Environment, error) {
	add, err := CleanPackages(add)
	if err != nil {
		return Environment{}, err
	}
	if remove, err = CleanPackages(remove); err != nil {
		return Environment{}, err
	}
	if len(add)+len(remove) == 0 {
		return Environment{}, Invalid("packages", "Name at least one package, for example \"xgboost\".")
	}
	return s.change(ctx, who, ActionChange, id, expect, func(e *Environment, now time.Time) (Event, error) {
		if err := running(e); err != nil {
			return Event{}, err
		}
		if !e.Recipe.Packages {
			return Event{}, Invalid("packages", "The profile %s takes no extra packages; profiles that do: %s.", e.Profile, s.takesPackages())
		}
		next, err := mergePackages(e.Spec.Packages, add, remove)
		if err != nil || slices.Equal(next, e.Spec.Packages) {
			return Event{}, err
		}
		e.Spec.Packages = next
		return changed(e, who, now, "Changing the extra packages; notebook and workers restart."), nil
	})
}

func mergePackages(have, add, remove []string) ([]string, error) {
	byName := map[string]string{}
	for _, p := range have {
		byName[PackageName(p)] = p
	}
	for _, p := range remove {
		if _, ok := byName[PackageName(p)]; !ok {
			return nil, Invalid("packages", "%q is not among the extra packages.", p)
		}
		delete(byName, PackageName(p))
	}
	for _, p := range add {
		byName[PackageName(p)] = p
	}
	all := make([]string, 0, len(byName))
	for _, p := range byName {
		all = append(all, p)
	}
	return CleanPackages(all)
}

// Upgrade takes the profile and the newest matching charts as they are
// configured now.
func (s *Service) Upgrade(ctx context.Context, who Caller, id string, expect int64) (Environment, error) {
	return s.change(ctx, who, ActionChange, id, expect, func(e *Environment, now time.Time) (Event, error) {
		if err := running(e); err != nil {
			return Event{}, err
		}
		p, ok := s.catalogue.Profile(e.Profile)
		if !ok {
			return Event{}, Errorf(CodeConflict, "The profile %s is no longer offered, so there is nothing to upgrade to.", e.Profile)
		}
		e.Renew(p)
		s.ownKey(e)
		return changed(e, who, now, "Upgrading to the current "+p.Name+"."), nil
	})
}

// changed marks a new generation to be carried out.
func changed(e *Environment, who Caller, now time.Time, message string) Event {
	e.Generation++
	e.Failure = nil
	e.Message = message
	if e.State == StateReady {
		e.State, e.Phase, e.PhaseSince = StateUpdating, PhaseInstall, now
	}
	return event(*e, EventChanged, who.Subject, message, now)
}
