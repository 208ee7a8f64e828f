package environment

import (
	"context"
	"reflect"
	"time"
)

// usualGrace is how long what a leaver has is kept when no policy says.
const usualGrace = 24 * time.Hour

// usualMembers bounds a roster when nothing else is configured.
const usualMembers = 2000

// rollCall keeps rosters: how large they may be, what checks a schedule, and
// whose turn it is to write.
type rollCall struct {
	most  int
	check func(Schedule) error
	// turn has one token. Whoever edits a course takes it, so that a hundred
	// hooks about one course wait for each other instead of reading it in vain.
	// Other replicas are met by the version.
	turn chan struct{}
}

func newRollCall(c ServiceConfig) *rollCall {
	r := &rollCall{most: c.MaxMembers, check: c.CheckSchedule, turn: make(chan struct{}, 1)}
	if r.most == 0 {
		r.most = usualMembers
	}
	if r.check == nil {
		r.check = func(Schedule) error { return nil }
	}
	return r
}

func (r *rollCall) fits(members int) error {
	if members <= r.most {
		return nil
	}
	return Errorf(CodeQuota, "A roster has at most %d members here, and this would be %d; whoever runs daskbot can raise limits.members.", r.most, members)
}

// wait takes the turn; the caller gives it back with what is returned.
func (r *rollCall) wait(ctx context.Context) (done func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, &Error{Code: CodeUnavailable, Message: "It took too long to get at the course; try again.", Err: ctx.Err()}
	}
}

// courseEdit is one change of a course.
type courseEdit struct {
	who    Caller
	id     string
	expect int64 // the Version the caller saw, 0 for any
	dry    bool  // only say what would change
	create bool  // a course that there is not is made
	beside bool  // also of a course of the configuration; see joinedBy
	change func(*Course) error
	// whom is whose end alone can change, once change has run; nil for
	// everybody's. Else a class that comes at once would be read as often as it
	// has members.
	whom *string
}

func (e courseEdit) owner() string {
	if e.whom == nil {
		return ""
	}
	return *e.whom
}

// base finds the course that is to be changed.
func (s *Service) base(ctx context.Context, edit courseEdit) (Course, error) {
	c, err := s.class(ctx, edit.who, edit.id)
	switch {
	case CodeOf(err) == CodeNotFound && edit.create:
		return s.blank(ctx, edit)
	case err == nil && c.Origin != OriginStored && !edit.beside:
		return c, Errorf(CodeConflict, "The course %s is defined in the configuration file %s; change it there.", c.ID, first(c.File, "of this daskbot"))
	}
	return c, err
}

// blank is where a new course begins. One that was deleted before goes on
// counting its versions.
func (s *Service) blank(ctx context.Context, edit courseEdit) (Course, error) {
	if err := Authorize(edit.who, ActionAdminister, "", ""); CodeOf(err) == CodeForbidden {
		return Course{}, Errorf(CodeForbidden, "There is no course %q of yours, and only an admin may make one; its staff may change it then.", clip(edit.id))
	} else if err != nil {
		return Course{}, err
	}
	old, err := s.store.Course(ctx, edit.id)
	if err != nil && CodeOf(err) != CodeNotFound {
		return Course{}, err
	}
	return Course{ID: edit.id, Origin: OriginStored, Version: old.Version, Left: old.Left}, nil
}

// editCourse reads a course, lets the edit change it, and writes it when
// that made a difference; then it brings what lives in the course in line.
func (s *Service) editCourse(ctx context.Context, edit courseEdit) (CourseChange, error) {
	done, err := s.roll.wait(ctx)
	if err != nil {
		return CourseChange{}, err
	}
	defer done()
	const tries = 10 // other replicas write too
	for i := 1; ; i++ {
		old, err := s.base(ctx, edit)
		if err != nil {
			return CourseChange{}, err
		}
		if edit.expect != 0 && edit.expect != old.Version {
			return CourseChange{}, &Error{Code: CodeConflict, Field: "If-Match", Message: "The course changed since you looked; look again and decide again."}
		}
		old = old.clone()
		next := old.clone()
		if err := edit.change(&next); err != nil {
			return CourseChange{}, err
		}
		next = next.clone()
		made := CourseChange{Course: next, Created: old.Title == "", Diff: differences(old, next)}
		switch {
		case edit.dry:
			return made, nil
		case reflect.DeepEqual(old, next):
			return made, s.settle(ctx, old, edit.owner()) // what an earlier try did not get to
		}
		err = s.commitCourse(ctx, edit.who, next)
		if err == nil {
			made.Course.Version++
			return made, s.settle(ctx, next, edit.owner())
		}
		if CodeOf(err) != CodeConflict || i == tries {
			return made, s.whyNot(ctx, next, err)
		}
	}
}

// writeCourseIn bounds the write of a course.
const writeCourseIn = 3 * time.Second

