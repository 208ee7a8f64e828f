package lms

import (
	"encoding/json"
	"strings"
)

// moodleEvent reads an event as Moodle's plug-ins hand it on. relateduserid is
// the student; userid is who did it. It has no e-mail address, unless a template
// added one.
func moodleEvent(name string, root tree) Event {
	e := Event{Kind: kindOf(name), Name: name, At: root.time("timecreated"), Course: CourseRef{Context: root.text("courseid")}}
	p := personIn(root)
	p.ID = root.text("relateduserid")
	other := moodleOther(root)
	switch short := name[strings.LastIndex(name, `\`)+1:]; short {
	case "user_enrolment_updated":
		e.Kind = moodleUpdate(other)
	case "user_enrolment_deleted":
		if enrolledOtherwise(other) {
			e.Kind = ""
		}
	case "course_created", "course_deleted":
		e.Course.Context = root.text("courseid", "objectid", "contextinstanceid")
		e.Course.Title = other.text("fullname", "shortname")
		return e
	}
	e.add(p)
	return e
}

// moodleUpdate is what an update of an enrolment means: it is of its dates and
// its status, not of the role. Moodle's own says neither, so that a suspension
// looks like any other; it must not put anybody back.
func moodleUpdate(other tree) Kind {
	switch other.text("status") {
	case "0":
		return MemberChanged
	case "1": // suspended
		return MemberRemoved
	default:
		return ""
	}
}

// enrolledOtherwise says whether Moodle tells of an enrolment that ended that it
// was not the person's last in the course: one by cohort goes on when one by hand
// ends. In a form, what is false is empty.
func enrolledOtherwise(other tree) bool {
	last, told := other.object("userenrolment")["lastenrol"]
	if !told {
		last = other["userenrolment][lastenrol"]
	}
	switch v := last.(type) {
	case bool:
		return !v
	case string:
		return v == "" || v == "0" || v == "false"
	case json.Number:
		return v == "0"
	default:
		return false
	}
}

// moodleOther is the event's own data: an object, or in a form either its JSON
// or fields other[…].
func moodleOther(root tree) tree {
	if found := root.object("other"); found != nil {
		return found
	}
	other := tree{}
	if text, ok := root["other"].(string); ok {
		if found, err := read("", []byte(text)); err == nil && looksLikeJSON([]byte(text)) {
			return found
		}
	}
	for key, value := range root {
		if inner, ok := strings.CutPrefix(key, "other["); ok {
			other[strings.TrimSuffix(inner, "]")] = value
		}
	}
	return other
}
