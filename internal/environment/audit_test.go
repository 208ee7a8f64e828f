package environment

import (
	"testing"
	"time"
)

// TestWhatNobodyAskedForByRequestIsAudited: a schedule, the reaper and hooks
// come past no edge, so their changes are written down where they are stored.
func TestWhatNobodyAskedForByRequestIsAudited(t *testing.T) {
	s, r := newClass("alice")
	at := t0.Add(-10 * time.Minute)
	hook := Caller{Subject: "lms:moodle", Role: RoleStaff, Courses: []string{"de"}, Via: ViaLMS}
	step := func(action, actor, via string, do func() error) {
		t.Helper()
		before := len(r.audited)
		if err := do(); err != nil {
			t.Fatalf("%s of %s: %v", action, actor, err)
		}
		got := r.audited[before:]
		if action == "" {
			if len(got) != 0 {
				t.Errorf("%s: got %+v; want no entry: the request is audited where it arrives", actor, got)
			}
			return
		}
		if len(got) != 1 || got[0].Action != action || got[0].Actor != actor || got[0].Via != via || got[0].Object == "" || got[0].Outcome != AuditOK {
			t.Errorf("got %+v; want %s by %s", got, action, actor)
		}
	}
	only := func() string {
		for id, e := range r.envs {
			if e.Desired == Present {
				return id
			}
		}
		t.Fatal("there is no environment")
		return ""
	}
	attend := func(what ScheduleAction) func() error {
		return func() error {
			_, err := s.Attend(t.Context(), Occasion{Schedule: "lab", Course: "de", Action: what, At: at}, []string{"alice"})
			at = t0.Add(time.Second)
			return err
		}
	}
	down := func(who Caller) func() error {
		return func() error {
			_, _, err := s.Down(t.Context(), who, only(), 0)
			return err
		}
	}
	step("up", "schedule:lab", ViaSchedule, attend(ScheduleUp))
	step("down", "schedule:lab", ViaSchedule, attend(ScheduleDown))
	r.envs = map[string]Environment{}
	step("up", "lms:moodle", ViaLMS, func() error {
		_, _, err := s.Up(t.Context(), hook, Request{Owner: "alice", Course: "de"})
		return err
	})
	step("", "the same once more", "", func() error {
		_, _, err := s.Up(t.Context(), hook, Request{Owner: "alice", Course: "de"})
		return err
	})
	step("down", "lms:moodle", ViaLMS, down(hook))
	r.envs = map[string]Environment{}
	step("", "alice", "", func() error {
		_, _, err := s.Up(t.Context(), alice, Request{Course: "de"})
		return err
	})
	step("down", "reaper", ViaReaper, func() error {
		e := r.envs[only()]
		e.State, e.ReadyAt, e.ExpiresAt = StateReady, t0.Add(-9*time.Hour), t0.Add(-2*time.Hour)
		e.Ending = &Ending{At: t0.Add(-time.Hour), Cause: EndMaximum, ToldAt: t0.Add(-2 * time.Hour), Lead: 10 * time.Minute}
		r.envs[e.ID] = e
		j, err := s.Carry(t.Context(), PlanItem{Environment: e, Use: Use{Environment: e.ID}, Judgement: Judgement{Action: ReapDelete, Cause: EndMaximum}})
		if j.Action != ReapDelete {
			t.Fatalf("got %+v; want it deleted", j)
		}
		return err
	})
}
