package environment

import (
	"slices"
	"strings"
	"time"
)

// Course is a class: who teaches it, who is in it, what its members get, when,
// and who pays. It is a document: what is stored is changed with ApplyCourse; of
// what the configuration defines only the roster is, with Enroll and Unenroll,
// and an end that the file does not set, with EndCourse.
type Course struct {
	ID, Title string
	Timezone  string   // IANA name; UTC when empty
	Staff     []string // subjects; see Teachers
	Members   []Member // each of whom `course up` gives an environment
	Profile   string   // what its members get; "" for the default
	Project   string   // pays, unless a member has a project; "" for the default
	// Policy is what the course sets for its members' environments. Budget is
	// its CourseBudget under a name of its own: US dollars a calendar month for
	// all of them together.
	Policy Policy
	Budget float64
	// Schedules start and end the class; their Course and Timezone are the
	// course's own. Holidays are dates on which none of them comes due.
	Schedules []Schedule
	Holidays  []string
	// EndsAt is when the course is over: everything in it ends then. Zero: never.
	EndsAt time.Time
	// LMS says which courses of learning platforms this one is.
	LMS []LMSBinding
	// Notifications are sent to these addresses; see Subscription.
	Notifications []Subscription

	// Left are those who were on the roster, with the end of what they have.
	Left []Leaver
	// DeletedAt marks what is left of a deleted course until everything in it
	// has ended; no command finds it any more.
	DeletedAt time.Time
	Origin    CourseOrigin
	File      string // the configuration file that defines it; "" when it is stored
	Version   int64  // counts writes; 0 for a course of the configuration that nobody joined
}

// CourseOrigin says where a course is defined.
type CourseOrigin string

// The origins.
const (
	OriginConfiguration CourseOrigin = "configuration"
	OriginStored        CourseOrigin = "stored"
)

// Member is somebody on a course's roster. Subject names the person here as
// everywhere else; the others are who that is elsewhere, as far as it is known.
type Member struct {
	Subject string
	Name    string
	Email   string // lower case
	LMSID   string
	SlackID string
	// Project is the member's own cloud project, which pays for what the member
	// has in this course; "" for the one linked by the person, or the course's.
	Project string
	Role    MemberRole
}

// MemberRole is what a member is in the course.
type MemberRole string

// The roles. Staff may act on everything in the course, as Course.Staff may.
const (
	MemberStudent MemberRole = "student"
	MemberStaff   MemberRole = "staff"
)

// LMSBinding is a course of a learning platform: the source's name in
// /hooks/lms/{source} and the platform's own id of the course. An empty Context
// stands for every course of the source that has no binding of its own.
type LMSBinding struct {
	Source  string `json:"source"`
	Context string `json:"context"`
}

// Leaver is somebody who was dropped from a roster.
type Leaver struct {
	Subject string
	At      time.Time
	// EndsAt is when what they had then ends.
	EndsAt time.Time
	Reason string
	By     string
}

// Schedule starts or ends a class at set times.
type Schedule struct {
	Name   string
	Course string
	Action ScheduleAction
	// Cron is a line of five fields on the clock of Timezone, an IANA name.
	Cron     string
	Timezone string
	// Spread is the time over which a class is started or ended. Who comes when
	// follows from the person's name, so that it is the same every time.
	Spread time.Duration
	// NotOn are dates in Timezone, as 2026-12-24.
	NotOn []string
}

// Subjects are the members' subjects, in the roster's order.
func (c Course) Subjects() []string {
	subjects := make([]string, len(c.Members))
	for i, m := range c.Members {
		subjects[i] = m.Subject
	}
	return subjects
}

// Member finds one by subject.
func (c Course) Member(subject string) (Member, bool) {
	i := c.index(subject)
	if i < 0 {
		return Member{}, false
	}
	return c.Members[i], true
}

func (c Course) index(subject string) int {
	return slices.IndexFunc(c.Members, func(m Member) bool { return m.Subject == subject })
}

// Teachers are the subjects who teach the course: its staff, and the members
// with that role, each once.
func (c Course) Teachers() []string {
	teachers := slices.Clone(c.Staff)
	for _, m := range c.Members {
		if m.Role == MemberStaff && !slices.Contains(teachers, m.Subject) {
			teachers = append(teachers, m.Subject)
		}
	}
	return teachers
}

// ParseEnd reads when a course ends: a time, or a date for the end of that day
// in a time zone; zero for "". CodeInvalid names the field.
func ParseEnd(text, timezone string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	zone, err := time.LoadLocation(timezone)
	if err != nil {
		return time.Time{}, Invalid("timezone", "This is not a time zone, for example \"Europe/Paris\".")
	}
	day, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return time.Time{}, Invalid("endsAt", "This is neither a date nor a time, for example \"2027-01-29\" or \"2027-01-29T17:00:00Z\".")
	}
	return day.AddDate(0, 0, 1).UTC(), nil
}

// Over reports whether the course has ended.
func (c Course) Over(now time.Time) bool { return !c.EndsAt.IsZero() && !now.Before(c.EndsAt) }

// Limits are the course's own policy with its budget in it.
func (c Course) Limits() Policy {
	p := c.Policy
	p.CourseBudget = first(p.CourseBudget, c.Budget)
	return p
}

