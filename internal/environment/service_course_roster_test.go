package environment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// office is a service whose clock can be moved, with one stored course, "ml",
// beside the configured "de".
type office struct {
	*Service
	rows *rows
	at   time.Time
}

// officeRows adds to rows what courses need.
type officeRows struct{ courseRows }

func (r officeRows) CourseByLMS(_ context.Context, b LMSBinding) (string, error) {
	for _, c := range r.courses {
		if c.DeletedAt.IsZero() && slices.Contains(c.LMS, b) {
			return c.ID, nil
		}
	}
	return "", nothing
}

func (r officeRows) PersonByEmail(_ context.Context, email string) (Person, error) {
	for _, p := range r.people {
		if strings.EqualFold(p.Email, email) {
			return p, nil
		}
	}
	return Person{}, nothing
}

func newOffice(t *testing.T, members ...Member) *office {
	t.Helper()
	_, r := newTestService()
	o := &office{rows: r, at: t0}
	o.Service = NewService(ServiceConfig{Store: officeRows{courseRows{r}}, Feed: &Feed{}, Catalogue: shelf{}, Roster: lecture{}, Clusters: gates{}, Installation: "test",
		MaxMembers: 100, Now: func() time.Time { return o.at },
		CheckSchedule: func(s Schedule) error {
			if s.Cron == "never" {
				return Invalid("cron", "It never comes due.")
			}
			return nil
		}})
	if _, err := o.ApplyCourse(t.Context(), boss, Course{ID: "ml", Title: "Machine learning", Staff: []string{"tutor"}, Members: members}, 0, false); err != nil {
		t.Fatal(err)
	}
	return o
}

var tutor = Caller{Subject: "tutor", Role: RoleStaff, Courses: []string{"ml"}}

func addressed(address string) Member { return Member{Email: address} }

// ready gives somebody an environment in the course that is ready.
func (o *office) ready(t *testing.T, owner string) Environment {
	t.Helper()
	e, _, err := o.Up(t.Context(), boss, Request{Owner: owner, Course: "ml"})
	if err != nil {
		t.Fatal(err)
	}
	e.State, e.ReadyAt, e.ExpiresAt = StateReady, o.at, o.at.Add(48*time.Hour)
	o.rows.envs[e.ID] = e
	return e
}

