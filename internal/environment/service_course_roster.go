package environment

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// registry is the Roster of every class: those of the configuration, which
// come first, and the stored ones.
type registry struct {
	configured Roster // nil for none
	store      Store
}

func newRegistry(configured Roster, store Store) registry { return registry{configured, store} }

// Class finds one, wherever it is defined. A deleted one is CodeNotFound.
func (r registry) Class(ctx context.Context, id string) (Course, error) {
	none := Errorf(CodeNotFound, "There is no course %q.", clip(id))
	if r.configured != nil {
		if class, err := r.configured.Class(ctx, id); err == nil {
			return r.joined(ctx, class)
		} else if CodeOf(err) != CodeNotFound {
			return class, err
		}
	}
	if ValidCourse(id) != nil {
		return Course{}, none
	}
	class, err := r.store.Course(ctx, id)
	if CodeOf(err) == CodeNotFound || err == nil && !class.stands() {
		return Course{}, none
	}
	return class, err
}

// stands reports whether a row is a course by itself: it is not deleted, and
// not what was beside one that is no longer in the configuration.
func (c Course) stands() bool { return c.DeletedAt.IsZero() && c.Origin != OriginConfiguration }

// Classes lists all, by id.
func (r registry) Classes(ctx context.Context) ([]Course, error) {
	all, err := r.store.Courses(ctx, false)
	if err != nil {
		return nil, err
	}
	var configured []Course
	if r.configured != nil {
		if configured, err = r.configured.Classes(ctx); err != nil {
			return nil, err
		}
	}
	for i, c := range configured {
		if j := slices.IndexFunc(all, func(row Course) bool { return row.ID == c.ID }); j >= 0 {
			configured[i] = c.joinedBy(all[j])
			all = slices.Delete(all, j, j+1)
		}
	}
	all = append(slices.DeleteFunc(all, func(c Course) bool { return !c.stands() }), configured...)
	slices.SortFunc(all, func(a, b Course) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// knownCourse refuses, as a field of a request, a course that there is not;
// none ("") always is.
func (s *Service) knownCourse(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	_, err := s.roster.Class(ctx, id)
	if CodeOf(err) == CodeNotFound {
		return Invalid("course", "There is no course %q.", clip(id))
	}
	return err
}

// WhomEnrollTakes is who a member that is named only in part is, or would be, in
// a course. For daskbot's own parts: it checks no caller. Errors are Enroll's.
func (s *Service) WhomEnrollTakes(ctx context.Context, course string, m Member) (Member, error) {
	c, err := s.roster.Class(ctx, course)
	if err != nil {
		return Member{}, err
	}
	return s.completeMember(ctx, c, m)
}

// spelt is a name in the form it is kept in: the one of addresses, unless somebody
// is on the roster, is registered or has something under exactly this name, from
// before names were compared without capitals.
func (s *Service) spelt(ctx context.Context, c Course, subject string) (string, error) {
	exact, clean := strings.TrimSpace(subject), CleanSubject(subject)
	if exact == clean || c.index(exact) >= 0 {
		return exact, nil
	}
	if _, err := s.store.Person(ctx, exact); CodeOf(err) != CodeNotFound {
		return exact, err
	}
	theirs, _, err := s.store.Environments(ctx, Filter{Owner: exact, States: reapable, Limit: 1})
	if err != nil || len(theirs) > 0 {
		return exact, err
	}
	return clean, nil
}

// speltAll is spelt of several, each once.
func (s *Service) speltAll(ctx context.Context, c Course, list []string) ([]string, error) {
	var out []string
	for _, subject := range list {
		name, err := s.spelt(ctx, c, subject)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// completeMember finds out who m is and what is known of them.
func (s *Service) completeMember(ctx context.Context, c Course, m Member) (Member, error) {
	subject, err := s.spelt(ctx, c, m.Subject)
	if err != nil {
		return m, err
	}
	m = m.clean()
	m.Subject = subject
	if old, ok := c.known(m); ok {
		return m.over(old), nil
	}
	if m.Subject == "" && m.Email != "" {
		p, err := s.store.PersonByEmail(ctx, m.Email)
		switch CodeOf(err) {
		case "":
			m.Subject = p.Subject
		case CodeNotFound:
			m.Subject = m.Email
		case CodeConflict:
			return m, Invalid("email", "Several people are known by %s; give the member's subject.", clip(m.Email))
		default:
			return m, err
		}
	}
	return m.over(Member{}), nil
}

// admit puts a member on the roster, in place of the one of that subject.
func (c *Course) admit(m Member) {
	if i := c.index(m.Subject); i >= 0 {
		c.Members[i] = m
	} else {
		c.Members = append(c.Members, m)
	}
	c.Left = slices.DeleteFunc(c.Left, func(l Leaver) bool { return l.Subject == m.Subject })
}

// leaverKept is how long a course remembers who left it, once what they had
// has ended.
const leaverKept = 30 * 24 * time.Hour

// drop takes a member off the roster and notes when what they have ends.
func (s *Service) drop(c *Course, who Caller, subject, reason string) {
	i := c.index(subject)
	if i < 0 {
		return
	}
	now := s.clock()
	grace := first(s.terms(Profile{}, *c).Policy.Grace, usualGrace)
	c.Members = slices.Delete(c.Members, i, i+1)
	c.Left = slices.DeleteFunc(c.Left, func(l Leaver) bool { return l.Subject == subject || now.Sub(l.EndsAt) > leaverKept })
	c.Left = append(c.Left, Leaver{Subject: subject, At: now, EndsAt: now.Add(grace), Reason: clip(reason), By: who.Subject})
}

// CourseByLMS finds the course that is bound to a course of a learning
// platform, or to all of its source's; CodeNotFound for none. For daskbot's own
// parts: it checks no caller.
func (s *Service) CourseByLMS(ctx context.Context, source, lmsContext string) (Course, error) {
	for _, b := range []LMSBinding{{source, lmsContext}, {source, ""}} {
		c, err := s.boundTo(ctx, b)
		if CodeOf(err) != CodeNotFound {
			return c, err
		}
	}
	return Course{}, Errorf(CodeNotFound, "No course here is bound to the course %q of %s.", clip(lmsContext), clip(source))
}

// boundTo finds the course with exactly this binding.
func (s *Service) boundTo(ctx context.Context, b LMSBinding) (Course, error) {
	if s.roster.configured != nil {
		configured, err := s.roster.configured.Classes(ctx)
		if err != nil {
			return Course{}, err
		}
		if i := slices.IndexFunc(configured, func(c Course) bool { return slices.Contains(c.LMS, b) }); i >= 0 {
			return s.roster.joined(ctx, configured[i])
		}
	}
	id, err := s.store.CourseByLMS(ctx, b)
	if err != nil {
		return Course{}, err
	}
	return s.roster.Class(ctx, id)
}

// MemberByLMS finds a member by the platform's id; CodeNotFound for nobody.
// For daskbot's own parts: it checks no caller.
func (s *Service) MemberByLMS(ctx context.Context, course, lmsID string) (Member, error) {
	c, err := s.roster.Class(ctx, course)
	if err != nil {
		return Member{}, err
	}
	m, ok := c.known(Member{LMSID: lmsID})
	if !ok || lmsID == "" {
		return Member{}, Errorf(CodeNotFound, "Nobody on the roster of %s has this id in the learning platform.", c.ID)
	}
	return m, nil
}
