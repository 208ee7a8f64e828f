package environment

import (
	"context"
	"encoding/json"
	"time"
)

// ScheduleAction is what a schedule does with a class.
type ScheduleAction string

// The actions.
const (
	ScheduleUp   ScheduleAction = "up"
	ScheduleDown ScheduleAction = "down"
)

// Occasion is one time at which a schedule came due.
type Occasion struct {
	Schedule string
	Course   string
	Action   ScheduleAction
	At       time.Time
}

// caller is who a schedule acts as: staff of its one course, no more.
func (o Occasion) caller() Caller {
	return Caller{Subject: "schedule:" + o.Schedule, Role: RoleStaff, Courses: []string{o.Course}, Via: ViaSchedule}
}

// Enrolled lists everybody whom a command for a course concerns: its members,
// and whoever else has an environment there.
func (s *Service) Enrolled(ctx context.Context, course string) ([]string, error) {
	class, err := s.roster.Class(ctx, course)
	if err != nil {
		return nil, err
	}
	live, err := s.liveIn(ctx, course)
	return enrolled(class, live), err
}

// Attend does what an occasion says for some of the course's people. It never
// undoes what was done after the occasion's time, so that carrying it out late,
// or twice, is harmless:
//
//   - up leaves out whoever had an environment made or ended since then, and
//     gives none to who is not on the roster;
//   - down leaves what was made since then, what is protected, and what its
//     owner extended or keeps beyond now; what is ready ends once it is idle.
//
// Errors are those of CourseUp.
func (s *Service) Attend(ctx context.Context, o Occasion, subjects []string) (Batch, error) {
	who := o.caller()
	class, err := s.class(ctx, who, o.Course)
	if err != nil {
		return Batch{}, err
	}
	live, err := s.liveIn(ctx, o.Course)
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{Course: o.Course}
	for _, subject := range subjects {
		var items []BatchItem
		if o.Action == ScheduleUp {
			items, err = s.attendUp(ctx, o, class, subject, live[subject])
		} else {
			items, err = s.attendDown(ctx, o, live[subject])
		}
		batch.Items = append(batch.Items, items...)
		if err != nil {
			return batch, err
		}
	}
	return batch, nil
}

func (s *Service) attendUp(ctx context.Context, o Occasion, class Course, member string, have []Environment) ([]BatchItem, error) {
	if class.index(member) < 0 {
		_, err := s.takePart(ctx, o.caller(), member, have, o.At)
		return nil, err
	}
	if len(have) == 0 {
		reason, id, err := s.since(ctx, o, member)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			return []BatchItem{{Subject: member, Environment: id, Outcome: OutcomeKept, Reason: reason}}, nil
		}
	}
	item, err := s.upFor(ctx, o.caller(), class, member, have, o.At)
	return []BatchItem{item}, err
}

// recentEnvironments is how many of a person's latest environments in a course
// are looked through for what was done since an occasion.
const recentEnvironments = 20

// since says what happened to a member's environments after the occasion that
// makes it void; "" when nothing did.
func (s *Service) since(ctx context.Context, o Occasion, member string) (reason, id string, err error) {
	past, _, err := s.store.Environments(ctx, Filter{Owner: member, Course: o.Course, Limit: recentEnvironments})
	if err != nil {
		return "", "", err
	}
	for _, e := range past {
		if !e.CreatedAt.Before(o.At) {
			return "One was made after " + clockTime(o.At) + " already.", e.ID, nil
		}
		if !e.DeletedAt.IsZero() && e.DeletedAt.Before(o.At) {
			continue
		}
		by, err := s.stoppedSince(ctx, e.ID, o.At)
		if err != nil {
			return "", "", err
		}
		if by != "" {
			return "Ended by " + by + " after " + clockTime(o.At) + ".", e.ID, nil
		}
	}
	return "", "", nil
}

// stoppedSince says who asked for an environment's deletion at or after a
// time; "" when nobody did.
func (s *Service) stoppedSince(ctx context.Context, id string, at time.Time) (string, error) {
	const page = 500
	for after := int64(0); ; {
		events, err := s.store.Events(ctx, id, after, page)
		if err != nil {
			return "", err
		}
		for _, ev := range events {
			after = ev.Seq
			if ev.Type == EventStopping && !ev.At.Before(at) {
				return ev.Actor, nil
			}
		}
		if len(events) < page {
			return "", nil
		}
	}
}

func (s *Service) attendDown(ctx context.Context, o Occasion, have []Environment) ([]BatchItem, error) {
	var items []BatchItem
	for _, e := range have {
		switch {
		case !e.CreatedAt.Before(o.At):
			items = append(items, kept(e, "Made after "+clockTime(o.At)+"."))
			continue
		case e.KeepUntil.After(s.clock()):
			items = append(items, kept(e, "Kept until "+clockTime(e.KeepUntil)+" because somebody asked for it."))
			continue
		}
		item, err := s.dismiss(ctx, o, e)
		items = append(items, item)
		if err != nil {
			return items, err
		}
	}
	return items, nil
}

// dismiss ends what a class leaves behind: at once while it is being made, and
// else as soon as nobody uses it, by the reaper's rules and with its warning.
func (s *Service) dismiss(ctx context.Context, o Occasion, e Environment) (BatchItem, error) {
	if e.ReadyAt.IsZero() || e.Protected != nil {
		return s.downFor(ctx, o.caller(), e)
	}
	item := kept(e, "Its class is over; it ends as soon as nobody uses it.")
	_, err := s.change(ctx, o.caller(), ActionDelete, e.ID, 0, func(e *Environment, now time.Time) (Event, error) {
		if e.Desired == Absent || !e.ClassOver.Before(o.At) {
			return Event{}, nil
		}
		e.ClassOver, item.Outcome = o.At, OutcomeEnded
		return event(*e, EventChanged, o.caller().Subject, item.Reason, now), nil
	})
	if err != nil {
		return refused(ctx, e.Owner, e.ID, err)
	}
	return item, nil
}

// Mark is how far a schedule was carried out.
type Mark struct {
	Schedule string `json:"-"`
	// Through is the time up to which everything that came due was done.
	Through time.Time `json:"through"`
	// Plan is the schedule as it was then. One that was written anew starts
	// anew: it does not catch up on times it did not have.
	Plan    string `json:"plan"`
	version int64
}

// ScheduleMark reads it; zero for a schedule that never ran.
func (s *Service) ScheduleMark(ctx context.Context, schedule string) (Mark, error) {
	m := Mark{Schedule: schedule}
	note, err := s.store.Note(ctx, markKey(schedule))
	switch {
	case CodeOf(err) == CodeNotFound:
		return m, nil
	case err != nil:
		return m, err
	}
	if err := json.Unmarshal([]byte(note.Value), &m); err != nil {
		return m, &Error{Code: CodeInternal, Message: "What was noted about a schedule cannot be read.", Err: err}
	}
	m.version = note.Version
	return m, nil
}

// KeepMark stores it. CodeConflict means that another daskbot did so since it
// was read: that one carried out the same, and nothing is lost.
func (s *Service) KeepMark(ctx context.Context, m Mark) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.store.Commit(ctx, Change{Note: &Note{Key: markKey(m.Schedule), Value: string(value), Version: m.version}})
}

func markKey(schedule string) string { return "schedule/" + schedule }
