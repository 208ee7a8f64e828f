package environment

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func fields(diff []Difference) (says []string) {
	for _, d := range diff {
		says = append(says, d.Field+": "+d.Was+" -> "+d.Is)
	}
	return says
}

func TestApplySaysFirstWhatItWouldChange(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"), addressed("bob@example.edu"))
	doc := Course{ID: "ml", Title: "Deep learning", Staff: []string{"tutor"}, Members: []Member{addressed("BOB@example.edu"), {Subject: "carol", Role: MemberStaff}},
		Policy: Policy{TTL: 3 * time.Hour}, Schedules: []Schedule{{Name: "lab", Cron: "0 8 * * MON", Action: ScheduleUp}}, Holidays: []string{"2026-12-24"}}
	want := []string{"title: Machine learning -> Deep learning", "policy.ttl:  -> 3h", "schedules[lab]:  -> up at 0 8 * * MON", "holidays[2026-12-24]:  -> 2026-12-24",
		"members[carol]:  -> staff", "members[ann@example.edu]: student -> "}
	for _, dry := range []bool{true, false} {
		made, err := o.ApplyCourse(t.Context(), tutor, doc, 1, dry)
		if diff := cmp.Diff(want, fields(made.Diff)); diff != "" || err != nil {
			t.Errorf("dry %v: %v (-want +got):\n%s", dry, err, diff)
		}
		if version := o.course(t).Version; (version == 1) != dry {
			t.Errorf("dry %v: the course is at version %d", dry, version)
		}
	}
	if left := o.course(t).Left; len(left) != 1 || left[0].Subject != "ann@example.edu" {
		t.Errorf("left: got %+v; want ann", left)
	}
	made, err := o.ApplyCourse(t.Context(), tutor, doc, 0, false)
	if err != nil || len(made.Diff) > 0 || o.course(t).Version != 2 {
		t.Errorf("again: got %v, %v at version %d; want no change", fields(made.Diff), err, o.course(t).Version)
	}
}

