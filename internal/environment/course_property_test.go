package environment

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever a course's history, what is read of it can be applied and changes
// nothing, nobody is a member and a leaver at once, and what lives in it has
// the end that the course sets.
func TestWhatIsReadOfACourseChangesNothingWhenItIsApplied(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t)
		people := make([]string, 6)
		for i := range people {
			people[i] = fmt.Sprintf("m%d@example.edu", i)
		}
		anyone := rapid.SampledFrom(people)
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			var err error
			switch rapid.IntRange(0, 4).Draw(r, "step") {
			case 0:
				_, err = o.Enroll(t.Context(), tutor, "ml", Member{Email: anyone.Draw(r, "joins"), Name: rapid.StringMatching(`[A-Zäé ]{0,8}`).Draw(r, "name"),
					Role: rapid.SampledFrom([]MemberRole{"", MemberStudent, MemberStaff}).Draw(r, "role")})
			case 1:
				_, err = o.Unenroll(t.Context(), tutor, "ml", anyone.Draw(r, "leaves"), "")
			case 2:
				doc := o.course(t)
				doc.Holidays = rapid.SliceOfN(rapid.SampledFrom([]string{"2026-12-24", "2026-12-25"}), 0, 2).Draw(r, "holidays")
				doc.Members = nil
				for _, who := range rapid.SliceOfDistinct(anyone, rapid.ID[string]).Draw(r, "roster") {
					doc.Members = append(doc.Members, addressed(who))
				}
				if rapid.Bool().Draw(r, "ends") {
					doc.EndsAt = o.at.Add(time.Duration(rapid.IntRange(30, 60).Draw(r, "in")) * 24 * time.Hour)
				}
				_, err = o.ApplyCourse(t.Context(), tutor, doc, doc.Version, false)
			case 3:
				o.at = o.at.Add(time.Duration(rapid.IntRange(1, 30).Draw(r, "hours")) * time.Hour)
			default:
				who := anyone.Draw(r, "starts")
				if _, ok := o.course(t).Member(who); ok && o.rows.live("", "ml") < 3 {
					_, _, err = o.Up(t.Context(), Caller{Subject: who, Role: RoleStudent}, Request{Course: "ml"})
				}
			}
			if err != nil {
				r.Fatal(err)
			}
			consistent(t, r, o)
		}
	})
}

func consistent(t *testing.T, r *rapid.T, o *office) {
	was := o.course(t)
	made, err := o.ApplyCourse(t.Context(), tutor, was, was.Version, false)
	if diff := cmp.Diff(was, o.course(t)); diff != "" || err != nil || len(made.Diff) > 0 {
		r.Fatalf("%v %v (-was +is):\n%s", err, made.Diff, diff)
	}
	for _, l := range was.Left {
		if _, ok := was.Member(l.Subject); ok {
			r.Fatalf("%s is on the roster and has left", l.Subject)
		}
	}
	for _, e := range o.rows.envs {
		if !sameEnd(e.CourseEnd, was.endFor(e)) {
			r.Fatalf("%s of %s ends %+v; the course says %+v", e.ID, e.Owner, e.CourseEnd, was.endFor(e))
		}
	}
}
