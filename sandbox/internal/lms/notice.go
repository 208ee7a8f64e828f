package lms

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// What a platform can have to say.
const (
	Enrolled      = "enrolled"
	Dropped       = "dropped"
	RoleChanged   = "role-changed"
	CourseCreated = "course-created"
	CourseEnded   = "course-ended"
	Start         = "start"     // an environment for one person
	StartAll      = "start-all" // for everybody in the course
	End           = "end"
	Unrelated     = "unrelated" // something no tool asked about
)

// notice is news about a course, in no platform's words yet.
type notice struct {
	Event  string
	Course Course
	Person *Person // nil when it is about the course
	Member Member
	At     time.Time
	id     string
}

// eventNames are the words of each source, by what happened. What is absent a
// source cannot say.
var eventNames = map[string]map[string]string{
	Canvas: {
		Enrolled: "enrollment_created", Dropped: "enrollment_updated", RoleChanged: "enrollment_updated",
		CourseCreated: "course_created", CourseEnded: "course_updated", Unrelated: "course_completed",
	},
	MoodleTrigger: moodleNames,
	MoodleHooks:   moodleNames,
	Standard:      plainNames,
	Bearer:        plainNames,
}

var moodleNames = map[string]string{
	Enrolled: `\core\event\user_enrolment_created`, Dropped: `\core\event\user_enrolment_deleted`, RoleChanged: `\core\event\role_assigned`,
	CourseCreated: `\core\event\course_created`, CourseEnded: `\core\event\course_deleted`, Unrelated: `\core\event\course_viewed`,
}

var plainNames = map[string]string{
	Enrolled: "enrollment.created", Dropped: "enrollment.deleted", RoleChanged: "enrollment.updated",
	CourseCreated: "course.created", CourseEnded: "course.ended",
	Start: "environment.start", StartAll: "course.start", End: "environment.end", Unrelated: "grade.published",
}

// sourceNames are the last part of the path that each way of telling goes to:
// names of sources in daskbot's configuration for the sandbox.
var sourceNames = map[string]string{Canvas: "canvas", MoodleTrigger: "moodle", MoodleHooks: "moodle", Standard: "campus", Bearer: "script"}

// payload is a notice in the words of a source.
func (n notice) payload(feed string, secrets Secrets) (any, error) {
	name, known := eventNames[feed][n.Event]
	if !known {
		return nil, respond.Invalid("%s cannot say %q", feed, n.Event)
	}
	if n.Person == nil && (n.Event == Enrolled || n.Event == Dropped || n.Event == RoleChanged || n.Event == Start) {
		return nil, respond.Invalid("%s is about a person", n.Event)
	}
	switch feed {
	case Canvas:
		return n.canvas(name), nil
	case MoodleTrigger:
		return n.moodleTrigger(name), nil
	case MoodleHooks:
		return n.moodleHooks(name, secrets.Moodle), nil
	default:
		return n.plain(name), nil
	}
}

// canvas is a Live Event. Its actor is the registrar's import, not the
// student, and there is no e-mail address in it.
func (n notice) canvas(name string) any {
	at := n.At.UTC().Format(time.RFC3339)
	body := map[string]any{"course_id": globalID(n.Course.Number), "created_at": at, "updated_at": at, "workflow_state": "available", "name": n.Course.Title}
	if n.Event == CourseEnded {
		body["workflow_state"] = "completed"
	}
	switch {
	case n.Event == Unrelated:
		body = n.canvasProgress(at)
	case n.Person != nil:
		kind := map[string]string{Student: "StudentEnrollment", Teacher: "TeacherEnrollment", Assistant: "TaEnrollment"}[n.Member.Role]
		state := "active"
		if n.Event == Dropped {
			state = "deleted"
		}
		body = map[string]any{
			"course_id": globalID(n.Course.Number), "course_section_id": globalID(n.Course.Number + "1"), "enrollment_id": globalID(n.Member.Enrollment),
			"type": kind, "user_id": globalID(n.Person.Number), "user_name": n.Person.Name, "workflow_state": state,
			"created_at": n.Member.Since.UTC().Format(time.RFC3339), "updated_at": at, "limit_privileges_to_course_section": false,
		}
	}
	return map[string]any{
		"metadata": map[string]any{
			"event_name": name, "event_time": at, "producer": "canvas", "context_type": "Course", "context_id": globalID(n.Course.Number),
			"context_sis_source_id": "sis-" + n.Course.Number, "request_id": n.id, "root_account_uuid": "sandbox", "hostname": "canvas.sandbox-university.example",
			"job_id": n.id, "job_tag": "SIS::CSV::ImportRefactored#process",
		},
		"body": body,
	}
}

