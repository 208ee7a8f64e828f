package environment

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Roster keeps the classes. Members may change at any time: a command reads
// them anew.
type Roster interface {
	// Class finds one; CodeNotFound for an unknown id.
	Class(ctx context.Context, id string) (Course, error)
	// Classes lists all, by id.
	Classes(ctx context.Context) ([]Course, error)
}

// Outcome is what became of one person's part of a command for a class.
type Outcome string

// The outcomes.
const (
	OutcomeStarted  Outcome = "started"  // an environment is being made
	OutcomeExisting Outcome = "existing" // there was one already
	OutcomeEnded    Outcome = "ended"    // its deletion was asked for
	OutcomeKept     Outcome = "kept"     // left as it is, because of what a person did
	OutcomeRefused  Outcome = "refused"  // the command failed; Reason says why
)

// BatchItem is one person's part of a Batch.
type BatchItem struct {
	Subject     string
	Environment string // the id; "" where there is none
	Outcome     Outcome
	Reason      string // a sentence for whoever gave the command; "" when there is nothing to say
}

// Batch is what a command for a class did, one item a person, in the order of
// the roster.
type Batch struct {
	Course string
	Items  []BatchItem
}

// Count is how many people's part came out so.
func (b Batch) Count(o Outcome) int {
	n := 0
	for _, item := range b.Items {
		if item.Outcome == o {
			n++
		}
	}
	return n
}

// CourseUp gives every member of a course an environment who has none there;
// each is an ordinary Up by the caller. Repeating it is harmless. A member who
// is refused (a limit, say) is in the batch with the reason and stops nobody
// else's. Staff of the course and admins only.
//
// Errors: CodeNotFound for a course that is unknown or not the caller's; with
// CodeUnavailable the batch says how far it got, and the same again goes on.
func (s *Service) CourseUp(ctx context.Context, who Caller, course string) (Batch, error) {
	class, err := s.class(ctx, who, course)
	if err != nil {
		return Batch{}, err
	}
	live, err := s.liveIn(ctx, course)
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{Course: course}
	if err := s.welcome(ctx, who, class, live, s.clock()); err != nil {
		return batch, err
	}
	for _, member := range class.Subjects() {
		item, err := s.upFor(ctx, who, class, member, live[member], s.clock())
		batch.Items = append(batch.Items, item)
		if err != nil {
			return batch, err
		}
	}
	return batch, nil
}

// upFor is one member's part of a class that began at a time. Its error means
// that going on is of no use.
func (s *Service) upFor(ctx context.Context, who Caller, class Course, member string, have []Environment, began time.Time) (BatchItem, error) {
	if len(have) > 0 { // of whatever profile: one is enough to take part
		return s.takePart(ctx, who, member, have, began)
	}
	e, created, err := s.Up(ctx, who, Request{Owner: member, Course: class.ID, Profile: class.Profile})
	if err != nil {
		return refused(ctx, member, "", err)
	}
	item := BatchItem{Subject: member, Environment: e.ID, Outcome: OutcomeExisting}
	if created {
		item.Outcome = OutcomeStarted
	}
	return item, nil
}

// welcome lets take part who is not on the roster of a class that began, such as
// those who teach it: they are given nothing, but what they have ends with a
// class like everybody's.
func (s *Service) welcome(ctx context.Context, who Caller, class Course, live map[string][]Environment, began time.Time) error {
	for subject, have := range live {
		if class.index(subject) >= 0 {
			continue
		}
		if _, err := s.takePart(ctx, who, subject, have, began); err != nil {
			return err
		}
	}
	return nil
}

// takePart is a class's beginning for whoever has something already.
func (s *Service) takePart(ctx context.Context, who Caller, subject string, have []Environment, began time.Time) (BatchItem, error) {
	item := BatchItem{Subject: subject, Outcome: OutcomeExisting}
	for _, e := range have {
		if err := s.rejoin(ctx, who, e, began); err != nil {
			return refused(ctx, subject, e.ID, err)
		}
		item.Environment = first(item.Environment, e.ID)
	}
	return item, nil
}

// rejoin takes back that a class was over, once the next has begun: who pauses
// in the middle of it is not to lose what they have for the end of the last, also
// where one begins at the minute at which the other ends.
func (s *Service) rejoin(ctx context.Context, who Caller, e Environment, began time.Time) error {
	over := func(e Environment) bool { return !e.ClassOver.IsZero() && !e.ClassOver.After(began) }
	if !over(e) {
		return nil
	}
	_, err := s.change(ctx, who, ActionChange, e.ID, 0, func(e *Environment, now time.Time) (Event, error) {
		if e.Desired == Absent || !over(*e) {
			return Event{}, nil
		}
		e.ClassOver = time.Time{}
		if e.Ending != nil && e.Ending.Cause == EndClass {
			e.Ending = nil
		}
		return event(*e, EventKept, who.Subject, "Its next class has begun.", now), nil
	})
	return err
}

// refused tells a refusal of one person, which is an outcome, from a failure of
// daskbot, which ends the batch.
func refused(ctx context.Context, subject, id string, err error) (BatchItem, error) {
	item := BatchItem{Subject: subject, Environment: id, Outcome: OutcomeRefused, Reason: MessageOf(err)}
	if code := CodeOf(err); ctx.Err() != nil || code == CodeUnavailable || code == CodeInternal {
		return item, err
	}
	return item, nil
}

