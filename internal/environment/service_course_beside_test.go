package environment

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// file is a Roster of the configuration, with one course.
type file struct{ course *Course }

func (f file) Class(_ context.Context, id string) (Course, error) {
	if f.course == nil || id != f.course.ID {
		return Course{}, nothing
	}
	return f.course.clone(), nil
}

func (f file) Classes(context.Context) ([]Course, error) {
	if f.course == nil {
		return nil, nil
	}
	return []Course{f.course.clone()}, nil
}

// newFile is an office whose configuration defines the course "ml" instead.
func newFile(t *testing.T) (*office, *Course) {
	t.Helper()
	o := newOffice(t, addressed("before@example.edu")) // what the file hides
	c := &Course{ID: "ml", Title: "Machine learning", Staff: []string{"tutor"}, Origin: OriginConfiguration, File: "daskbot.yaml",
		Members: []Member{{Subject: "ann", Email: "ann@example.edu", Role: MemberStudent}}, LMS: []LMSBinding{{Source: "canvas", Context: "7"}},
		Notifications: []Subscription{{URL: "https://hooks.example.edu/x"}}}
	o.roster = newRegistry(file{c}, o.store)
	return o, c
}

func (o *office) subjects(t *testing.T) string {
	t.Helper()
	return strings.Join(o.course(t).Subjects(), " ")
}

func TestACourseOfTheFileTakesMembersFromElsewhere(t *testing.T) {
	o, file := newFile(t)
	if got := o.subjects(t); got != "ann" {
		t.Fatalf("members: got %q; want those of the file", got)
	}
	for i := range 2 {
		changed, err := o.Enroll(t.Context(), tutor, "ml", Member{Email: "bob@example.edu", LMSID: "canvas:1"})
		if err != nil || changed != (i == 0) {
			t.Fatalf("time %d: changed %v, %v", i, changed, err)
		}
	}
	if changed, err := o.Enroll(t.Context(), tutor, "ml", Member{Email: "ann@example.edu", Role: MemberStaff}); changed || err != nil {
		t.Errorf("whom the file names: changed %v, %v; want them as they are", changed, err)
	}
	if got := o.subjects(t); got != "ann bob@example.edu" {
		t.Errorf("members: got %q; want both", got)
	}
	if c, err := o.CourseByLMS(t.Context(), "canvas", "7"); err != nil || len(c.Members) != 2 || c.Title != file.Title {
		t.Errorf("by its binding: got %+v, %v; want the course with both", c, err)
	}
	all, err := o.roster.Classes(t.Context())
	if err != nil || len(all) != 1 || len(all[0].Members) != 2 {
		t.Errorf("listed: got %+v, %v; want it once, with both", all, err)
	}
	file.Members = append(file.Members, Member{Subject: "bob", Email: "bob@example.edu", Role: MemberStaff})
	if got := o.subjects(t); got != "ann bob" {
		t.Errorf("once the file names him too: got %q; want him once", got)
	}
	o.roster = newRegistry(nil, o.store)
	if c, err := o.CourseDocument(t.Context(), boss, "ml"); CodeOf(err) != CodeNotFound {
		t.Errorf("gone from the file: got %+v, %v; want not found", c, err)
	}
}

