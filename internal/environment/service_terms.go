package environment

import (
	"context"
	"time"
)

// attended finds the course that a request is for, and refuses who may not
// have anything there; the zero Course for none.
func (s *Service) attended(ctx context.Context, who Caller, r Request) (Course, error) {
	if r.Course == "" {
		return Course{}, Authorize(who, ActionCreate, r.Owner, "")
	}
	if err := ValidCourse(r.Course); err != nil {
		return Course{}, err
	}
	class, err := s.roster.Class(ctx, r.Course)
	if CodeOf(err) == CodeNotFound {
		return class, Invalid("course", "There is no course %q; leave it out, or ask the staff for its id.", r.Course)
	}
	if err != nil {
		return class, err
	}
	if err := Authorize(who, ActionCreate, r.Owner, r.Course); err != nil {
		return class, err
	}
	if class.Over(s.clock()) {
		return class, Errorf(CodeForbidden, "The course %s ended on %s, so nothing can be started in it any more.", class.ID, class.EndsAt.UTC().Format("2 January 2006"))
	}
	if !class.admits(who, r.Owner) {
		return class, Errorf(CodeForbidden, "%s is not on the roster of the course %s; ask its staff to be added.", r.Owner, class.ID)
	}
	return class, nil
}

// policy is what holds for a profile in a course: the profile's own limits,
// then the course's, then the default ones.
func (s *Service) policy(p Profile, c Course) Policy { return s.terms(p, c).Policy }

func (s *Service) terms(p Profile, c Course) Terms {
	return TermsOf(p.Policy, c.Limits(), s.catalogue.Policy())
}

// TermsFor are the limits that hold for an environment: those promised when it
// was asked for.
func (s *Service) TermsFor(e Environment) Terms {
	if len(e.Terms.From) > 0 {
		return e.Terms
	}
	return s.terms(e.Recipe, Course{}) // from before terms were kept
}

func (s *Service) checkLifetime(r Request, policy Policy) error {
	switch {
	case r.TTL != 0 && !r.Until.IsZero():
		return Invalid("ttl", "Give either ttl or until, not both, for example ttl \"4h\".")
	case r.TTL < 0 || r.TTL != 0 && r.TTL < 5*time.Minute:
		return Invalid("ttl", "%s is too short: at least 5m, for example \"4h\".", FormatDuration(r.TTL))
	case r.TTL > policy.MaxTTL && policy.MaxTTL > 0:
		return Invalid("ttl", "%s is longer than the %s that is allowed, for example \"%s\"; it can be extended later.", FormatDuration(r.TTL), FormatDuration(policy.MaxTTL), FormatDuration(policy.MaxTTL))
	}
	if err := checkUntil(r.Until, s.clock(), policy.MaxTTL); err != nil {
		return err
	}
	return checkIdle(r, policy)
}

// checkUntil says times as whoever asked reads a clock, in the zone they were
// given in; and a duration, which can be asked for in every place alike.
func checkUntil(until, now time.Time, most time.Duration) error {
	const least = 5 * time.Minute
	say := func(t time.Time) string { return t.In(until.Location()).Format("Mon 2 Jan 2006 15:04 MST") }
	switch {
	case until.IsZero():
		return nil
	case !until.After(now.Add(least)):
		return Invalid("until", "%s is not far enough in the future: it is %s now, and the least is %s from now. For example, ask for it for %s.",
			say(until), say(now), FormatDuration(least), FormatDuration(min(time.Hour, first(most, time.Hour))))
	case most > 0 && until.Sub(now) > most:
		return Invalid("until", "%s is more than the allowed %s away: until %s at the latest. For example, ask for it for %[2]s; it can be extended later.",
			say(until), FormatDuration(most), say(now.Add(most)))
	}
	return nil
}

func checkIdle(r Request, policy Policy) error {
	switch most := policy.longestIdle(); {
	case r.Idle == 0:
		return nil
	case r.Idle < min(shortestIdle, first(most, shortestIdle)):
		return Invalid("idle", "%s is too short: what is in use may look idle for some minutes; the least is %s.", FormatDuration(r.Idle), FormatDuration(min(shortestIdle, first(most, shortestIdle))))
	case most > 0 && r.Idle > most:
		return Invalid("idle", "%s is longer than the %s that is allowed; it can only be made shorter. `daskbot keep` counts it as in use for a while.", FormatDuration(r.Idle), FormatDuration(most))
	}
	return nil
}
