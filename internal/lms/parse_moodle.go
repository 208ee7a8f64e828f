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
	case "user_enrolment_created", "user_enrolment_updated":
		// In Moodle an update is of the enrolment's dates and status, not of the role.
		if short == "user_enrolment_updated" && other.text("status") == "1" { // suspended
			e.Kind = MemberRemoved
		}
	case "course_created", "course_deleted":
		e.Course.Context = root.text("courseid", "objectid", "contextinstanceid")
		e.Course.Title = other.text("fullname", "shortname")
		return e
	}
	e.add(p)
	return e
}

// moodleOther is the event's own data: an object, or in a form either its JSON
// or fields other[…].
func moodleOther(root tree) tree {
	if found := root.object("other"); found != nil {
		return found
	}
	other := tree{}
	if text, ok := root["other"].(string); ok {
		if json.Unmarshal([]byte(text), &other) == nil && other != nil {
			return other
		}
		other = tree{}
	}
	for key, value := range root {
		if inner, ok := strings.CutPrefix(key, "other["); ok {
			other[strings.TrimSuffix(inner, "]")] = value
		}
	}
	return other
}