// canvasProgress is the body of course_completed, which reads like the end of a
// course and is one student's: all requirements of its modules are met.
func (n notice) canvasProgress(at string) map[string]any {
	user := map[string]any{"id": globalID("98"), "name": "Oxana Jurosevic", "email": "oxana@example.com"}
	if n.Person != nil {
		user = map[string]any{"id": globalID(n.Person.Number), "name": n.Person.Name, "email": n.Person.Email}
	}
	return map[string]any{
		"progress": map[string]any{"requirement_count": 12, "requirement_completed_count": 12, "next_requirement_url": nil, "completed_at": at},
		"user":     user,
		"course":   map[string]any{"id": n.Course.Number, "name": n.Course.Title},
	}
}

// globalID is a number as Canvas writes them across its shards.
func globalID(number string) string { return "21070" + fmt.Sprintf("%012s", number) }

// moodleTrigger is what the workflow of docs/LMS.md sends: tool_trigger fills
// a template in.
func (n notice) moodleTrigger(name string) any {
	out := map[string]any{"event": name, "courseid": n.Course.Number, "fullname": n.Course.Title, "time": n.At.Unix()}
	if n.Person != nil {
		out["userid"], out["email"], out["name"], out["idnumber"], out["role"] = n.Person.Number, n.Person.Email, n.Person.Name, n.Person.SIS, moodleRole(n.Member.Role)
	}
	return out
}

func moodleRole(role string) string {
	switch role {
	case Teacher:
		return "editingteacher"
	case Assistant:
		return "teacher"
	default:
		return "student"
	}
}

// moodleHooks is an event object as local_webhooks sends it: no address, the
// actor in userid, and the person it is about in relateduserid.
func (n notice) moodleHooks(name, token string) any {
	target, action, crud, table := "course", "viewed", "r", "course"
	switch n.Event {
	case Enrolled:
		target, action, crud, table = "user_enrolment", "created", "c", "user_enrolments"
	case Dropped:
		target, action, crud, table = "user_enrolment", "deleted", "d", "user_enrolments"
	case RoleChanged:
		target, action, crud, table = "role", "assigned", "c", "role"
	case CourseCreated:
		action, crud = "created", "c"
	case CourseEnded:
		action, crud = "deleted", "d"
	}
	form := url.Values{
		"eventname": {name}, "component": {"core"}, "action": {action}, "target": {target}, "objecttable": {table}, "objectid": {n.Course.Number},
		"crud": {crud}, "contextid": {"30"}, "contextlevel": {"50"}, "contextinstanceid": {n.Course.Number}, "userid": {"2"}, "courseid": {n.Course.Number},
		"timecreated": {strconv.FormatInt(n.At.Unix(), 10)}, "host": {"moodle.sandbox-university.example"}, "token": {token}, "extra": {""},
	}
	if n.Person != nil {
		form.Set("relateduserid", n.Person.Number)
		form.Set("objectid", n.Member.Enrollment)
		form.Set("other[enrol]", "manual")
	}
	return form
}

// plain is the shape of docs/LMS.md for systems that can send what they like.
func (n notice) plain(name string) any {
	data := map[string]any{"course": n.Course.ID, "title": n.Course.Title}
	if n.Person != nil {
		data["user"] = map[string]any{"email": n.Person.Email, "external_id": n.Person.ID, "name": n.Person.Name}
		data["role"] = n.Member.Role
	}
	return map[string]any{"type": name, "timestamp": n.At.UTC().Format(time.RFC3339Nano), "data": data}
}

// encode is a payload as bytes.
func encode(payload any) (body []byte, media string, err error) {
	if form, ok := payload.(url.Values); ok {
		return []byte(form.Encode()), "application/x-www-form-urlencoded", nil
	}
	body, err = json.Marshal(payload)
	return body, "application/json", err
}
