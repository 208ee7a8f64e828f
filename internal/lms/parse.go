package lms

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/daskbot/daskbot/internal/environment"
)

// Translate reads a message of any of the shapes that are known: daskbot's own
// ({"type", "data"}), CloudEvents in the same form, Canvas's live events
// ({"metadata", "body"}), and Moodle's ({"eventname", …}, as JSON or as a form),
// flat or not. An event of an unknown kind is no error; a body that is none of
// these is.
func Translate(contentType string, body []byte) (Event, error) {
	root, err := read(contentType, body)
	if err != nil {
		return Event{}, err
	}
	if meta := root.object("metadata"); meta.text("event_name") != "" {
		return canvasEvent(meta, root.object("body")), nil
	}
	if name := root.text("eventname"); name != "" {
		return moodleEvent(name, root), nil
	}
	return plainEvent(root)
}

// read makes one tree of a JSON object or a form.
func read(_ string, body []byte) (tree, error) {
	if looksLikeJSON(body) {
		d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
		d.UseNumber() // ids may exceed what a float holds
		var root map[string]any
		if err := d.Decode(&root); err != nil {
			return nil, errors.New("the body is not a JSON object")
		}
		if d.More() {
			return nil, errors.New("there is something behind the JSON object")
		}
		return root, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) == 0 || !strings.Contains(string(body), "=") {
		return nil, errors.New("the body is neither a JSON object nor a form")
	}
	root := tree{}
	for key, values := range form {
		if len(values) > 0 {
			root[key] = values[0]
		}
	}
	return root, nil
}

// tree is a JSON object; what is absent or of another type reads as empty.
type tree map[string]any

func (t tree) object(key string) tree {
	found, _ := t[key].(map[string]any)
	return found
}

// text is the first of the keys that has a string or a number.
func (t tree) text(keys ...string) string {
	for _, key := range keys {
		switch v := t[key].(type) {
		case string:
			if tidied := tidy(v); tidied != "" {
				return tidied
			}
		case json.Number:
			return tidy(v.String())
		}
	}
	return ""
}

// time reads RFC 3339 or seconds since 1970.
func (t tree) time(keys ...string) time.Time {
	text := t.text(keys...)
	if at, err := time.Parse(time.RFC3339, text); err == nil && at.Year() > 1970 && at.Year() < 3000 {
		return at.UTC()
	}
	const lastSecond = 32503680000 // the year 3000
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < lastSecond {
		return time.Unix(n, 0).UTC()
	}
	return time.Time{}
}

// plainEvent is daskbot's own form, {"type", "timestamp", "data": {…}}, and
// with the same fields beside the type instead of in data, as those write it
// who fill in a template.
func plainEvent(root tree) (Event, error) {
	name := root.text("type", "event", "event_type", "action")
	if name == "" {
		return Event{}, errors.New("the message says nowhere what happened: a field type is missing, for example \"member.added\"")
	}
	data := root.object("data")
	if data == nil {
		data = root
	}
	e := Event{Kind: kindOf(name), Name: name, At: root.time("timestamp", "time", "at"), Course: courseRef(data)}
	if root.text("specversion") != "" { // CloudEvents: source and id together are unique
		e.ID = root.text("source") + " " + root.text("id")
	} else {
		e.Mark = root.text("id")
	}
	people, listed := data["members"].([]any)
	if !listed {
		people, listed = data["users"].([]any)
	}
	if !listed {
		e.add(personIn(data))
		return e, nil
	}
	for _, item := range people {
		if one, ok := item.(map[string]any); ok {
			e.add(personIn(one))
		}
	}
	return e, nil
}

// add takes a person who can be told from others, up to a bound.
func (e *Event) add(p Person) {
	switch {
	case p.ID == "" && p.Email == "" && p.Subject == "":
	case len(e.People) == maxPeople:
		e.Cut = true
	default:
		e.People = append(e.People, p)
	}
}

func courseRef(data tree) CourseRef {
	c := CourseRef{Context: data.text("course", "course_id", "courseId", "courseid", "context", "context_id", "class"),
		Title: data.text("title", "course_title", "course_name"), Timezone: data.text("timezone"), EndsAt: data.time("ends_at", "endsAt", "ends")}
	if nested := data.object("course"); nested != nil {
		c = CourseRef{Context: nested.text("external_id", "id", "course_key"), Title: nested.text("title", "name", "display_name"),
			Timezone: nested.text("timezone"), EndsAt: nested.time("ends_at", "endsAt", "ends")}
	}
	return c
}

// personIn finds a person in user, member or student, or beside them.
func personIn(data tree) Person {
	who, nested := data, false
	for _, key := range []string{"user", "member", "student"} {
		if found := data.object(key); found != nil {
			who, nested = found, true
			break
		}
	}
	if pii := who.object("pii"); pii != nil { // Open edX
		return Person{ID: who.text("id"), Email: address(pii.text("email")), Name: pii.text("name")}
	}
	p := Person{ID: who.text("external_id", "externalId", "user_id", "userid", "lmsId", "lms_id"), Email: address(who.text("email", "user_email", "mail")),
		Name: who.text("name", "full_name", "fullname"), Subject: who.text("subject", "owner")}
	role := data.text("role")
	if nested { // where no other id can be meant
		p.ID = cmp.Or(p.ID, who.text("id"))
		role = cmp.Or(who.text("role"), role)
	}
	p.Role = roleOf(role)
	return p
}

// roleOf is what a role of a platform is here; "" for none, and a student for
// what is not known.
func roleOf(role string) environment.MemberRole {
	if i := strings.LastIndexAny(role, "#/"); i >= 0 { // LTI's are addresses
		role = role[i+1:]
	}
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, role)
	switch {
	case plain == "":
		return ""
	case slices.Contains(staffRoles, plain):
		return environment.MemberStaff
	default:
		return environment.MemberStudent
	}
}

// address is an e-mail address; a template that was not filled in
// ({user_email}, $Person.email) is none.
func address(s string) string {
	if strings.ContainsAny(s, "{}$ ") {
		return ""
	}
	return environment.CleanAddress(s)
}

// contentID names an event by what tells it apart, for platforms that number
// nothing.
func contentID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}