// commitCourse writes a course whose turn it is. Everybody else who edits one
// waits for that, so it has a near deadline: a store serves those first.
func (s *Service) commitCourse(ctx context.Context, who Caller, c Course) error {
	ctx, cancel := context.WithTimeout(ctx, writeCourseIn)
	defer cancel()
	if c.Origin == OriginConfiguration {
		var err error
		if c, err = s.beside(ctx, c); err != nil {
			return err
		}
	}
	return s.store.Commit(ctx, Change{Course: &c, Audited: auditedAs(ctx, who, "putCourse", c.ID, s.clock())})
}

// whyNot says what a course that cannot be written conflicts with.
func (s *Service) whyNot(ctx context.Context, c Course, err error) error {
	for _, b := range c.LMS {
		if id, found := s.store.CourseByLMS(ctx, b); found == nil && id != c.ID {
			return &Error{Code: CodeConflict, Field: "lms", Err: err,
				Message: "The course " + clip(b.Context) + " of " + b.Source + " is another course here already; one of the two must let go of it."}
		}
	}
	return err
}

// settle brings the ends of what lives in a course in line with it: those who
// left and the end of the course; of one owner's, or with "" of all. Repeating it
// is harmless.
func (s *Service) settle(ctx context.Context, c Course, owner string) error {
	var due []Environment
	err := s.each(ctx, Filter{Course: c.ID, Owner: owner, States: reapable}, func(e Environment) bool {
		if !sameEnd(e.CourseEnd, c.endFor(e)) {
			due = append(due, e)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, e := range due {
		if err := s.dismissFrom(ctx, c, e.ID); err != nil {
			return err
		}
	}
	return nil
}

func sameEnd(a, b *CourseEnd) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Cause == b.Cause && a.At.Equal(b.At)
}

// courseCaller is who acts on environments for what was decided of a course.
func courseCaller(c Course) Caller {
	return Caller{Subject: "course:" + c.ID, Role: RoleStaff, Courses: []string{c.ID}}
}

// dismissFrom writes the course's end into an environment and tells its owner:
// it is an end like the others, of which Judge decides.
func (s *Service) dismissFrom(ctx context.Context, c Course, id string) error {
	_, err := s.change(ctx, courseCaller(c), ActionDelete, id, 0, func(e *Environment, now time.Time) (Event, error) {
		end := c.endFor(*e)
		if e.Desired == Absent || sameEnd(e.CourseEnd, end) {
			return Event{}, nil
		}
		told := stillEnds(*e)
		e.CourseEnd = end
		switch {
		case end == nil && told:
			e.Ending = nil
			return event(*e, EventKept, courseCaller(c).Subject, "It does not end with its place in the course "+c.ID+" after all.", now), nil
		case end == nil:
			return event(*e, EventChanged, courseCaller(c).Subject, "The course "+c.ID+" no longer ends it.", now), nil
		case end.At.Sub(now) > usualGrace:
			return event(*e, EventChanged, courseCaller(c).Subject, courseEnd(*e).reason, now), nil
		case e.Ending != nil && e.Ending.At.Before(end.At):
			return event(*e, EventChanged, courseCaller(c).Subject, courseEnd(*e).reason, now), nil
		}
		e.Ending = &Ending{At: latest(end.At, now), Cause: end.Cause, Lead: max(end.At.Sub(now), 0), ToldAt: now}
		return event(*e, EventWarned, courseCaller(c).Subject, courseEnd(*e).reason, now), nil
	})
	if CodeOf(err) == CodeNotFound {
		return nil
	}
	return err
}

// SettleCourses brings the ends of everything that lives in a course in line
// with it, for what a crash left undone and what the configuration says now.
func (s *Service) SettleCourses(ctx context.Context) error {
	if err := s.noteNotifications(ctx); err != nil {
		return err
	}
	courses, err := s.everyCourse(ctx)
	if err != nil {
		return err
	}
	var due []Environment
	err = s.each(ctx, Filter{States: reapable}, func(e Environment) bool {
		if c, ok := courses[e.Course]; ok && !sameEnd(e.CourseEnd, c.endFor(e)) {
			due = append(due, e)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, e := range due {
		if err := s.dismissFrom(ctx, courses[e.Course], e.ID); err != nil {
			return err
		}
	}
	return nil
}

// everyCourse is every course by id, also the deleted ones.
func (s *Service) everyCourse(ctx context.Context) (map[string]Course, error) {
	known := map[string]Course{}
	stored, err := s.store.Courses(ctx, true)
	if err != nil {
		return nil, err
	}
	live, err := s.roster.Classes(ctx)
	for _, c := range append(stored, live...) {
		known[c.ID] = c
	}
	return known, err
}

// Timetables are the schedules of every course that has not ended.
func (s *Service) Timetables(ctx context.Context) ([]Schedule, error) {
	all, err := s.roster.Classes(ctx)
	if err != nil {
		return nil, err
	}
	var schedules []Schedule
	for _, c := range all {
		schedules = append(schedules, c.Timetable(s.clock())...)
	}
	return schedules, nil
}