func (o *office) course(t *testing.T) Course {
	t.Helper()
	c, err := o.CourseDocument(t.Context(), boss, "ml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// told lists what was said about an environment since it was asked for.
func (o *office) told(id string) (says []string) {
	for _, ev := range o.rows.events {
		if ev.Environment == id && ev.Type != EventRequested {
			says = append(says, string(ev.Type)+": "+ev.Message)
		}
	}
	return says
}

func TestEnrollIsIdempotentAndJoinsIdentities(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	o.rows.people["bert"] = Person{Subject: "bert", Email: "Bert@example.edu"}
	for _, step := range []struct {
		m       Member
		changed bool
		want    Member
	}{
		{Member{Email: " Ann@Example.EDU ", LMSID: "4711"}, true, Member{Subject: "ann@example.edu", Email: "ann@example.edu", LMSID: "4711", Role: MemberStudent}},
		{Member{Email: "ann@example.edu"}, false, Member{Subject: "ann@example.edu", Email: "ann@example.edu", LMSID: "4711", Role: MemberStudent}},
		{Member{LMSID: "4711", Name: "Ann", Role: MemberStaff}, true, Member{Subject: "ann@example.edu", Name: "Ann", Email: "ann@example.edu", LMSID: "4711", Role: MemberStaff}},
		{Member{Email: "bert@example.edu"}, true, Member{Subject: "bert", Email: "bert@example.edu", Role: MemberStudent}},
		{Member{Subject: "carol"}, true, Member{Subject: "carol", Role: MemberStudent}},
		{Member{Subject: " Dan@Example.EDU "}, true, Member{Subject: "dan@example.edu", Role: MemberStudent}},
		{Member{Subject: "dan@example.edu"}, false, Member{Subject: "dan@example.edu", Role: MemberStudent}},
		{Member{Subject: "Eve"}, true, Member{Subject: "Eve", Role: MemberStudent}}, // no address
	} {
		changed, err := o.Enroll(t.Context(), tutor, "ml", step.m)
		if err != nil || changed != step.changed {
			t.Fatalf("%+v: changed %v, %v; want %v", step.m, changed, err, step.changed)
		}
		got, _ := o.course(t).Member(step.want.Subject)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", step.m, diff)
		}
	}
	if got := o.course(t).Teachers(); !slices.Equal(got, []string{"tutor", "ann@example.edu"}) {
		t.Errorf("teachers: got %v", got)
	}
	if m, err := o.MemberByLMS(t.Context(), "ml", "4711"); err != nil || m.Subject != "ann@example.edu" {
		t.Errorf("MemberByLMS: got %+v, %v", m, err)
	}
	if _, err := o.MemberByLMS(t.Context(), "ml", ""); CodeOf(err) != CodeNotFound {
		t.Errorf("MemberByLMS of nobody: got %v; want not found", err)
	}
}

func TestEnrollRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		who    Caller
		course string
		m      Member
		code   Code
		says   string
	}{
		"a student":               {alice, "ml", addressed("x@example.edu"), CodeNotFound, "ml"},
		"staff of another course": {teacher, "ml", addressed("x@example.edu"), CodeNotFound, "ml"},
		"nobody":                  {tutor, "ml", Member{Name: "x"}, CodeInvalid, "e-mail"},
		"no address":              {tutor, "ml", addressed("not an address"), CodeInvalid, "not an address"},
		"letters like others":     {tutor, "ml", addressed("аnn@example.edu"), CodeInvalid, "ASCII"}, // the first is Cyrillic
		"another's LMS id":        {tutor, "ml", Member{Subject: "x", LMSID: "1"}, CodeInvalid, "another member's"},
		"a role there is not":     {tutor, "ml", Member{Subject: "x", Role: "boss"}, CodeInvalid, "student or staff"},
		"a name with a line":      {tutor, "ml", Member{Subject: "x", Name: "a\nb"}, CodeInvalid, "not a name"},
		"who pays, by staff":      {tutor, "ml", Member{Subject: "x", Project: "someones-project"}, CodeForbidden, "admin"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, Member{Email: "ann@example.edu", LMSID: "1"})
			changed, err := o.Enroll(t.Context(), c.who, c.course, c.m)
			if CodeOf(err) != c.code || !strings.Contains(MessageOf(err), c.says) || changed {
				t.Errorf("got %v, changed %v; want %s saying %q", err, changed, c.code, c.says)
			}
			if n := len(o.course(t).Members); n != 1 {
				t.Errorf("the roster has %d members; want the one from before", n)
			}
		})
	}
}

// TestCaseMakesNoTwoPeople: names that are addresses are written as people like
// them, and are one.
func TestCaseMakesNoTwoPeople(t *testing.T) {
	o := newOffice(t)
	doc := Course{ID: "ml", Title: "ML", Staff: []string{"Tutor@Example.edu", " tutor@example.edu"}, Members: []Member{{Subject: "Ann@Example.edu"}}}
	if _, err := o.ApplyCourse(t.Context(), boss, doc, 0, false); err != nil {
		t.Fatal(err)
	}
	who, err := o.Teaches(t.Context(), Caller{Subject: "tutor@example.edu", Role: RoleStudent})
	if err != nil || who.Role != RoleStaff || len(o.course(t).Staff) != 1 {
		t.Errorf("got %+v, %v of %q; want the one who teaches", who, err, o.course(t).Staff)
	}
	if made, err := o.ApplyCourse(t.Context(), boss, doc, 0, false); err != nil || len(made.Diff) != 0 {
		t.Errorf("again: got %+v, %v; want no change", made.Diff, err)
	}
	doc.Members = append(doc.Members, Member{Subject: "ann@example.edu"})
	if _, err := o.ApplyCourse(t.Context(), boss, doc, 0, true); CodeOf(err) != CodeInvalid || !strings.Contains(MessageOf(err), "twice") {
		t.Errorf("twice: got %v; want it refused", err)
	}
	if _, err := o.DropMember(t.Context(), boss, "ml", "ANN@example.edu", 0, false); err != nil || len(o.course(t).Members) != 0 {
		t.Errorf("dropped: got %v, %+v; want nobody", err, o.course(t).Members)
	}
}