// TestALaunchLeavesTheFileAlone: whom the file names keeps the account and the
// address that it gives them, and whoever is launched is let in without.
func TestALaunchLeavesTheFileAlone(t *testing.T) {
	o, file := newFile(t)
	file.Members[0].LMSID = "https://school.example.edu#a"
	who := Caller{Subject: "lti:canvas", Role: RoleStaff, Courses: []string{"ml"}, Via: ViaLTI}
	if _, err := o.EnrollLaunched(t.Context(), who, "ml", Member{Subject: "canvas:a", Email: "ann@example.edu", LMSID: file.Members[0].LMSID}, "ann"); err != nil {
		t.Fatal(err)
	}
	want := []Member{file.Members[0], {Subject: "canvas:a", Role: MemberStudent}}
	if diff := cmp.Diff(want, o.course(t).Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if _, err := o.Enroll(t.Context(), tutor, "ml", Member{Subject: "bob", Email: "ann@example.edu"}); CodeOf(err) != CodeInvalid {
		t.Errorf("by staff: got %v; want it refused, they can mend it", err)
	}
}

func TestWhoIsDroppedFromACourseOfTheFile(t *testing.T) {
	o, _ := newFile(t)
	if _, err := o.Enroll(t.Context(), tutor, "ml", addressed("bob@example.edu")); err != nil {
		t.Fatal(err)
	}
	bob, ann := o.ready(t, "bob@example.edu"), o.ready(t, "ann")
	for subject, want := range map[string]bool{"bob@example.edu": true, "ann": false} {
		if changed, err := o.Unenroll(t.Context(), tutor, "ml", subject, ""); changed != want || err != nil {
			t.Errorf("%s: changed %v, %v; want %v", subject, changed, err, want)
		}
	}
	if e := o.rows.envs[bob.ID]; e.CourseEnd == nil || e.CourseEnd.Cause != EndLeft {
		t.Errorf("bob: got %+v; want an end", e.CourseEnd)
	}
	if e := o.rows.envs[ann.ID]; e.CourseEnd != nil || o.subjects(t) != "ann" {
		t.Errorf("ann: got %+v among %q; want her to stay", e.CourseEnd, o.subjects(t))
	}
	for subject, code := range map[string]Code{"bob@example.edu": CodeForbidden, "anybody": ""} {
		if _, _, err := o.Up(t.Context(), Caller{Subject: subject, Role: RoleStudent}, Request{Course: "ml", Profile: "plain"}); CodeOf(err) != code {
			t.Errorf("another one for %s: got %v; want %q", subject, err, code)
		}
	}
}

func TestOneMemberOfTheFileIsChangedThere(t *testing.T) {
	o, _ := newFile(t)
	_, put := o.PutMember(t.Context(), tutor, "ml", Member{Subject: "ann", Role: MemberStaff}, 0, false)
	_, dropped := o.DropMember(t.Context(), tutor, "ml", "ann", 0, false)
	for what, err := range map[string]error{"put": put, "dropped": dropped} {
		if CodeOf(err) != CodeConflict || !strings.Contains(MessageOf(err), "daskbot.yaml") {
			t.Errorf("%s: got %v; want a conflict that names the file", what, err)
		}
	}
}

func TestOneMember(t *testing.T) {
	o := newOffice(t, Member{Email: "ann@example.edu", Role: MemberStaff}, addressed("bob@example.edu"))
	at := o.course(t).Version
	made, err := o.PutMember(t.Context(), tutor, "ml", Member{Email: "ann@example.edu", Name: "Ann"}, at, true)
	if err != nil || len(made.Diff) != 1 || o.course(t).Version != at {
		t.Errorf("dry: got %+v, %v; want what would change, and no change", made.Diff, err)
	}
	if _, err := o.PutMember(t.Context(), tutor, "ml", Member{Email: "ann@example.edu", Name: "Ann"}, at, false); err != nil {
		t.Fatal(err)
	}
	got, _ := o.course(t).Member("ann@example.edu")
	if diff := cmp.Diff(Member{Subject: "ann@example.edu", Name: "Ann", Email: "ann@example.edu", Role: MemberStudent}, got); diff != "" {
		t.Errorf("ann (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		try  func() error
		code Code
	}{
		"put over what changed": {func() error {
			_, err := o.PutMember(t.Context(), tutor, "ml", addressed("x@example.edu"), at, false)
			return err
		}, CodeConflict},
		"drop over what changed": {func() error {
			_, err := o.DropMember(t.Context(), tutor, "ml", "bob@example.edu", at, false)
			return err
		}, CodeConflict},
		"who is not there": {func() error { _, err := o.DropMember(t.Context(), tutor, "ml", "nobody", 0, false); return err }, CodeNotFound},
		"by a student": {func() error {
			_, err := o.DropMember(t.Context(), alice, "ml", "bob@example.edu", 0, false)
			return err
		}, CodeNotFound},
		"drop": {func() error {
			_, err := o.DropMember(t.Context(), tutor, "ml", "bob@example.edu", at+1, false)
			return err
		}, ""},
	} {
		if err := c.try(); CodeOf(err) != c.code {
			t.Errorf("%s: got %v; want %q", name, err, c.code)
		}
	}
	if got := o.subjects(t); got != "ann@example.edu" {
		t.Errorf("members: got %q; want ann", got)
	}
}

func TestNotificationsOfTheFileBeginWhenTheyAreNoted(t *testing.T) {
	o, _ := newFile(t)
	if since := o.course(t).Notifications[0].Since; !since.IsZero() {
		t.Errorf("before: got %s; want none", since)
	}
	first := o.at
	for range 2 {
		if err := o.SettleCourses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if since := o.course(t).Notifications[0].Since; !since.Equal(first) {
			t.Errorf("got %s; want %s", since, first)
		}
		o.at = o.at.Add(time.Hour)
	}
}