// CourseDown asks for the deletion of everything that lives in a course, also
// of people who are no longer on its roster; each is an ordinary Down by the
// caller. What somebody protected stays and is in the batch as kept. Errors
// are those of CourseUp.
func (s *Service) CourseDown(ctx context.Context, who Caller, course string) (Batch, error) {
	class, err := s.class(ctx, who, course)
	if err != nil {
		return Batch{}, err
	}
	live, err := s.liveIn(ctx, course)
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{Course: course}
	for _, subject := range enrolled(class, live) {
		for _, e := range live[subject] {
			item, err := s.downFor(ctx, who, e)
			batch.Items = append(batch.Items, item)
			if err != nil {
				return batch, err
			}
		}
	}
	return batch, nil
}

func (s *Service) downFor(ctx context.Context, who Caller, e Environment) (BatchItem, error) {
	if e.Protected != nil {
		return kept(e, "Protected by "+e.Protected.By+"; `daskbot down "+e.ID+"` ends it all the same."), nil
	}
	if _, _, err := s.Down(ctx, who, e.ID, 0); err != nil {
		return refused(ctx, e.Owner, e.ID, err)
	}
	return BatchItem{Subject: e.Owner, Environment: e.ID, Outcome: OutcomeEnded}, nil
}

func kept(e Environment, reason string) BatchItem {
	return BatchItem{Subject: e.Owner, Environment: e.ID, Outcome: OutcomeKept, Reason: reason}
}

// Courses lists the courses that the caller may act on: all for admins, their
// own for staff, none for students.
func (s *Service) Courses(ctx context.Context, who Caller) ([]Course, error) {
	if who.Subject == "" {
		return nil, Authorize(who, ActionView, "", "")
	}
	all, err := s.roster.Classes(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Course) bool {
		return who.Role != RoleAdmin && (who.Role != RoleStaff || !slices.Contains(who.Courses, c.ID))
	}), nil
}

// CourseStatus is who in a course has what.
type CourseStatus struct {
	Course Course
	Seats  []Seat
	// Cost adds up what lives now; what is gone is not in it.
	Cost Cost
	// Problems are sentences about what staff should mend.
	Problems []string
}

// Seat is one person's place in a course.
type Seat struct {
	Subject string
	// Member: on the roster; otherwise somebody who has an environment there
	// all the same.
	Member bool
	// Environment is nil for a member who has none; it may be one that is being
	// deleted, or that failed. Look goes with it.
	Environment *Environment
	Look        Look
}

// CourseStatus gathers it from the store alone. Staff of the course and admins
// only.
func (s *Service) CourseStatus(ctx context.Context, who Caller, course string) (CourseStatus, error) {
	class, err := s.class(ctx, who, course)
	if err != nil {
		return CourseStatus{}, err
	}
	have, err := s.shownIn(ctx, course)
	if err != nil {
		return CourseStatus{}, err
	}
	status := CourseStatus{Course: class, Cost: Cost{PricesAsOf: s.listed().AsOf}}
	if status.Problems, err = s.mutedIn(ctx, class); err != nil {
		return CourseStatus{}, err
	}
	for _, subject := range enrolled(class, have) {
		seat := Seat{Subject: subject, Member: class.index(subject) >= 0}
		if len(have[subject]) == 0 {
			status.Seats = append(status.Seats, seat)
		}
		for _, e := range have[subject] {
			seat.Environment = &e
			if seat.Look, err = s.Look(ctx, who, e.ID); err != nil {
				return CourseStatus{}, err
			}
			status.Cost.USDPerHour += seat.Look.Cost.USDPerHour
			status.Cost.USDTotal += seat.Look.Cost.USDTotal
			status.Seats = append(status.Seats, seat)
		}
	}
	return status, nil
}

// class finds a course that the caller may act on.
func (s *Service) class(ctx context.Context, who Caller, id string) (Course, error) {
	unknown := Errorf(CodeNotFound, "There is no course %q, or it is not yours.", clip(id))
	if err := Authorize(who, ActionChange, "", id); CodeOf(err) == CodeNotFound {
		return Course{}, unknown
	} else if err != nil {
		return Course{}, err
	}
	class, err := s.roster.Class(ctx, id)
	if CodeOf(err) == CodeNotFound {
		return Course{}, unknown
	}
	return class, err
}

// liveIn finds what lives in a course, by owner.
func (s *Service) liveIn(ctx context.Context, course string) (map[string][]Environment, error) {
	live := map[string][]Environment{}
	err := s.each(ctx, Filter{Course: course, States: reapable}, func(e Environment) bool {
		live[e.Owner] = append(live[e.Owner], e)
		return true
	})
	return live, err
}

// shownIn finds what a look at a course shows, by owner: what lives, what is
// still being deleted, and a failure that nothing newer follows.
func (s *Service) shownIn(ctx context.Context, course string) (map[string][]Environment, error) {
	have := map[string][]Environment{}
	states := append([]State{StateDeleting, StateFailed}, reapable...)
	err := s.each(ctx, Filter{Course: course, States: states}, func(e Environment) bool { // newest first
		if e.State != StateFailed || len(have[e.Owner]) == 0 {
			have[e.Owner] = append(have[e.Owner], e)
		}
		return true
	})
	return have, err
}

// enrolled are the members in the roster's order, then whoever else has
// something in the course.
func enrolled(class Course, live map[string][]Environment) []string {
	var others []string
	for owner := range live {
		if class.index(owner) < 0 {
			others = append(others, owner)
		}
	}
	slices.SortFunc(others, cmp.Compare)
	return append(class.Subjects(), others...)
}
