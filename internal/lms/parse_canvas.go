package lms

import (
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// The states in which a Canvas enrollment counts, and in which it is over.
var (
	canvasIn  = []string{"active", "invited"}
	canvasOut = []string{"completed", "deleted", "inactive", "rejected"}
	// canvasOver are those of a course that is concluded, or gone.
	canvasOver = []string{"completed", "deleted"}
)

// canvasEvent reads a live event in Canvas's own format. The person is the one
// of the body: metadata.user_id is who did it, often an administrator. It has
// no e-mail address and no id of its own.
func canvasEvent(meta, body tree) Event {
	e := Event{Name: meta.text("event_name"), At: meta.time("event_time"), Course: CourseRef{Context: body.text("course_id")}}
	state := body.text("workflow_state")
	switch {
	case strings.HasPrefix(e.Name, "enrollment_"):
		e.Kind = enrollment(e.Name, body.text("type"), state)
		e.add(Person{ID: body.text("user_id"), Name: body.text("user_name"), Role: roleOf(body.text("type"))})
		e.Enrollment = body.text("enrollment_id")
		e.ID = contentID(e.Name, e.Enrollment, state, body.text("updated_at"))
	case e.Name == "course_created":
		e.Kind = CourseCreated
		e.Course.Title, e.Course.EndsAt = body.text("name"), body.time("conclude_at")
		e.ID = contentID(e.Name, e.Course.Context, state, body.text("updated_at"))
	case e.Name == "course_updated" && slices.Contains(canvasOver, state):
		// course_completed is not this: it tells of one student who has met the
		// requirements of all modules.
		e.Kind = CourseEnded
		e.ID = contentID(e.Name, e.Course.Context, state, body.text("updated_at"))
	}
	return e
}

// enrollment says what an enrollment event means: that depends on the state it
// is in now, not on the event's name. Observers and the test student of the
// teachers' preview have no environment.
func enrollment(name, role, state string) Kind {
	if role != "StudentEnrollment" && roleOf(role) != environment.MemberStaff {
		return ""
	}
	switch {
	case slices.Contains(canvasOut, state):
		return MemberRemoved
	case !slices.Contains(canvasIn, state):
		return ""
	case strings.HasSuffix(name, "_updated"):
		return MemberChanged
	default:
		return MemberAdded
	}
}
