package lms

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
	"unicode"

	"github.com/daskbot/daskbot/internal/environment"
)

// Kind is what an event asks for, in our words.
type Kind string

// The kinds. Everything else is unknown, "".
const (
	MemberAdded   Kind = "member.added"
	MemberRemoved Kind = "member.removed"
	MemberChanged Kind = "member.role_changed"
	CourseCreated Kind = "course.created"
	CourseEnded   Kind = "course.ended"
	StartOne      Kind = "environment.start"
	EndOne        Kind = "environment.end"
	StartAll      Kind = "class.start"
	EndAll        Kind = "class.end"
)

// Event is one message, whatever it looked like. It is what the sender says:
// nothing in it was checked against what there is.
type Event struct {
	Kind Kind
	// Name is what the sender calls it, for people.
	Name string
	// ID is the sender's own; "" when it has none.
	ID string
	// Mark is what a message calls its id that may as well be that of whom it is
	// about: templates are filled in so.
	Mark string
	// At is when it happened; zero when that is not said.
	At     time.Time
	Course CourseRef
	People []Person
	// Enrollment is which one of several that a person may have in the course;
	// "" where there is one.
	Enrollment string
	// Cut says that more people were named than are read from one message.
	Cut bool
}

// CourseRef is a course as the sender knows it.
type CourseRef struct {
	Context  string // its id there, or ours
	Title    string
	Timezone string
	EndsAt   time.Time
}

// Person is a person as the sender knows them.
type Person struct {
	ID      string // in the platform
	Email   string
	Name    string
	Subject string                 // ours, from senders who know it
	Role    environment.MemberRole // "" when that is not said
}

// Bounds on what is believed of one message.
const (
	maxPeople = 500
	maxText   = 200
)

// about names what an event changes, so that a later one about the same can be
// told apart from a copy; "" when it names nothing.
func (e Event) about() string {
	if e.Kind == "" || e.Course.Context == "" && len(e.People) == 0 {
		return ""
	}
	family, _, _ := strings.Cut(string(e.Kind), ".")
	if len(e.People) != 1 {
		return family + " " + e.Course.Context
	}
	p := e.People[0]
	about := family + " " + e.Course.Context + " " + cmp.Or(p.ID, p.Email, p.Subject)
	if e.Enrollment != "" { // another one of the same person is another thing
		about += " " + e.Enrollment
	}
	return about
}

// fingerprint tells an event from every other that says something else: another
// role, or other people, are no copy, whatever id the message has.
func (e Event) fingerprint() string {
	text, _ := json.Marshal(e) // text, numbers and times: there is nothing to fail
	return contentID(string(text))
}

// names are what senders call events, without case and separators, and with
// one spelling of enrollment. "course completed" is none of them: Canvas and
// Moodle say that of each student who is done, while the others go on. Moodle's
// user_enrolment_updated is none either: it may be a suspension.
var names = namesOfKinds()

func namesOfKinds() map[string]Kind {
	names := map[string]Kind{}
	for kind, all := range map[Kind]string{
		MemberAdded:   "memberadded membercreated memberjoined enrollmentcreated enrollmentadded enrolled userenrolled userenrollmentcreated courseenrollmentcreated",
		MemberRemoved: "memberremoved memberdeleted memberleft enrollmentdeleted enrollmentremoved unenrolled userunenrolled userenrollmentdeleted courseenrollmentdeleted",
		MemberChanged: "memberrolechanged memberupdated memberchanged enrollmentupdated courseenrollmentchanged",
		CourseCreated: "coursecreated courseadded",
		CourseEnded:   "courseended courseconcluded coursedeleted coursearchived",
		StartOne:      "environmentstart environmentup start launch startforstudent",
		EndOne:        "environmentend environmentdown environmentstop end stop endforstudent",
		StartAll:      "classstart classup coursestart courseup startforall startall",
		EndAll:        "classend classdown classstop courseend coursedown coursestop endforall endall",
	} {
		for name := range strings.FieldsSeq(all) {
			names[name] = kind
		}
	}
	return names
}

// kindOf knows a sender's name for an event: "enrollment.created",
// "ENROLMENT_CREATED" and `\core\event\user_enrolment_created` are one.
func kindOf(name string) Kind {
	if i := strings.LastIndexAny(name, `\/`); i >= 0 {
		name = name[i+1:]
	}
	// Open edX puts a prefix before the name and a version behind it.
	name = strings.TrimPrefix(name, "org.openedx.learning.")
	if base, version, ok := cutLast(name, ".v"); ok && isDigits(version) {
		name = base
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '.' || r == '_' || r == '-' || r == ':' || r == ' ':
			return -1
		}
		return r
	}, name)
	return names[strings.ReplaceAll(plain, "enrolment", "enrollment")]
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// staffRoles are what platforms call those who teach.
var staffRoles = []string{"instructor", "teacher", "editingteacher", "staff", "ta", "teachingassistant", "designer", "manager",
	"teacherenrollment", "taenrollment", "designerenrollment", "admin", "administrator", "mentor"}

// tidy bounds a text and leaves out what cannot be seen or changes how the
// rest is read: control characters, and those that turn the direction.
func tidy(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return -1
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s))
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return s[:cut]
}