// Timetable is what the course's schedules do: complete, without what falls on
// a holiday, and empty once the course is over. In a stored course a schedule's
// name is its own among the course's, so the course's id goes before it.
func (c Course) Timetable(now time.Time) []Schedule {
	if c.Over(now) {
		return nil
	}
	all := make([]Schedule, 0, len(c.Schedules))
	for _, s := range c.Schedules {
		s.Course, s.Timezone = c.ID, first(c.Timezone, "UTC")
		if c.Origin == OriginStored {
			s.Name = c.ID + "/" + s.Name
		}
		s.NotOn = append(slices.Clone(s.NotOn), c.Holidays...)
		all = append(all, s)
	}
	return all
}

// admits reports whether an owner may have an environment in the course, asked
// for by who. A course of the configuration is open to whoever is here and was
// not dropped, as its roster need not be complete; a stored one is for the
// people in it, and for whom its staff make one.
func (c Course) admits(who Caller, owner string) bool {
	if who.Role == RoleAdmin || slices.Contains(who.Courses, c.ID) || c.index(owner) >= 0 || slices.Contains(c.Staff, owner) {
		return true
	}
	return c.Origin != OriginStored && !slices.ContainsFunc(c.Left, func(l Leaver) bool { return l.Subject == owner })
}

// CourseEnd is an end that a course sets to an environment in it.
type CourseEnd struct {
	At    time.Time `json:"at"`
	Cause EndCause  `json:"cause"` // EndLeft or EndCourse
}

// endFor is the end that the course sets to an environment; nil for none. What
// was made for somebody after they left is staff's own decision and stays.
func (c Course) endFor(e Environment) *CourseEnd {
	var end *CourseEnd
	if !c.EndsAt.IsZero() {
		end = &CourseEnd{At: c.EndsAt, Cause: EndCourse}
	}
	i := slices.IndexFunc(c.Left, func(l Leaver) bool { return l.Subject == e.Owner })
	if i < 0 || c.index(e.Owner) >= 0 || e.CreatedAt.After(c.Left[i].At) {
		return end
	}
	if left := c.Left[i].EndsAt; end == nil || left.Before(end.At) {
		end = &CourseEnd{At: left, Cause: EndLeft}
	}
	return end
}

// known is how a member that is named only in part is found among the members:
// by subject, else by the platform's id, else by e-mail address.
func (c Course) known(m Member) (Member, bool) {
	for _, same := range []func(Member) bool{
		func(k Member) bool { return m.Subject != "" && k.Subject == m.Subject },
		func(k Member) bool { return m.Subject == "" && m.LMSID != "" && k.LMSID == m.LMSID },
		func(k Member) bool { return m.Subject == "" && m.Email != "" && k.Email == m.Email },
	} {
		if i := slices.IndexFunc(c.Members, same); i >= 0 {
			return c.Members[i], true
		}
	}
	return Member{}, false
}

// over lays what is known of a member over what was: an identity that is not
// mentioned stays.
func (m Member) over(old Member) Member {
	m.Subject, m.Name, m.Email = first(m.Subject, old.Subject), first(m.Name, old.Name), first(m.Email, old.Email)
	m.LMSID, m.SlackID, m.Project = first(m.LMSID, old.LMSID), first(m.SlackID, old.SlackID), first(m.Project, old.Project)
	m.Role = first(first(m.Role, old.Role), MemberStudent)
	return m
}

// clean brings a member into the one form it is kept in: no space around
// values, addresses in lower case.
func (m Member) clean() Member {
	for _, value := range []*string{&m.Subject, &m.Name, &m.Email, &m.LMSID, &m.SlackID, &m.Project} {
		*value = strings.TrimSpace(*value)
	}
	m.Email, m.Subject = CleanAddress(m.Email), CleanSubject(m.Subject)
	return m
}

// CleanSubject brings a person's name into the form it is compared in: one that
// is an e-mail address in lower case, as people write them as they like, and are
// recognised by Slack and launches in that form. An id that a platform gave
// ("moodle:…") is as the platform spells it, whatever is in it.
func CleanSubject(s string) string {
	s = strings.TrimSpace(s)
	if strings.Contains(s, "@") && !strings.Contains(s, ":") {
		return CleanAddress(s)
	}
	return s
}

// CleanAddress is an e-mail address in the form it is compared in. One with
// letters beyond ASCII stays as it is, to be refused: the sign for kelvin would
// become a k, and whoever has it in an address somebody else.
func CleanAddress(address string) string {
	if !asciiOnly(address) {
		return address
	}
	return strings.ToLower(address)
}

// CleanSubjects are names of people in the form they are compared in, each once.
func CleanSubjects(list []string) []string {
	var out []string
	for _, s := range list {
		if s = CleanSubject(s); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// clone copies a course, so that changing the copy leaves the original. Empty
// lists become nil, so that two courses that say the same are equal.
func (c Course) clone() Course {
	c.Staff, c.Members, c.Holidays = copied(c.Staff), copied(c.Members), copied(c.Holidays)
	c.Notifications = slices.Clone(c.Notifications)
	c.Schedules, c.LMS, c.Left = copied(c.Schedules), copied(c.LMS), copied(c.Left)
	c.Policy.Warnings = copied(c.Policy.Warnings)
	for i := range c.Schedules {
		c.Schedules[i].NotOn = copied(c.Schedules[i].NotOn)
	}
	return c
}

func copied[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
