package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// CourseOrder is an accepted command for a class. It is kept from before it is
// acknowledged until after it was carried out, so that a crash in between costs
// nobody their part.
type CourseOrder struct {
	ID, Course string
	Action     ScheduleAction
	By         Caller
	At         time.Time
	// Items has everybody the command concerns, once that was looked up; those
	// without an outcome are still to be done.
	Items   []BatchItem
	Planned bool
	Done    time.Time
	// Problem is why it was given up, "" when it was carried out to the end.
	Problem string
	// Notice is set on what is no command of By's: a sentence that they are told
	// because they teach the course.
	Notice string

	version int64
}

// Batch is what was done so far.
func (o CourseOrder) Batch() Batch {
	b := Batch{Course: o.Course}
	for _, item := range o.Items {
		if item.Outcome != "" {
			b.Items = append(b.Items, item)
		}
	}
	return b
}

// orderLasts is how long after it was given a command for a class is still
// carried out: tomorrow's class must not be ended by one that a broken daskbot
// could not carry out today.
const orderLasts = time.Hour

// OrderCourse accepts a command for a class and has the queue carry it out; its
// end is an EventOrdered. With Once, a command that is delivered again is
// accepted once. Staff of the course and admins only; errors are those of
// CourseUp.
func (s *Service) OrderCourse(ctx context.Context, who Caller, course string, action ScheduleAction) error {
	if _, err := s.class(ctx, who, course); err != nil {
		return err
	}
	o := CourseOrder{ID: NewID(), Course: course, Action: action, By: who, At: s.clock()}
	note, err := o.note()
	if err != nil {
		return err
	}
	err = s.store.Commit(ctx, Change{Note: &note, Replay: s.onceFor("", o.At), Wake: []Job{{JobCourse, o.ID, urgency(who)}}})
	if CodeOf(err) == CodeConflict && s.once != nil {
		return nil // accepted before
	}
	return err
}

func orderKey(id string) string { return "order/" + id }

func (o CourseOrder) note() (Note, error) {
	value, err := json.Marshal(o)
	return Note{Key: orderKey(o.ID), Value: string(value), Version: o.version}, err
}

// ReadCourseOrder reads one from a store, for daskbot's own parts: it checks no
// caller.
func ReadCourseOrder(ctx context.Context, store Store, id string) (CourseOrder, error) {
	note, err := store.Note(ctx, orderKey(id))
	if err != nil {
		return CourseOrder{}, err
	}
	var o CourseOrder
	if err := json.Unmarshal([]byte(note.Value), &o); err != nil {
		return o, &Error{Code: CodeInternal, Message: "What was noted about a command for a class cannot be read.", Err: err}
	}
	o.version = note.Version
	return o, nil
}

// The pace of carrying out an order: what was done is written down every few
// people, and a pass ends before the queue takes it for dead.
const (
	orderChunk  = 20
	orderBudget = 20 * time.Second
)

// CarryOut is the queue's work on a course order: it goes on from where the
// order stands until everybody's part is done. What is done a second time after
// a crash comes out as it did the first time. An error means that it goes on
// later.
func (s *Service) CarryOut(ctx context.Context, id string) (again time.Duration, err error) {
	o, err := ReadCourseOrder(ctx, s.store, id)
	if CodeOf(err) == CodeNotFound {
		return 0, nil
	}
	if err != nil || !o.Done.IsZero() {
		return 0, err
	}
	class, err := s.class(ctx, o.By, o.Course)
	switch code := CodeOf(err); {
	case code == CodeNotFound || code == CodeForbidden: // since it was accepted
		return 0, s.endOrder(ctx, &o, MessageOf(err))
	case err != nil:
		return 0, err
	case s.clock().Sub(o.At) > orderLasts:
		return 0, s.endOrder(ctx, &o, "it could not be carried out within "+FormatDuration(orderLasts)+" and was given up.")
	}
	for started := s.now(); ; {
		if s.now().Sub(started) > orderBudget {
			return time.Millisecond, nil
		}
		more, err := s.advance(ctx, &o, class)
		if err != nil {
			return 0, err
		}
		if !more {
			return 0, s.endOrder(ctx, &o, "")
		}
	}
}