// TestCaseMakesNoTwoOwners: whoever names somebody by an address in capitals, as
// a person or as the owner of something, means who is on the roster.
func TestCaseMakesNoTwoOwners(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	p, err := o.PutPerson(t.Context(), boss, Person{Subject: "Ann@Example.edu", Project: "anns-credits"})
	if err != nil || p.Subject != "ann@example.edu" {
		t.Errorf("got %+v, %v; want ann", p, err)
	}
	if p, err = o.Person(t.Context(), Caller{Subject: "ann@example.edu", Role: RoleStudent}, "ANN@example.edu"); err != nil || p.Project != "anns-credits" {
		t.Errorf("got %+v, %v; want what was said of ann", p, err)
	}
	for i, owner := range []string{"Ann@example.EDU", "ann@example.edu"} {
		e, created, err := o.Up(t.Context(), tutor, Request{Owner: owner, Course: "ml"})
		if err != nil || created != (i == 0) || e.Owner != "ann@example.edu" || e.Project != "anns-credits" {
			t.Errorf("%s: got %+v, created %v, %v; want one of ann, who pays", owner, e, created, err)
		}
	}
}

// TestTheSignForKelvinIsNoK: in lower case it would be, and make two people one.
func TestTheSignForKelvinIsNoK(t *testing.T) {
	o := newOffice(t, addressed("mike@example.edu"))
	o.rows.people["mike"] = Person{Subject: "mike", Email: "mike@example.edu"}
	const kelvin = "mi\u212ae@example.edu"
	if p, err := o.Introduce(t.Context(), "T1:U1", kelvin, true); CodeOf(err) != CodeNotFound {
		t.Errorf("from Slack: got %+v, %v; want nobody", p, err)
	}
	for _, m := range []Member{{Email: kelvin}, {Subject: kelvin}} {
		if _, err := o.Enroll(t.Context(), tutor, "ml", m); CodeOf(err) != CodeInvalid {
			t.Errorf("%+v: got %v; want it refused", m, err)
		}
	}
}

// TestNamesFromBefore: who is known by a name in capitals keeps it, wherever it
// is written so.
func TestNamesFromBefore(t *testing.T) {
	o := newOffice(t)
	o.rows.people["Ann@Example.edu"] = Person{Subject: "Ann@Example.edu", Project: "anns-credits"}
	if _, err := o.Enroll(t.Context(), tutor, "ml", Member{Subject: "Ann@Example.edu"}); err != nil || o.course(t).Members[0].Subject != "Ann@Example.edu" {
		t.Errorf("got %+v, %v", o.course(t).Members, err)
	}
	c := o.rows.courses["ml"]
	c.Members = append(c.Members, Member{Subject: "Bob@Example.edu", Role: MemberStudent})
	o.rows.courses["ml"] = c
	batch, err := o.CourseUp(t.Context(), tutor, "ml")
	if err != nil || len(batch.Items) != 2 {
		t.Fatalf("got %+v, %v", batch, err)
	}
	for _, item := range batch.Items {
		if e := o.rows.envs[item.Environment]; e.Owner != item.Subject {
			t.Errorf("got %+v; want one of %s", e, item.Subject)
		}
	}
	old := Caller{Subject: "Carol@Example.edu", Role: RoleStudent} // by a token
	if e, _, err := o.Up(t.Context(), old, Request{}); err != nil || e.Owner != old.Subject {
		t.Errorf("got %+v, %v; want one of the caller's", e, err)
	}
}

// TestANameThatIsNotInLowerCase: whoever is registered so keeps it, also when
// the roster's document is applied again.
func TestANameThatIsNotInLowerCase(t *testing.T) {
	o := newOffice(t)
	o.rows.people["Ann@Example.edu"] = Person{Subject: "Ann@Example.edu", Email: "ann@example.edu"}
	for i, m := range []Member{addressed("ann@example.edu"), {Subject: "Ann@Example.edu"}} {
		if changed, err := o.Enroll(t.Context(), tutor, "ml", m); err != nil || changed != (i == 0) || o.course(t).Members[0].Subject != "Ann@Example.edu" {
			t.Errorf("%+v: changed %v, %v: %+v", m, changed, err, o.course(t).Members)
		}
	}
}

