package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func aCourse(id string, bindings ...environment.LMSBinding) environment.Course {
	return environment.Course{ID: id, Title: "Data engineering", Timezone: "Europe/Paris", Staff: []string{"teacher"}, Origin: environment.OriginStored, LMS: bindings,
		Members: []environment.Member{{Subject: "ann@example.edu", Email: "ann@example.edu", Name: "Ann Ärlig", LMSID: "4711", Role: environment.MemberStudent}},
		Policy:  environment.Policy{TTL: 3 * time.Hour, Warnings: []time.Duration{20 * time.Minute}}, Budget: 200, EndsAt: day.Add(time.Hour),
		Schedules: []environment.Schedule{{Name: "monday", Action: environment.ScheduleUp, Cron: "45 7 * * MON", Spread: 10 * time.Minute}},
		Holidays:  []string{"2026-12-24"}, Left: []environment.Leaver{{Subject: "bob", At: day, EndsAt: day.Add(24 * time.Hour), By: "teacher"}}}
}

func testCourses(t *testing.T, url fresh) {
	s := open(t, url(t))
	want := aCourse("de-2026")
	commit(t, s, environment.Change{Course: &want})
	wantCode(t, s.Commit(t.Context(), environment.Change{Course: &want}), environment.CodeConflict)
	want.Version = 1
	got, err := s.Course(t.Context(), "de-2026")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Course: %v (-want +got):\n%s", err, diff)
	}
	other := aCourse("a-course")
	commit(t, s, environment.Change{Course: &other})
	want.Members, want.DeletedAt = nil, day
	commit(t, s, environment.Change{Course: &want})
	wantCode(t, s.Commit(t.Context(), environment.Change{Course: &want}), environment.CodeConflict)
	for deleted, ids := range map[bool][]string{false: {"a-course"}, true: {"a-course", "de-2026"}} {
		all, err := s.Courses(t.Context(), deleted)
		var have []string
		for _, c := range all {
			have = append(have, c.ID)
		}
		if diff := cmp.Diff(ids, have); diff != "" || err != nil {
			t.Errorf("Courses(%v): %v (-want +got):\n%s", deleted, err, diff)
		}
	}
	if gone, err := s.Course(t.Context(), "de-2026"); gone.DeletedAt.IsZero() || gone.Version != 2 || err != nil {
		t.Errorf("a deleted course: got %+v, %v; want its tombstone", gone, err)
	}
}

func testCourseBindings(t *testing.T, url fresh) {
	s := open(t, url(t))
	binding := environment.LMSBinding{Source: "canvas", Context: "42"}
	one, two := aCourse("one", binding, environment.LMSBinding{Source: "moodle"}), aCourse("two", binding)
	commit(t, s, environment.Change{Course: &one})
	wantCode(t, s.Commit(t.Context(), environment.Change{Course: &two}), environment.CodeConflict)
	bound := func(b environment.LMSBinding) string {
		id, err := s.CourseByLMS(t.Context(), b)
		if err != nil {
			wantCode(t, err, environment.CodeNotFound)
		}
		return id
	}
	if got := bound(binding) + " " + bound(environment.LMSBinding{Source: "moodle"}); got != "one one" {
		t.Errorf("got %q; want one for both", got)
	}
	if got := bound(environment.LMSBinding{Source: "moodle", Context: "42"}); got != "" {
		t.Errorf("another context: got %q; want none", got)
	}
	one.Version, one.DeletedAt = 1, day
	commit(t, s, environment.Change{Course: &one})
	if got := bound(binding); got != "" {
		t.Errorf("of a deleted course: got %q; want none", got)
	}
	commit(t, s, environment.Change{Course: &two})
	if got := bound(binding); got != "two" {
		t.Errorf("bound anew: got %q; want two", got)
	}
}

// TestACourseIsReadAnew: what is remembered of a course is never older than its
// row, whoever wrote that and however many read at once.
func TestACourseIsReadAnew(t *testing.T) {
	url := freshSQLite(t)
	s := open(t, url)
	course := aCourse("de-2026")
	var all sync.WaitGroup
	for range 20 {
		commit(t, s, environment.Change{Course: &course})
		course.Version++
		for range 4 {
			all.Go(func() {
				got, err := s.Course(t.Context(), "de-2026")
				if err != nil || got.Version != course.Version || got.Budget != course.Budget {
					t.Errorf("got version %d with budget %v, %v; want %d with %v", got.Version, got.Budget, err, course.Version, course.Budget)
				}
				list, err := s.Courses(t.Context(), false)
				if err != nil || len(list) != 1 || list[0].Budget != course.Budget {
					t.Errorf("listed: %v, %v; want budget %v", list, err, course.Budget)
				}
			})
		}
		all.Wait()
		course.Budget++
	}
}
