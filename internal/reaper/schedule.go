package reaper

import (
	"cmp"
	"context"
	"hash/fnv"
	"log/slog"
	"slices"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Classes is what schedules ask for; *environment.Service is it.
type Classes interface {
	// SettleCourses brings what lives in courses in line with their rosters and
	// ends.
	SettleCourses(ctx context.Context) error
	// Timetables lists the schedules of all courses as they are now.
	Timetables(ctx context.Context) ([]environment.Schedule, error)
	// Enrolled lists everybody whom a course's schedules concern.
	Enrolled(ctx context.Context, course string) ([]string, error)
	// Attend does what an occasion says for some of them. Doing it late or twice
	// undoes nothing that a person did after the occasion.
	Attend(ctx context.Context, o environment.Occasion, subjects []string) (environment.Batch, error)
	// ScheduleMark and KeepMark remember how far a schedule was carried out.
	ScheduleMark(ctx context.Context, schedule string) (environment.Mark, error)
	KeepMark(ctx context.Context, m environment.Mark) error
}

// Schedule starts or ends a class at set times.
type Schedule = environment.Schedule

// CheckSchedule refuses, with CodeInvalid, a schedule that cannot be carried
// out.
func CheckSchedule(s Schedule) error {
	_, err := parseLine(s)
	return err
}

// catchUp bounds how late a schedule is still carried out after a pause: an
// hour into a class a hub is still of use, after it no longer.
const catchUp = 2 * time.Hour

// timetable is a schedule, parsed.
type timetable struct {
	Schedule
	line line
}

// plan is what Mark.Plan holds: when the times change, it does.
func (t timetable) plan() string { return t.Cron + " " + t.Timezone }

// delay is how long after the time of an occasion a person's turn is.
func (t timetable) delay(subject string) time.Duration {
	if t.Spread <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.Course + "/" + subject)) // never fails
	return time.Duration(h.Sum64() % uint64(t.Spread))
}

// timetables parses schedules, by course. One that cannot be read was refused
// when it was written, or comes from a version that knew more: it is left out,
// and said.
func (r *Reaper) timetables(schedules []Schedule) map[string][]timetable {
	byCourse := map[string][]timetable{}
	for _, s := range schedules {
		l, err := parseLine(s)
		if err != nil {
			r.Log.Error("schedule", "schedule", s.Name, "course", s.Course, "reason", err.Error())
			continue
		}
		byCourse[s.Course] = append(byCourse[s.Course], timetable{s, l})
	}
	return byCourse
}

// attend carries out what came due. One course that cannot be read, or one
// schedule that cannot be carried out, is tried again at the next turn and
// holds up no other.
func (r *Reaper) attend(ctx context.Context) {
	now := time.Now()
	if err := r.Classes.SettleCourses(ctx); err != nil {
		r.Log.Error("settle courses", "reason", err.Error())
	}
	state, err := r.Commands.Reaper(ctx)
	if err != nil {
		r.Log.Error("schedule", "reason", err.Error())
		return
	}
	schedules, err := r.Classes.Timetables(ctx)
	if err != nil {
		r.Log.Error("schedule", "reason", err.Error())
		return
	}
	for course, lessons := range r.timetables(schedules) {
		if err := r.attendCourse(ctx, lessons, now, state.Paused); err != nil {
			r.Log.Error("schedule", "course", course, "reason", err.Error())
		}
	}
}

// attendCourse brings a course to where its schedules want it at now: only the
// last occasion that is due for a person counts, whichever schedule's it is,
// so that after a pause nothing is started that would have ended meanwhile.
// While the reaper is paused nothing is ended; it is once it goes on.
func (r *Reaper) attendCourse(ctx context.Context, lessons []timetable, now time.Time, paused bool) error {
	marks, err := r.marks(ctx, lessons, now)
	if err != nil {
		return err
	}
	due := occasions(lessons, now)
	if !fresh(due, marks) {
		return nil
	}
	subjects, err := r.Classes.Enrolled(ctx, lessons[0].Course)
	if err != nil {
		return err
	}
	turns := map[int][]string{} // by the index in due
	for _, subject := range subjects {
		if i := turn(due, subject, now); i >= 0 && due[i].turn(subject).After(marks[due[i].Name].Through) {
			turns[i] = append(turns[i], subject)
		}
	}
	done := map[string]bool{}
	for i, o := range due {
		if paused && o.Action == environment.ScheduleDown {
			continue
		}
		if err := r.carryOut(ctx, o, turns[i]); err != nil {
			return err
		}
		done[o.Name] = true
	}
	return r.keepMarks(ctx, done, marks, now)
}