// TestATeacherInCapitalsTeaches: whoever is registered so stays whom the list of
// staff names.
func TestATeacherInCapitalsTeaches(t *testing.T) {
	o := newOffice(t)
	o.rows.people["Prof@Example.edu"] = Person{Subject: "Prof@Example.edu", Email: "prof@example.edu"}
	if _, err := o.ApplyCourse(t.Context(), boss, Course{ID: "ml", Title: "ML", Staff: []string{"Prof@Example.edu"}}, 0, false); err != nil {
		t.Fatal(err)
	}
	prof := Caller{Subject: "Prof@Example.edu", Role: RoleStudent}
	if who, err := o.Teaches(t.Context(), prof); err != nil || who.Role != RoleStaff {
		t.Errorf("got %+v, %v; staff are %q", who, err, o.course(t).Staff)
	}
	if _, _, err := o.Up(t.Context(), prof, Request{Course: "ml"}); err != nil {
		t.Error(err)
	}
}

// TestWhoWasLaunchedIsWhoIsOnTheRoster: a platform's own ids are spelt as it
// does, though there is an @ in them, and people are who they are registered as;
// else what they ask for is refused as a stranger's.
func TestWhoWasLaunchedIsWhoIsOnTheRoster(t *testing.T) {
	o := newOffice(t)
	for _, subject := range []string{"moodle:Bo@Example.edu", "Ann@Example.edu"} {
		o.rows.people[subject] = Person{Subject: subject, LMSID: "https://moodle.example#" + subject}
		m := Member{Subject: subject, LMSID: "https://moodle.example#" + subject}
		if _, err := o.EnrollLaunched(t.Context(), tutor, "ml", m, subject); err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.Up(t.Context(), Caller{Subject: subject, Role: RoleStudent}, Request{Course: "ml"}); err != nil {
			t.Errorf("%s: %v; on the roster are %q", subject, err, o.course(t).Subjects())
		}
	}
	if _, err := o.Enroll(t.Context(), tutor, "ml", Member{Subject: "moodle:Cy@Example.edu"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := o.course(t).Member("moodle:Cy@Example.edu"); !ok {
		t.Errorf("named by a hook: got %q; want the name that a launch will have", o.course(t).Subjects())
	}
}

func TestARosterHasALimit(t *testing.T) {
	o := newOffice(t)
	var bomb []Member
	for i := range 101 {
		bomb = append(bomb, addressed(fmt.Sprintf("m%d@example.edu", i)))
	}
	if _, err := o.PutMembers(t.Context(), tutor, "ml", bomb, 0, false); CodeOf(err) != CodeQuota {
		t.Errorf("101 members: got %v; want quota", err)
	}
	if _, err := o.PutMembers(t.Context(), tutor, "ml", bomb[:100], 0, false); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Enroll(t.Context(), tutor, "ml", bomb[100]); CodeOf(err) != CodeQuota {
		t.Errorf("one more: got %v; want quota", err)
	}
}

func TestEnrollAtOnceLosesNobody(t *testing.T) {
	o := newOffice(t)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			for range 2 { // each is delivered twice
				if _, err := o.Enroll(t.Context(), tutor, "ml", addressed(fmt.Sprintf("m%d@example.edu", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c := o.course(t)
	if len(c.Members) != 60 || c.Version != 61 {
		t.Errorf("got %d members at version %d; want 60 at 61", len(c.Members), c.Version)
	}
}

func TestWhoIsDroppedHasNothingAfterTheGrace(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"), addressed("bob@example.edu"))
	ann, bob := o.ready(t, "ann@example.edu"), o.ready(t, "bob@example.edu")
	for i := range 2 {
		changed, err := o.Unenroll(t.Context(), tutor, "ml", "ann@example.edu", "left the programme")
		if err != nil || changed != (i == 0) {
			t.Fatalf("time %d: changed %v, %v", i, changed, err)
		}
	}
	e := o.rows.envs[ann.ID]
	if e.Ending == nil || e.Ending.Cause != EndLeft || !e.Ending.At.Equal(t0.Add(24*time.Hour)) {
		t.Fatalf("got ending %+v; want left, in 24 h", e.Ending)
	}
	if told := o.told(ann.ID); len(told) != 1 || !strings.HasPrefix(told[0], "warned: ann@example.edu is no longer on the roster") {
		t.Errorf("ann was told %q; want once", told)
	}
	if len(o.told(bob.ID)) > 0 || o.rows.envs[bob.ID].CourseEnd != nil {
		t.Error("bob was told something; want nothing")
	}
	if _, _, err := o.Up(t.Context(), Caller{Subject: "ann@example.edu", Role: RoleStudent}, Request{Course: "ml", Profile: "plain"}); CodeOf(err) != CodeForbidden {
		t.Errorf("another for ann: got %v; want forbidden", err)
	}
	busy := Use{Verdict: Verdict{Is: VerdictActive, Reason: "a kernel is busy"}, Ever: true}
	if j := Judge(Policy{MaxTTL: 72 * time.Hour}, e, busy, t0.Add(24*time.Hour-time.Second)); j.Action == ReapDelete {
		t.Errorf("a second before the end: got %+v; want it kept", j)
	}
	if j := Judge(Policy{MaxTTL: 72 * time.Hour}, e, busy, t0.Add(24*time.Hour)); j.Action != ReapDelete || j.Cause != EndLeft {
		t.Errorf("at the end: got %+v; want it deleted although it is in use", j)
	}
}

func TestWhoComesBackKeepsWhatTheyHave(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	ann := o.ready(t, "ann@example.edu")
	if _, err := o.Unenroll(t.Context(), tutor, "ml", "ann@example.edu", ""); err != nil {
		t.Fatal(err)
	}
	o.at = o.at.Add(time.Hour)
	if changed, err := o.Enroll(t.Context(), tutor, "ml", addressed("ann@example.edu")); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if e := o.rows.envs[ann.ID]; e.CourseEnd != nil || e.Ending != nil {
		t.Errorf("got %+v and %+v; want no end", e.CourseEnd, e.Ending)
	}
	if told := o.told(ann.ID); len(told) != 2 || !strings.HasPrefix(told[1], "kept: ") {
		t.Errorf("told %q; want the notice and that it is off", told)
	}
	if left := o.course(t).Left; len(left) > 0 {
		t.Errorf("still noted as having left: %+v", left)
	}
}

func TestACrashBetweenRosterAndEnvironmentIsMended(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	ann := o.ready(t, "ann@example.edu")
	c := o.rows.courses["ml"]
	c.Members, c.Left = nil, []Leaver{{Subject: "ann@example.edu", At: o.at, EndsAt: o.at.Add(time.Hour)}}
	o.rows.courses["ml"] = c // as if the daemon had died right after writing it
	for range 2 {
		if err := o.SettleCourses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if e := o.rows.envs[ann.ID]; e.CourseEnd == nil || e.CourseEnd.Cause != EndLeft {
		t.Errorf("got %+v; want its end", e.CourseEnd)
	}
	if told := o.told(ann.ID); len(told) != 1 {
		t.Errorf("told %q; want once", told)
	}
}

func TestTheEndOfACourseEndsEverything(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	ann := o.ready(t, "ann@example.edu")
	doc := o.course(t)
	doc.EndsAt = t0.Add(10 * time.Hour)
	if _, err := o.ApplyCourse(t.Context(), tutor, doc, 0, false); err != nil {
		t.Fatal(err)
	}
	e := o.rows.envs[ann.ID]
	if e.CourseEnd == nil || e.CourseEnd.Cause != EndCourse || e.Ending == nil || !e.Ending.At.Equal(doc.EndsAt) {
		t.Fatalf("got %+v, told %+v; want the end of the course", e.CourseEnd, e.Ending)
	}
	o.at = doc.EndsAt
	if j := Judge(Policy{}, e, Use{}, o.at); j.Action != ReapDelete || j.Cause != EndCourse {
		t.Errorf("at its end: got %+v; want it deleted", j)
	}
	if _, _, err := o.Up(t.Context(), boss, Request{Owner: "ann@example.edu", Course: "ml", Profile: "plain"}); CodeOf(err) != CodeForbidden {
		t.Errorf("after the end: got %v; want forbidden", err)
	}
	if all, err := o.Timetables(t.Context()); len(all) > 0 || err != nil {
		t.Errorf("its schedules still are %+v, %v", all, err)
	}
}
