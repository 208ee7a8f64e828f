package lms

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestTranslate(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		body string
		want Event
	}{
		"daskbot's own": {`{"type":"member.added","timestamp":"2026-11-23T09:00:00Z","data":{"course":"cs101","user":{"email":"Ada@B.edu","external_id":"sis:42"},"role":"TA"}}`,
			Event{Kind: MemberAdded, Name: "member.added", At: at, Course: CourseRef{Context: "cs101"}, People: []Person{{ID: "sis:42", Email: "ada@b.edu", Role: environment.MemberStaff}}}},
		"a CloudEvent": {`{"specversion":"1.0","id":"7","source":"/sis","type":"enrollment.deleted","time":"2026-11-23T09:00:00Z","data":{"course":"cs101","user":{"id":12345678901234567890}}}`,
			Event{Kind: MemberRemoved, Name: "enrollment.deleted", ID: "/sis 7", At: at, Course: CourseRef{Context: "cs101"}, People: []Person{{ID: "12345678901234567890"}}}},
		"Open edX": {`{"event_type":"org.openedx.learning.course.enrollment.created.v1","data":{"course":{"course_key":"course-v1:X+Y","display_name":"Y"},"user":{"id":4,"pii":{"email":"a@b.c","name":"A"}}}}`,
			Event{Kind: MemberAdded, Name: "org.openedx.learning.course.enrollment.created.v1", Course: CourseRef{Context: "course-v1:X+Y", Title: "Y"}, People: []Person{{ID: "4", Email: "a@b.c", Name: "A"}}}},
		"a template that was not filled in": {`{"event":"enrolled","course":"cs101","email":"{user_email}"}`,
			Event{Kind: MemberAdded, Name: "enrolled", Course: CourseRef{Context: "cs101"}}},
		"Moodle, suspended": {`{"eventname":"\\core\\event\\user_enrolment_updated","courseid":7,"relateduserid":15,"userid":2,"other":{"status":"1"}}`,
			Event{Kind: MemberRemoved, Name: `\core\event\user_enrolment_updated`, Course: CourseRef{Context: "7"}, People: []Person{{ID: "15"}}}},
		"Canvas, an observer": {`{"metadata":{"event_name":"enrollment_created"},"body":{"course_id":"1","type":"ObserverEnrollment","workflow_state":"active","user_id":"2"}}`,
			Event{Name: "enrollment_created", ID: contentID("enrollment_created", "", "active", ""), Course: CourseRef{Context: "1"}, People: []Person{{ID: "2", Role: environment.MemberStudent}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Translate("", []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestAnEnrolmentOfSeveral: in Moodle somebody may be in a course by hand and by
// a cohort. The end of one is told together with whether it was the last.
func TestAnEnrolmentOfSeveral(t *testing.T) {
	const deleted, updated = `{"eventname":"\\core\\event\\user_enrolment_deleted","courseid":7,"relateduserid":15,"other":`, `{"eventname":"\\core\\event\\user_enrolment_updated","courseid":7,"relateduserid":15,"other":`
	const form = "eventname=%5Ccore%5Cevent%5Cuser_enrolment_deleted&courseid=7&relateduserid=15&other%5Benrol%5D=manual&other%5Buserenrolment%5D%5Blastenrol%5D="
	for name, tt := range map[string]struct {
		body string
		want Kind
	}{
		"not the last":                    {deleted + `{"userenrolment":{"id":"41","status":"0","lastenrol":false},"enrol":"cohort"}}`, ""},
		"not the last, a number":          {deleted + `{"userenrolment":{"lastenrol":0}}}`, ""},
		"not the last, a text":            {deleted + `{"userenrolment":{"lastenrol":"0"}}}`, ""},
		"not the last, JSON in a text":    {deleted + `"{\"userenrolment\":{\"lastenrol\":0}}"}`, ""},
		"not the last, a form":            {form, ""},
		"not the last, a form with 0":     {form + "0", ""},
		"the last":                        {deleted + `{"userenrolment":{"lastenrol":true}}}`, MemberRemoved},
		"the last, a form":                {form + "1", MemberRemoved},
		"that is not told":                {deleted + `{"enrol":"manual"}}`, MemberRemoved},
		"changed, in what is not told":    {updated + `{"enrol":"manual"}}`, ""},
		"changed, active":                 {updated + `{"status":0}}`, MemberChanged},
		"changed, suspended":              {updated + `"{\"status\":1}"}`, MemberRemoved},
		"changed, by a template":          {`{"event":"\\core\\event\\user_enrolment_updated","courseid":7,"userid":15}`, ""},
		"enrolled, whatever is said then": {strings.Replace(updated, "updated", "created", 1) + `{"status":"1"}}`, MemberAdded},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Translate("", []byte(tt.body)); err != nil || got.Kind != tt.want {
				t.Errorf("got %+v, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// TestOneStudentIsDone: Canvas and Moodle send "course completed" for each
// student who has done everything. The others go on.
func TestOneStudentIsDone(t *testing.T) {
	const canvasDone = `{"metadata":{"event_name":"course_completed","event_time":"2026-11-23T08:59:00Z","context_type":"Course","context_id":"21070000000000565"},
 "body":{"progress":{"requirement_count":12,"requirement_completed_count":12,"next_requirement_url":null,"completed_at":"2026-11-23T08:59:00Z"},
 "user":{"id":"21070000000000098","name":"Oxana Jurosevic","email":"oxana@example.com"},"course":{"id":"21070000000000565","name":"Linear Algebra"}}}`
	const updated = `{"metadata":{"event_name":"course_updated","event_time":"2026-11-23T08:59:00Z"},"body":{"course_id":"21070000000000565","workflow_state":"STATE","updated_at":"2026-11-23T08:59:00Z"}}`
	for name, tt := range map[string]struct {
		message string
		ends    bool
	}{
		"Canvas, a student":      {canvasDone, false},
		"Canvas, changed":        {strings.Replace(updated, "STATE", "available", 1), false},
		"Canvas, concluded":      {strings.Replace(updated, "STATE", "completed", 1), true},
		"Canvas, deleted":        {strings.Replace(updated, "STATE", "deleted", 1), true},
		"Moodle, a student":      {`{"eventname":"\\core\\event\\course_completed","courseid":"de-2026","relateduserid":"15","timecreated":1795424340}`, false},
		"a template, a student":  {`{"event":"course_completed","course":"de-2026","user":{"id":"15"}}`, false},
		"a template, the course": {`{"event":"course_concluded","course":"de-2026"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Source{Name: "canvas", Kind: Bearer, Course: "de-2026", Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
			r := w.request("canvas", tt.message)
			r.Header.Set("Authorization", "Bearer "+plainSecret)
			w.status(r, http.StatusOK)
			w.work("canvas")
			if c := w.course(); c.EndsAt.IsZero() == tt.ends {
				t.Errorf("ends at %s, %+v; want an end: %v", c.EndsAt, w.deliveries(), tt.ends)
			}
		})
	}
}

// TestAnIdThatIsThePersons: a template without a signature fills in as id what
// it has, such as the number of the person.
func TestAnIdThatIsThePersons(t *testing.T) {
	for name, tt := range map[string]struct {
		dated bool
		// again is how long after its first the same message comes once more.
		again   time.Duration
		members int
	}{
		"without a time":               {false, time.Minute, 0},
		"without a time, enough later": {false, 3 * time.Hour, 1},
		"with a time":                  {true, 3 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Source{Name: "script", Kind: Bearer, Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
			say := func(event string, at time.Time) {
				body := `{"event":"` + event + `","id":"15","email":"ada@b.edu","course":"de-2026"}`
				if tt.dated {
					body = strings.Replace(body, "{", `{"time":`+strconv.FormatInt(at.Unix(), 10)+",", 1)
				}
				r := w.request("script", body)
				r.Header.Set("Authorization", "Bearer "+plainSecret)
				w.status(r, http.StatusOK)
				w.work("script")
			}
			first := w.now
			for _, event := range []string{"member.added", "member.removed"} {
				say(event, first)
			}
			if got := w.course().Members; len(got) != 0 {
				t.Errorf("after the removal: %+v; want nobody", got)
			}
			say("member.removed", first) // sent again
			if got := w.deliveries(); len(got) != 2 {
				t.Errorf("%d deliveries; want 2 and a copy", len(got))
			}
			w.now = first.Add(tt.again)
			say("member.removed", first)
			w.now = w.now.Add(time.Minute)
			if tt.again > repeatsFor {
				say("member.added", first)
			}
			if got := w.course().Members; len(got) != tt.members {
				t.Errorf("in the end: %+v; want %d", got, tt.members)
			}
		})
	}
}

// TestTheSameIdAndSomethingElse: an id that is the person's, or the course's,
// stands in every message about them. What says another thing is no copy.
func TestTheSameIdAndSomethingElse(t *testing.T) {
	const changed, added = `{"event":"member.role_changed","id":"15","email":"ada@b.edu","course":"de-2026","role":"ROLE"}`, `{"event":"member.added","id":"7","course":"de-2026","members":[{"email":"WHO"},{"email":"bob@b.edu"}]}`
	for name, messages := range map[string][]string{
		"a role that is taken back": {strings.Replace(changed, "ROLE", "TA", 1), strings.Replace(changed, "ROLE", "student", 1)},
		"the rest of a class":       {strings.Replace(added, "WHO", "eve@b.edu", 1), strings.Replace(added, "WHO", "ada@b.edu", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Source{Name: "script", Kind: Bearer, Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
			for _, body := range append(messages, messages[1]) { // the last one is sent again
				r := w.request("script", body)
				r.Header.Set("Authorization", "Bearer "+plainSecret)
				w.status(r, http.StatusOK)
				w.work("script")
			}
			if m, ok := w.course().Member("ada@b.edu"); !ok || m.Role != environment.MemberStudent {
				t.Errorf("got %+v; want ada, a student", w.course().Members)
			}
			if got := w.deliveries(); len(got) != 2 {
				t.Errorf("%d deliveries; want 2 and a copy", len(got))
			}
		})
	}
}
