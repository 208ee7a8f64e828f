package environment

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mortal is a store that takes only so many commits more: what comes then is
// lost, as when the process is killed.
type mortal struct {
	courseRows
	left int
}

func (m *mortal) Commit(ctx context.Context, ch Change) error {
	if m.left == 0 {
		return Errorf(CodeUnavailable, "killed")
	}
	m.left--
	return m.courseRows.Commit(ctx, ch)
}

// ordered is a class of three, of whom one has an environment, and an order
// for it that was accepted.
func ordered(t *testing.T, action ScheduleAction) (*Service, *rows, string) {
	t.Helper()
	s, r := newClass("alice", "bob", "carol")
	if _, _, err := s.Up(t.Context(), boss, Request{Owner: "bob", Course: "de", Profile: "plain"}); err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return t0.Add(time.Minute) }
	if err := s.OrderCourse(t.Context(), teacher, "de", action); err != nil {
		t.Fatal(err)
	}
	for _, job := range r.woken {
		if job.Kind == JobCourse {
			return s, r, job.ID
		}
	}
	t.Fatal("no job was queued")
	return nil, nil, ""
}

// outcomeOf reads what became of an order, and how often its end was an event.
func outcomeOf(t *testing.T, s *Service, r *rows, id string) (CourseOrder, int) {
	t.Helper()
	o, err := ReadCourseOrder(t.Context(), s.store, id)
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for _, ev := range r.events {
		if ev.Order == id {
			ends++
		}
	}
	return o, ends
}

// TestKilledDuringAnOrder ends the process after every commit of a command for
// a class: the next one goes on, and what is told is as if nothing had happened.
func TestKilledDuringAnOrder(t *testing.T) {
	for action, want := range map[ScheduleAction][]string{
		ScheduleUp:   {"alice started", "bob existing", "carol started"},
		ScheduleDown: {"bob ended"},
	} {
		for commits := range 7 {
			s, r, id := ordered(t, action)
			alive := s.store
			s.store = &mortal{courseRows{r}, commits}
			_, _ = s.CarryOut(t.Context(), id) // it is killed
			s.store = alive
			for range 2 { // a job may come twice
				if again, err := s.CarryOut(t.Context(), id); again != 0 || err != nil {
					t.Fatalf("%s after %d commits: got %s, %v", action, commits, again, err)
				}
			}
			o, ends := outcomeOf(t, s, r, id)
			if diff := cmp.Diff(want, toldOf(o.Batch())); diff != "" || ends != 1 || o.Problem != "" {
				t.Errorf("%s after %d commits: %d ends, %q (-want +got):\n%s", action, commits, ends, o.Problem, diff)
			}
		}
	}
}

// TestAnOrderIsOfItsTime: what people did since it was given stays, and one
// that is too old is given up.
func TestAnOrderIsOfItsTime(t *testing.T) {
	s, r, id := ordered(t, ScheduleDown)
	s.now = func() time.Time { return t0.Add(2 * time.Minute) }
	if _, _, err := s.Up(t.Context(), boss, Request{Owner: "alice", Course: "de", Profile: "plain"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CarryOut(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	o, _ := outcomeOf(t, s, r, id)
	if diff := cmp.Diff([]string{"bob ended"}, toldOf(o.Batch())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	s, r, id = ordered(t, ScheduleDown)
	s.now = func() time.Time { return t0.Add(2 * time.Hour) }
	if _, err := s.CarryOut(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if o, ends := outcomeOf(t, s, r, id); o.Problem == "" || len(o.Batch().Items) != 0 || ends != 1 {
		t.Errorf("got %+v, %d ends; want it given up and told once", o, ends)
	}
}

func TestOrdersAreForTheStaff(t *testing.T) {
	s, _ := newClass("alice")
	for _, who := range []Caller{{Subject: "alice", Role: RoleStudent}, stranger} {
		if err := s.OrderCourse(t.Context(), who, "de", ScheduleDown); err == nil {
			t.Errorf("%s may end the class", who.Subject)
		}
	}
}