// advance does the part of the next few people and writes down how it came
// out, also when it could not do all.
func (s *Service) advance(ctx context.Context, o *CourseOrder, class Course) (more bool, err error) {
	live, err := s.liveIn(ctx, o.Course)
	if err != nil {
		return false, err
	}
	if !o.Planned {
		if o.Action == ScheduleUp {
			if err := s.welcome(ctx, o.By, class, live, o.At); err != nil {
				return false, err
			}
		}
		o.Items, o.Planned = plan(*o, class, live), true
		return true, s.keepOrder(ctx, o, nil)
	}
	done := 0
	for i := range o.Items {
		if o.Items[i].Outcome != "" {
			continue
		}
		if done == orderChunk {
			return true, s.keepOrder(ctx, o, nil)
		}
		item, err := s.carryOut(ctx, *o, class, o.Items[i], live)
		if err != nil {
			_ = s.keepOrder(ctx, o, nil) // what is not written down is only done again
			return false, err
		}
		o.Items[i] = item
		done++
	}
	return false, nil
}

// plan lists whom an order concerns.
func plan(o CourseOrder, class Course, live map[string][]Environment) []BatchItem {
	var items []BatchItem
	if o.Action == ScheduleUp {
		for _, member := range enrolled(class, nil) {
			items = append(items, BatchItem{Subject: member})
		}
		return items
	}
	for _, subject := range enrolled(class, live) {
		for _, e := range live[subject] {
			if e.CreatedAt.Before(o.At) { // what was made since is not meant
				items = append(items, BatchItem{Subject: subject, Environment: e.ID})
			}
		}
	}
	return items
}

// carryOut does one person's part. Its error means that going on is of no use
// now; the part is then still to be done.
func (s *Service) carryOut(ctx context.Context, o CourseOrder, class Course, item BatchItem, live map[string][]Environment) (BatchItem, error) {
	var did BatchItem
	var err error
	if o.Action == ScheduleUp {
		did, err = s.orderUp(ctx, o, class, item.Subject, live[item.Subject])
	} else {
		did, err = s.orderDown(ctx, o, item)
	}
	if err != nil {
		return item, err
	}
	return did, nil
}

func (s *Service) orderDown(ctx context.Context, o CourseOrder, item BatchItem) (BatchItem, error) {
	e, err := s.store.Environment(ctx, item.Environment)
	if err == nil && e.Desired == Absent { // by this order, before a crash, or by somebody else
		item.Outcome = OutcomeEnded
		return item, nil
	}
	if err != nil {
		return item, err
	}
	return s.downFor(ctx, o.By, e)
}

// orderUp leaves out whoever ended theirs since the order was given.
func (s *Service) orderUp(ctx context.Context, o CourseOrder, class Course, member string, have []Environment) (BatchItem, error) {
	if len(have) > 0 && have[0].RequestedBy == o.By.Subject && !have[0].CreatedAt.Before(o.At) { // made before a crash
		return BatchItem{Subject: member, Environment: have[0].ID, Outcome: OutcomeStarted}, nil
	}
	if len(have) == 0 {
		reason, id, err := s.since(ctx, Occasion{Course: o.Course, At: o.At}, member)
		if err != nil || reason != "" {
			return BatchItem{Subject: member, Environment: id, Outcome: OutcomeKept, Reason: reason}, err
		}
	}
	return s.upFor(ctx, o.By, class, member, have, o.At)
}

// endOrder writes that an order is over, together with the event from which
// whoever gave it is told.
func (s *Service) endOrder(ctx context.Context, o *CourseOrder, problem string) error {
	o.Done, o.Problem = s.clock(), problem
	return s.keepOrder(ctx, o, []Event{{At: o.Done, Order: o.ID, Type: EventOrdered, Actor: o.By.Subject,
		Message: fmt.Sprintf("The class %s: %s was carried out for %s.", o.Course, o.Action, count(len(o.Batch().Items), "person", "people"))}})
}

func (s *Service) keepOrder(ctx context.Context, o *CourseOrder, events []Event) error {
	note, err := o.note()
	if err != nil {
		return err
	}
	if err := s.store.Commit(ctx, Change{Note: &note, Events: events}); err != nil {
		return err
	}
	o.version++
	return nil
}