func TestApplyKeepsWhatBecameKnownElsewhere(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	if _, err := o.Enroll(t.Context(), tutor, "ml", Member{Email: "ann@example.edu", LMSID: "4711"}); err != nil {
		t.Fatal(err)
	}
	doc := Course{ID: "ml", Title: "Machine learning", Staff: []string{"tutor"}, Members: []Member{addressed("ann@example.edu")}}
	if made, err := o.ApplyCourse(t.Context(), tutor, doc, 0, false); err != nil || len(made.Diff) > 0 {
		t.Errorf("got %v, %v; want no change", fields(made.Diff), err)
	}
	if m, err := o.MemberByLMS(t.Context(), "ml", "4711"); err != nil || m.Subject != "ann@example.edu" {
		t.Errorf("got %+v, %v; want ann", m, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		who    Caller
		edit   func(*Course)
		expect int64
		code   Code
		field  string
	}{
		"a new one by staff":       {Caller{Subject: "tutor", Role: RoleStaff, Courses: []string{"new"}}, func(c *Course) { c.ID = "new" }, 0, CodeForbidden, ""},
		"a student":                {alice, func(*Course) {}, 0, CodeForbidden, ""},
		"who moved on":             {boss, func(c *Course) { c.Title = "x" }, 7, CodeConflict, "If-Match"},
		"a configured one":         {boss, func(c *Course) { c.ID = "de" }, 0, CodeConflict, ""},
		"no id":                    {boss, func(c *Course) { c.ID = "" }, 0, CodeInvalid, "id"},
		"a title too long":         {boss, func(c *Course) { c.Title = long }, 0, CodeInvalid, "title"},
		"no time zone":             {boss, func(c *Course) { c.Timezone = "Mars/Base" }, 0, CodeInvalid, "timezone"},
		"an unknown profile":       {boss, func(c *Course) { c.Profile = "dsak" }, 0, CodeInvalid, "profile"},
		"a schedule that is never": {boss, func(c *Course) { c.Schedules[0].Cron = "never" }, 0, CodeInvalid, "schedules[0].cron"},
		"two of one name":          {boss, func(c *Course) { c.Schedules = append(c.Schedules, c.Schedules[0]) }, 0, CodeInvalid, "schedules[1].name"},
		"a spread too wide":        {boss, func(c *Course) { c.Schedules[0].Spread = 2 * time.Hour }, 0, CodeInvalid, "schedules[0].spread"},
		"no date":                  {boss, func(c *Course) { c.Holidays = []string{"24.12."} }, 0, CodeInvalid, "holidays[0]"},
		"somebody twice":           {boss, func(c *Course) { c.Members = []Member{addressed("a@x.edu"), addressed("A@X.edu")} }, 0, CodeInvalid, "members[1]"},
		"nobody":                   {boss, func(c *Course) { c.Members = []Member{{Name: "x"}} }, 0, CodeInvalid, "members[0]"},
		"too many":                 {boss, func(c *Course) { c.Members = make([]Member, 100_000) }, 0, CodeQuota, ""},
		"two budgets":              {boss, func(c *Course) { c.Budget, c.Policy.CourseBudget = 5, 6 }, 0, CodeInvalid, "budget"},
		"everybody's limit":        {boss, func(c *Course) { c.Policy.MaxTotal = 5 }, 0, CodeInvalid, "policy.maxTotal"},
		"an idle limit too short":  {boss, func(c *Course) { c.Policy.Idle = time.Minute }, 0, CodeInvalid, "policy.idle"},
		"money, by staff":          {tutor, func(c *Course) { c.Budget = 1000 }, 0, CodeForbidden, ""},
		"a project, by staff":      {tutor, func(c *Course) { c.Project = "their-project" }, 0, CodeForbidden, ""},
		"a binding, by staff":      {tutor, func(c *Course) { c.LMS = []LMSBinding{{"canvas", "1"}} }, 0, CodeForbidden, ""},
		"a member's project":       {tutor, func(c *Course) { c.Members = []Member{{Subject: "ann", Project: "their-project"}} }, 0, CodeForbidden, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			doc := Course{ID: "ml", Title: "Machine learning", Staff: []string{"tutor"}, Schedules: []Schedule{{Name: "lab", Cron: "0 8 * * MON", Action: ScheduleUp}}}
			c.edit(&doc)
			_, err := o.ApplyCourse(t.Context(), c.who, doc, c.expect, false)
			var e *Error
			errors.As(err, &e)
			if CodeOf(err) != c.code || e != nil && e.Field != c.field {
				t.Errorf("got %v of field %q; want %s of %q", err, e.Field, c.code, c.field)
			}
			if len(o.rows.courses) != 1 || o.course(t).Version != 1 {
				t.Errorf("something was written: %+v", o.rows.courses)
			}
		})
	}
}

// TestStaffDropWhoPays: leaving changes nothing about who pays for those who
// stay, so it needs no admin, by whatever way.
func TestStaffDropWhoPays(t *testing.T) {
	rest := []Member{{Subject: "ann", Project: "anns-credits"}, {Subject: "bob"}}
	for name, write := range map[string]func(*office, []Member) error{
		"a document": func(o *office, list []Member) error {
			_, err := o.ApplyCourse(t.Context(), tutor, Course{ID: "ml", Title: "Machine learning", Staff: []string{"tutor"}, Members: list}, 0, false)
			return err
		},
		"a list": func(o *office, list []Member) error {
			_, err := o.PutMembers(t.Context(), tutor, "ml", list, 0, false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, append(slices.Clone(rest), Member{Subject: "carol", Project: "carols-credits"})...)
			if err := write(o, rest); err != nil || len(o.course(t).Members) != 2 {
				t.Errorf("got %v, %q; want carol dropped", err, o.course(t).Subjects())
			}
			for who, list := range map[string][]Member{
				"who stays, without": {{Subject: "ann"}, {Subject: "bob"}},
				"who stays, another": {{Subject: "ann", Project: "carols-credits"}, {Subject: "bob"}},
				"somebody else":      {{Subject: "ann"}, {Subject: "bob", Project: "anns-credits"}},
				"whoever comes":      append(slices.Clone(rest), Member{Subject: "dave", Project: "anns-credits"}),
				"in exchange":        {{Subject: "bob"}, {Subject: "dave", Project: "anns-credits"}},
			} {
				if err := write(o, list); CodeOf(err) != CodeForbidden {
					t.Errorf("%s: got %v; want it refused", who, err)
				}
			}
		})
	}
}

