package environment

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// classroom is a Roster of one class.
type classroom []string

func (c classroom) Class(_ context.Context, id string) (Course, error) {
	if id != "de" {
		return Course{}, nothing
	}
	k := Course{ID: "de", Title: "Data engineering", Project: "course-project", Origin: OriginConfiguration}
	for _, subject := range c {
		k.Members = append(k.Members, Member{Subject: subject, Role: MemberStudent})
	}
	return k, nil
}

func (c classroom) Classes(ctx context.Context) ([]Course, error) {
	k, err := c.Class(ctx, "de")
	return []Course{k, {ID: "other"}}, err
}

func newClass(members ...string) (*Service, *rows) {
	s, r := newTestService()
	s.store = courseRows{r}
	s.roster = newRegistry(classroom(members), s.store)
	return s, r
}

// courseRows adds to rows what commands for a class read.
type courseRows struct{ *rows }

func (r courseRows) Environments(_ context.Context, f Filter) (items []Environment, next string, _ error) {
	for _, e := range r.envs {
		if (f.Owner == "" || e.Owner == f.Owner) && (f.Course == "" || e.Course == f.Course) && (f.States == nil || slices.Contains(f.States, e.State)) {
			items = append(items, e)
		}
	}
	slices.SortFunc(items, func(a, b Environment) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return items, "", nil
}

func (r courseRows) Events(_ context.Context, id string, after int64, _ int) (out []Event, _ error) {
	for _, e := range r.events {
		if e.Environment == id && e.Seq > after {
			out = append(out, e)
		}
	}
	return out, nil
}

func (courseRows) Took(context.Context, string) ([]time.Duration, error) { return nil, nil }

var (
	teacher  = Caller{Subject: "teacher", Role: RoleStaff, Courses: []string{"de"}}
	stranger = Caller{Subject: "stranger", Role: RoleStaff, Courses: []string{"other"}}
)

// toldOf renders a batch as "subject outcome", with the reason where there is one.
func toldOf(b Batch) []string {
	var out []string
	for _, i := range b.Items {
		out = append(out, strings.TrimSpace(i.Subject+" "+string(i.Outcome)+" "+i.Reason))
	}
	return out
}

func TestCourseUpAndDown(t *testing.T) {
	s, r := newClass("alice", "bob", "carol", "dave")
	if _, _, err := s.Up(t.Context(), boss, Request{Owner: "bob", Course: "de", Profile: "plain"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.CourseUp(t.Context(), teacher, "de") // the course may have three
	want := []string{"alice started", "bob existing", "carol started",
		"dave refused No more can be made: the course has 3 environments, and that is the limit. End one with `daskbot down` first."}
	if diff := cmp.Diff(want, toldOf(got)); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	if again, err := s.CourseUp(t.Context(), teacher, "de"); err != nil || again.Count(OutcomeExisting) != 3 || again.Count(OutcomeStarted) != 0 {
		t.Errorf("again: got %v, %v", toldOf(again), err)
	}
	for id, e := range r.envs {
		if e.Owner == "carol" {
			e.Protected = &Protection{By: "boss"}
			r.envs[id] = e
		}
		if want := map[bool]string{true: "boss", false: "teacher"}[e.Owner == "bob"]; e.RequestedBy != want {
			t.Errorf("%s: requested by %s; want %s", e.Owner, e.RequestedBy, want)
		}
	}
	s.roster = newRegistry(classroom{"carol", "bob"}, s.store) // alice has left the course
	got, err = s.CourseDown(t.Context(), teacher, "de")
	if err != nil || len(got.Items) != 3 || got.Items[0].Outcome != OutcomeKept || got.Items[1].Outcome != OutcomeEnded || got.Items[2].Subject != "alice" || got.Items[2].Outcome != OutcomeEnded {
		t.Errorf("down: got %v, %v", toldOf(got), err)
	}
	if again, err := s.CourseDown(t.Context(), teacher, "de"); err != nil || again.Count(OutcomeEnded) != 0 {
		t.Errorf("down again: got %v, %v", toldOf(again), err)
	}
}

func TestOnlyStaffAndAdminsActOnAClass(t *testing.T) {
	s, _ := newClass("alice")
	for name, c := range map[string]struct {
		who  Caller
		id   string
		want Code
	}{
		"nobody": {Caller{}, "de", CodeUnauthorized}, "a member": {alice, "de", CodeNotFound}, "other staff": {stranger, "de", CodeNotFound},
		"unknown": {boss, "nope", CodeNotFound}, "no course": {boss, "", CodeNotFound}, "staff": {teacher, "de", ""}, "admin": {boss, "de", ""},
	} {
		_, up := s.CourseUp(t.Context(), c.who, c.id)
		_, down := s.CourseDown(t.Context(), c.who, c.id)
		_, status := s.CourseStatus(t.Context(), c.who, c.id)
		for _, err := range []error{up, down, status} {
			if CodeOf(err) != c.want && err != nil || err == nil && c.want != "" {
				t.Errorf("%s: got %v; want %q", name, err, c.want)
			}
		}
	}
	for n, who := range map[int]Caller{0: alice, 1: teacher, 2: boss} {
		if got, err := s.Courses(t.Context(), who); err != nil || len(got) != n {
			t.Errorf("%s: got %d courses, %v; want %d", who.Subject, len(got), err, n)
		}
	}
}

func TestCourseStatusSeatsEverybody(t *testing.T) {
	s, _ := newClass("alice", "bob")
	for _, who := range []string{"bob", "guest"} {
		if _, _, err := s.Up(t.Context(), boss, Request{Owner: who, Course: "de"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.CourseStatus(t.Context(), teacher, "de")
	if err != nil {
		t.Fatal(err)
	}
	var seats []string
	for _, seat := range got.Seats {
		line := seat.Subject
		if seat.Environment != nil {
			line += " has " + seat.Environment.Profile
		}
		if !seat.Member {
			line += ", a guest"
		}
		seats = append(seats, line)
	}
	if diff := cmp.Diff([]string{"alice", "bob has dask", "guest has dask, a guest"}, seats); diff != "" {
		t.Error(diff)
	}
}

func TestAScheduleNeverUndoesWhatAPersonDidLater(t *testing.T) {
	at := t0.Add(-10 * time.Minute)
	up := Occasion{Schedule: "lab", Course: "de", Action: ScheduleUp, At: at}
	down := Occasion{Schedule: "lab-end", Course: "de", Action: ScheduleDown, At: at}
	one := Environment{ID: "e1", Owner: "alice", Course: "de", Profile: "dask", State: StateReady, Desired: Present, CreatedAt: at.Add(-time.Hour), Version: 1}
	with := func(edit func(*Environment)) Environment { e := one; edit(&e); return e }
	ended := with(func(e *Environment) { e.State, e.Desired, e.DeletedAt = StateDeleted, Absent, at.Add(5*time.Minute) })
	stopped := func(when time.Time) []Event {
		return []Event{{Seq: 1, At: when, Environment: "e1", Type: EventStopping, Actor: "alice"}}
	}
	for name, c := range map[string]struct {
		occasion Occasion
		have     *Environment
		events   []Event
		want     Outcome
	}{
		"up, nothing there":           {up, nil, nil, OutcomeStarted},
		"up, one is there":            {up, &one, nil, OutcomeExisting},
		"up, ended by hand since":     {up, &ended, stopped(at.Add(time.Minute)), OutcomeKept},
		"up, ended by hand before":    {up, &ended, stopped(at.Add(-time.Minute)), OutcomeStarted},
		"up, made since and failed":   {up, ptr(with(func(e *Environment) { e.State, e.CreatedAt = StateFailed, at.Add(time.Minute) })), nil, OutcomeKept},
		"down":                        {down, &one, nil, OutcomeEnded},
		"down, ready":                 {down, ptr(with(func(e *Environment) { e.ReadyAt = at.Add(-time.Minute) })), nil, OutcomeEnded},
		"down, made since":            {down, ptr(with(func(e *Environment) { e.CreatedAt = at.Add(time.Minute) })), nil, OutcomeKept},
		"down, extended beyond now":   {down, ptr(with(func(e *Environment) { e.KeepUntil = t0.Add(time.Hour) })), nil, OutcomeKept},
		"down, the extension is over": {down, ptr(with(func(e *Environment) { e.KeepUntil = t0.Add(-time.Minute) })), nil, OutcomeEnded},
		"down, protected by a person": {down, ptr(with(func(e *Environment) { e.Protected = &Protection{By: "teacher"} })), nil, OutcomeKept},
		"down, nothing there":         {down, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newClass("alice")
			if c.have != nil {
				r.envs["e1"] = *c.have
			}
			r.events = c.events
			got, err := s.Attend(t.Context(), c.occasion, []string{"alice", "left@example.edu"})
			if err != nil {
				t.Fatal(err)
			}
			var outcome Outcome
			if len(got.Items) == 1 {
				outcome = got.Items[0].Outcome
			}
			if outcome != c.want || len(got.Items) > 1 {
				t.Errorf("got %v; want %q for alice alone", toldOf(got), c.want)
			}
			again, err := s.Attend(t.Context(), c.occasion, []string{"alice"})
			if err != nil || again.Count(OutcomeStarted)+again.Count(OutcomeEnded) != 0 {
				t.Errorf("a second time: got %v, %v; want nothing new", toldOf(again), err)
			}
			for _, e := range r.envs {
				if outcome == OutcomeStarted && e.State == StatePending && e.RequestedBy != "schedule:lab" {
					t.Errorf("requested by %q", e.RequestedBy)
				}
			}
		})
	}
}

// TestTheNextClassTakesBackThatTheLastWasOver: by schedule or by hand, whoever
// has something takes part with it; an end of before is not its end.
func TestTheNextClassTakesBackThatTheLastWasOver(t *testing.T) {
	over := t0.Add(-time.Hour)
	begins := func(at time.Time) func(*testing.T, *Service) {
		return func(t *testing.T, s *Service) {
			if _, err := s.Attend(t.Context(), Occasion{Schedule: "lab", Course: "de", Action: ScheduleUp, At: at}, []string{"alice"}); err != nil {
				t.Error(err)
			}
		}
	}
	for name, c := range map[string]struct {
		up   func(*testing.T, *Service)
		want time.Time
	}{
		"by schedule":               {begins(t0), time.Time{}},
		"at the minute of its end":  {begins(over), time.Time{}},
		"a class of before its end": {begins(over.Add(-time.Hour)), over},
		"by hand": {func(t *testing.T, s *Service) {
			if _, err := s.CourseUp(t.Context(), teacher, "de"); err != nil {
				t.Error(err)
			}
		}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newClass("alice")
			r.envs["e1"] = Environment{ID: "e1", Owner: "alice", Course: "de", Profile: "dask", State: StateReady, Desired: Present, CreatedAt: t0.Add(-3 * time.Hour),
				ReadyAt: t0.Add(-2 * time.Hour), ClassOver: over, Ending: &Ending{At: t0.Add(10 * time.Minute), Cause: EndClass}, Version: 1}
			c.up(t, s)
			c.up(t, s)
			e := r.envs["e1"]
			if !e.ClassOver.Equal(c.want) || (e.Ending == nil) != c.want.IsZero() {
				t.Errorf("got a class over at %s, told %+v; want %s", e.ClassOver, e.Ending, c.want)
			}
			if events := len(r.events); c.want.IsZero() != (events == 1) {
				t.Errorf("got %d events", events)
			}
		})
	}
}

// TestTheNextClassIsTheTeachersToo: who is on no roster has an environment that
// the end of a class ends, and so the beginning of the next takes that back.
func TestTheNextClassIsTheTeachersToo(t *testing.T) {
	for name, up := range map[string]func(*Service, *rows) error{
		"by schedule": func(s *Service, _ *rows) error {
			_, err := s.Attend(t.Context(), Occasion{Schedule: "lab", Course: "de", Action: ScheduleUp, At: t0}, []string{"alice", "prof"})
			return err
		},
		"by hand": func(s *Service, _ *rows) error {
			_, err := s.CourseUp(t.Context(), teacher, "de")
			return err
		},
		"from Slack": func(s *Service, r *rows) error {
			if err := s.OrderCourse(t.Context(), teacher, "de", ScheduleUp); err != nil {
				return err
			}
			_, err := s.CarryOut(t.Context(), r.woken[len(r.woken)-1].ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newClass("alice")
			r.envs["e1"] = Environment{ID: "e1", Owner: "prof", Course: "de", Profile: "dask", State: StateReady, Desired: Present, CreatedAt: t0.Add(-3 * time.Hour),
				ReadyAt: t0.Add(-2 * time.Hour), ClassOver: t0.Add(-time.Hour), Version: 1}
			if err := up(s, r); err != nil {
				t.Fatal(err)
			}
			if e := r.envs["e1"]; !e.ClassOver.IsZero() {
				t.Errorf("in the middle of the next class it still ends for the last, at %s", e.ClassOver)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestScheduleMarks(t *testing.T) {
	s, _ := newClass()
	m, err := s.ScheduleMark(t.Context(), "lab")
	if err != nil || !m.Through.IsZero() {
		t.Fatalf("got %+v, %v", m, err)
	}
	m.Through, m.Plan = t0, "0 8 * * * UTC"
	if err := s.KeepMark(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepMark(t.Context(), m); CodeOf(err) != CodeConflict {
		t.Errorf("an old mark: got %v; want conflict", err)
	}
	if m, err = s.ScheduleMark(t.Context(), "lab"); err != nil || !m.Through.Equal(t0) || m.Plan != "0 8 * * * UTC" || s.KeepMark(t.Context(), m) != nil {
		t.Errorf("got %+v, %v", m, err)
	}
}