// occasion is a time at which a timetable came due.
type occasion struct {
	timetable
	at time.Time
}

// turn is when it is a person's turn.
func (o occasion) turn(subject string) time.Time { return o.at.Add(o.delay(subject)) }

// occasions lists what may still matter now, oldest first, of all of a
// course's schedules. An end comes before a beginning of the same time: it is the
// end of the class before.
func occasions(lessons []timetable, now time.Time) []occasion {
	var due []occasion
	for _, t := range lessons {
		for _, at := range t.line.between(now.Add(-catchUp-t.Spread), now) {
			due = append(due, occasion{t, at})
		}
	}
	slices.SortStableFunc(due, func(a, b occasion) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.Action, b.Action)) // "down", then "up"
	})
	return due
}

// turn is the last occasion whose turn has come for a person, -1 for none that
// is recent enough.
func turn(due []occasion, subject string, now time.Time) int {
	for i := len(due) - 1; i >= 0; i-- {
		if at := due[i].turn(subject); !at.After(now) {
			if now.Sub(at) >= catchUp {
				return -1
			}
			return i
		}
	}
	return -1
}

// fresh says whether anybody's turn may have come since the marks were set.
func fresh(due []occasion, marks map[string]environment.Mark) bool {
	return slices.ContainsFunc(due, func(o occasion) bool {
		return o.at.Add(o.Spread).After(marks[o.Name].Through)
	})
}

func (r *Reaper) carryOut(ctx context.Context, o occasion, subjects []string) error {
	if len(subjects) == 0 {
		return nil
	}
	ctx, end := r.Span(ctx, "schedule "+string(o.Action), slog.String("schedule", o.Name), slog.String("course", o.Course), slog.Int("people", len(subjects)))
	batch, err := r.Classes.Attend(ctx, environment.Occasion{Schedule: o.Name, Course: o.Course, Action: o.Action, At: o.at}, subjects)
	end(err)
	for _, item := range batch.Items {
		if item.Outcome == environment.OutcomeRefused {
			r.Log.Warn("schedule refused", "schedule", o.Name, "subject", item.Subject, "reason", item.Reason)
		}
	}
	r.Log.Info("schedule", "schedule", o.Name, "course", o.Course, "action", string(o.Action), "due", o.at,
		"started", batch.Count(environment.OutcomeStarted), "ended", batch.Count(environment.OutcomeEnded),
		"kept", batch.Count(environment.OutcomeKept), "refused", batch.Count(environment.OutcomeRefused))
	return err
}

// marks reads how far each schedule came. One that is new, or was changed,
// begins now.
func (r *Reaper) marks(ctx context.Context, lessons []timetable, now time.Time) (map[string]environment.Mark, error) {
	marks := map[string]environment.Mark{}
	for _, t := range lessons {
		m, err := r.Classes.ScheduleMark(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		if m.Plan != t.plan() {
			m.Plan, m.Through = t.plan(), now.UTC()
			if m, err = r.keepMark(ctx, m); err != nil {
				return nil, err
			}
		}
		marks[t.Name] = m
	}
	return marks, nil
}

// keepMarks moves the marks of the schedules that were carried out.
func (r *Reaper) keepMarks(ctx context.Context, done map[string]bool, marks map[string]environment.Mark, now time.Time) error {
	for name := range done {
		m := marks[name]
		if !m.Through.Before(now) {
			continue // the clock was set back
		}
		m.Through = now.UTC()
		if _, err := r.keepMark(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// keepMark stores a mark and returns the one that holds: another daskbot may
// have been faster, with the same.
func (r *Reaper) keepMark(ctx context.Context, m environment.Mark) (environment.Mark, error) {
	err := r.Classes.KeepMark(ctx, m)
	if environment.CodeOf(err) == environment.CodeConflict {
		return r.Classes.ScheduleMark(ctx, m.Schedule)
	}
	return m, err
}
