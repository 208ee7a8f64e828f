package environment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CourseChange is what writing a course changes, or changed.
type CourseChange struct {
	// Course is as it is afterwards.
	Course  Course
	Created bool
	// Diff is empty when nothing is different.
	Diff []Difference
}

// CourseDocument reads a course as a document. Staff of the course and admins.
func (s *Service) CourseDocument(ctx context.Context, who Caller, id string) (Course, error) {
	return s.class(ctx, who, id)
}

// ApplyCourse brings a stored course to what the document says, or makes it,
// and says what that changes; with dry it only says so. Members who are not in
// the document are dropped as Unenroll drops them. What became known of a
// member elsewhere, such as the id in a learning platform, stays unless the
// document says otherwise. expect is the Version the caller saw, 0 for any.
//
// Only admins make a course, or change who pays, how much, and which course of
// a learning platform it is; staff of the course change the rest.
//
// Errors: CodeInvalid names the field; CodeForbidden; CodeQuota for a roster
// that is too long; CodeConflict for a course of the configuration, which names
// the file, when expect does not hold (Field "If-Match"), and when another
// course is bound to the same course of a learning platform.
func (s *Service) ApplyCourse(ctx context.Context, who Caller, doc Course, expect int64, dry bool) (CourseChange, error) {
	if err := s.checkDocument(doc); err != nil {
		return CourseChange{}, err
	}
	return s.editCourse(ctx, courseEdit{who: who, id: doc.ID, expect: expect, dry: dry, create: true,
		change: func(c *Course) error { return s.replace(ctx, who, c, doc) }})
}

// checkDocument refuses what could not be carried out, before anything is read.
func (s *Service) checkDocument(doc Course) error {
	if err := s.roll.fits(len(doc.Members)); err != nil {
		return err
	}
	if err := validCourse(doc.withSubjects()); err != nil {
		return err
	}
	if _, ok := s.catalogue.Profile(doc.Profile); !ok && doc.Profile != "" {
		return s.unknownProfile(doc.Profile)
	}
	for i, line := range doc.Schedules {
		line.Course, line.Timezone = doc.ID, first(doc.Timezone, "UTC")
		if err := s.roll.check(line); err != nil {
			return Invalid(fmt.Sprintf("schedules[%d].cron", i), "%s", MessageOf(err))
		}
	}
	return nil
}

// withSubjects stands in for what is looked up later, so that the form of
// members can be checked without the store.
func (c Course) withSubjects() Course {
	c = c.clone()
	c.Staff = CleanSubjects(c.Staff)
	for i, m := range c.Members {
		m = m.clean()
		m.Subject, m.Role = first(m.Subject, m.Email), first(m.Role, MemberStudent)
		c.Members[i] = m
	}
	return c
}

// replace makes a course what the document says.
func (s *Service) replace(ctx context.Context, who Caller, c *Course, doc Course) error {
	members, err := s.registered(ctx, who, c, doc.Members)
	if err != nil {
		return err
	}
	staff, err := s.speltAll(ctx, *c, doc.Staff)
	if err != nil {
		return err
	}
	next := doc.clone()
	next.Title, next.Timezone = first(strings.TrimSpace(doc.Title), doc.ID), first(doc.Timezone, "UTC")
	if q := next.Policy.QuietHours; q != "" && !strings.Contains(q, " ") {
		next.Policy.QuietHours = q + " " + next.Timezone // a course's quiet hours are those of its clock
	}
	if next.Policy.CourseBudget > 0 { // one name for it
		next.Budget, next.Policy.CourseBudget = next.Policy.CourseBudget, 0
	}
	for i := range next.Schedules {
		next.Schedules[i].Course, next.Schedules[i].Timezone = "", ""
	}
	next.Staff = staff
	next.Members, next.Left = members, c.Left
	next.Notifications = c.subscribed(doc.Notifications, s.clock())
	next.Origin, next.File, next.Version = OriginStored, "", c.Version
	if who.Role != RoleAdmin && next.money() != c.money() {
		return Errorf(CodeForbidden, "Only an admin may change who pays (project), how much (budget, and the policy's budgets, hours and numbers) and which course of a learning platform this is (lms).")
	}
	*c = next
	return nil
}

// EndCourse sets the end of a course to at, of which everybody in it is told
// then, unless it ends sooner already. Of a course of the configuration it is
// kept beside the file, where the file says no end: what it says holds. ends is
// when the course ends now. Staff of the course and admins.
func (s *Service) EndCourse(ctx context.Context, who Caller, course string, at time.Time) (ends time.Time, err error) {
	file, err := s.named(ctx, course)
	if err != nil {
		return time.Time{}, err
	}
	made, err := s.editCourse(ctx, courseEdit{who: who, id: course, beside: true, change: func(c *Course) error {
		if file.EndsAt.IsZero() && (c.EndsAt.IsZero() || at.Before(c.EndsAt)) {
			c.EndsAt = at.UTC()
		}
		return nil
	}})
	return made.Course.EndsAt, err
}

// PutMembers makes the roster of a stored course what the list says, as
// ApplyCourse does with a document's members.
func (s *Service) PutMembers(ctx context.Context, who Caller, course string, members []Member, expect int64, dry bool) (CourseChange, error) {
	if err := s.roll.fits(len(members)); err != nil {
		return CourseChange{}, err
	}
	if err := validMembers(Course{Members: members}.withSubjects().Members); err != nil {
		return CourseChange{}, err
	}
	return s.editCourse(ctx, courseEdit{who: who, id: course, expect: expect, dry: dry, change: func(c *Course) error {
		next, err := s.registered(ctx, who, c, members)
		if err != nil {
			return err
		}
		paid := c.money() // without whom that dropped: leaving is no change of who pays
		c.Members = next
		if who.Role != RoleAdmin && c.money() != paid {
			return Errorf(CodeForbidden, "Only an admin may say which project pays for a member (project).")
		}
		return nil
	}})
}

// registered completes a list of members, and drops from c whoever is not in it.
func (s *Service) registered(ctx context.Context, who Caller, c *Course, list []Member) ([]Member, error) {
	members := make([]Member, len(list))
	named := map[string]bool{}
	for i, m := range list {
		next, err := s.completeMember(ctx, *c, m)
		if err != nil {
			return nil, err
		}
		next.Role, next.Project = first(m.Role, MemberStudent), strings.TrimSpace(m.Project)
		members[i], named[next.Subject] = next, true
	}
	if err := validMembers(members); err != nil {
		return nil, err
	}
	for _, subject := range c.Subjects() {
		if !named[subject] {
			s.drop(c, who, subject, "")
		}
	}
	c.Left = slices.DeleteFunc(c.Left, func(l Leaver) bool { return named[l.Subject] })
	return members, nil
}

// DeleteCourse ends a stored course: it is found no more, its schedules stop,
// and what lives in it ends after the policy's grace, announced. A course that
// was deleted before is CodeNotFound. Admins only; other errors are those of
// ApplyCourse.
func (s *Service) DeleteCourse(ctx context.Context, who Caller, id string, expect int64) error {
	if _, err := s.class(ctx, who, id); err != nil {
		return err
	}
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return err
	}
	_, err := s.editCourse(ctx, courseEdit{who: who, id: id, expect: expect, change: func(c *Course) error {
		c.DeletedAt = s.clock()
		end := c.DeletedAt.Add(first(s.terms(Profile{}, *c).Policy.Grace, usualGrace))
		if c.EndsAt.IsZero() || end.Before(c.EndsAt) {
			c.EndsAt = end
		}
		return nil
	}})
	return err
}