func TestADeletedCourseEndsAnnouncedAndCanBeMadeAnew(t *testing.T) {
	o := newOffice(t, addressed("ann@example.edu"))
	ann := o.ready(t, "ann@example.edu")
	if err := o.DeleteCourse(t.Context(), tutor, "ml", 0); CodeOf(err) != CodeForbidden {
		t.Errorf("by staff: got %v; want forbidden", err)
	}
	if err := o.DeleteCourse(t.Context(), boss, "ml", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.CourseDocument(t.Context(), boss, "ml"); CodeOf(err) != CodeNotFound {
		t.Errorf("got %v; want not found", err)
	}
	e := o.rows.envs[ann.ID]
	if e.CourseEnd == nil || !e.CourseEnd.At.Equal(t0.Add(24*time.Hour)) || len(o.told(ann.ID)) != 1 {
		t.Errorf("got end %+v, told %q; want it after the grace, told once", e.CourseEnd, o.told(ann.ID))
	}
	made, err := o.ApplyCourse(t.Context(), boss, Course{ID: "ml", Members: []Member{addressed("ann@example.edu")}}, 0, false)
	if err != nil || !made.Created || made.Course.Version != 3 {
		t.Errorf("anew: got created %v at version %d, %v", made.Created, made.Course.Version, err)
	}
	if e := o.rows.envs[ann.ID]; e.CourseEnd != nil || e.Ending != nil {
		t.Errorf("anew, its end is still %+v", e.CourseEnd)
	}
}

func TestWhatACourseSetsHoldsForItsMembers(t *testing.T) {
	o := newOffice(t)
	doc := Course{ID: "ml", Profile: "plain", Project: "ml-project", Budget: 10, Policy: Policy{TTL: 2 * time.Hour, MaxPerCourse: 2},
		Members: []Member{addressed("ann@example.edu"), {Subject: "bob", Project: "bobs-credits"}, {Subject: "carol"}}}
	if _, err := o.ApplyCourse(t.Context(), boss, doc, 0, false); err != nil {
		t.Fatal(err)
	}
	for owner, project := range map[string]string{"ann@example.edu": "ml-project", "bob": "bobs-credits"} {
		e, _, err := o.Up(t.Context(), Caller{Subject: owner, Role: RoleStudent}, Request{Course: "ml"})
		if err != nil {
			t.Fatal(err)
		}
		p := e.Terms.Policy
		if e.Profile != "plain" || e.Project != project || e.Spec.TTL != 2*time.Hour || p.CourseBudget != 10 || e.Terms.From["courseBudget"] != "course" {
			t.Errorf("%s: got %s in %s for %s with %+v", owner, e.Profile, e.Project, e.Spec.TTL, e.Terms)
		}
	}
	if _, _, err := o.Up(t.Context(), Caller{Subject: "carol", Role: RoleStudent}, Request{Course: "ml"}); CodeOf(err) != CodeQuota {
		t.Errorf("a third: got %v; want the course's limit", err)
	}
	if _, _, err := o.Up(t.Context(), alice, Request{Course: "ml"}); CodeOf(err) != CodeForbidden {
		t.Errorf("who is not on the roster: got %v; want forbidden", err)
	}
}

func TestACourseOfALearningPlatform(t *testing.T) {
	o := newOffice(t)
	apply := func(id string, bindings ...LMSBinding) error {
		_, err := o.ApplyCourse(t.Context(), boss, Course{ID: id, LMS: bindings}, 0, false)
		return err
	}
	if err := apply("ml", LMSBinding{"canvas", "1"}, LMSBinding{"moodle", ""}); err != nil {
		t.Fatal(err)
	}
	for binding, want := range map[LMSBinding]string{{"canvas", "1"}: "ml", {"canvas", "2"}: "", {"moodle", "9"}: "ml", {"other", ""}: ""} {
		c, err := o.CourseByLMS(t.Context(), binding.Source, binding.Context)
		if c.ID != want || want == "" && CodeOf(err) != CodeNotFound {
			t.Errorf("%v: got %q, %v; want %q", binding, c.ID, err, want)
		}
	}
}
