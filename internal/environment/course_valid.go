package environment

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

var (
	scheduleName = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$`)
	sourceName   = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	slackAccount = regexp.MustCompile(`^[A-Za-z0-9:]{0,64}$`)
)

// Bounds on what a course may hold beside its members; far above any real one.
const (
	maxCourseList = 500
	maxTitle      = 200
	longestSpread = time.Hour
)

// validate refuses a member that cannot be kept. at is the place in the
// document, such as "members[3]".
func (m Member) validate(at string) error {
	if m.Subject == "" {
		return Invalid(at, "A member needs an e-mail address, for example \"alice@example.edu\", or a subject.")
	}
	if !asciiOnly(m.Email) {
		return Invalid(at+".email", "%q has letters that two people's mail programs may read as different addresses; write it in plain ASCII, for example \"alice@example.edu\".", clip(m.Email))
	}
	if err := validAt(at+".email", ValidEmail(m.Email)); err != nil {
		return err
	}
	if err := validAt(at+".subject", ValidSubject("subject", m.Subject)); err != nil {
		return err
	}
	if len(m.Name) > maxTitle || strings.ContainsFunc(m.Name, unprintable) {
		return Invalid(at+".name", "%q is not a name: at most %d bytes of visible characters, for example \"Ada Lovelace\".", clip(m.Name), maxTitle)
	}
	if len(m.LMSID) > 255 || strings.ContainsFunc(m.LMSID, unprintable) {
		return Invalid(at+".lmsId", "%q is not an id of a learning platform: at most 255 visible characters, for example \"4711\".", clip(m.LMSID))
	}
	return m.validAccounts(at)
}

func asciiOnly(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func (m Member) validAccounts(at string) error {
	if !slackAccount.MatchString(m.SlackID) {
		return Invalid(at+".slackId", "%q is not a Slack account, for example \"T0123ABC:U012AB3CD\" or \"U012AB3CD\".", clip(m.SlackID))
	}
	if m.Role != MemberStudent && m.Role != MemberStaff {
		return Invalid(at+".role", "%q is not a role: student or staff.", clip(string(m.Role)))
	}
	if m.Project == "" {
		return nil
	}
	return validAt(at+".project", ValidProject(m.Project))
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// validAt gives the error of a check the place at which it was made.
func validAt(field string, err error) error {
	if e, ok := errorAs(err); ok {
		return &Error{Code: e.Code, Field: field, Message: e.Message}
	}
	return err
}

// uniqueMembers refuses somebody who is on the roster twice, by whatever name.
func uniqueMembers(members []Member) error {
	seen := map[string]int{}
	for i, m := range members {
		for _, key := range []string{"subject " + m.Subject, "e-mail address " + m.Email, "LMS id " + m.LMSID, "Slack account " + m.SlackID} {
			if strings.HasSuffix(key, " ") {
				continue
			}
			if j, twice := seen[key]; twice {
				return Invalid(fmt.Sprintf("members[%d]", i), "The %s is in the list twice: members[%d] and members[%d]; keep one.", clip(key), j, i)
			}
			seen[key] = i
		}
	}
	return nil
}

// validCourse refuses a document that could not be carried out. What only
// others know, such as profiles and cron lines, is checked by the Service.
func validCourse(c Course) error {
	if err := validAt("id", ValidCourse(c.ID)); err != nil {
		return err
	}
	if len(c.Title) > maxTitle || strings.ContainsFunc(c.Title, unprintable) {
		return Invalid("title", "%q is not a title: at most %d bytes of visible characters, for example \"Data engineering\".", clip(c.Title), maxTitle)
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "Local" {
		return Invalid("timezone", "%q is not a time zone, for example \"Europe/Paris\".", clip(c.Timezone))
	}
	for i, subject := range c.Staff {
		if err := validAt(fmt.Sprintf("staff[%d]", i), ValidSubject("staff", subject)); err != nil {
			return err
		}
	}
	if c.Project != "" {
		if err := validAt("project", ValidProject(c.Project)); err != nil {
			return err
		}
	}
	return firstError(func() error { return validMembers(c.Members) }, c.validTimes, c.validMoney, c.validLMS, c.CheckNotifications)
}

func firstError(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func validMembers(members []Member) error {
	for i, m := range members {
		if err := m.validate(fmt.Sprintf("members[%d]", i)); err != nil {
			return err
		}
	}
	return uniqueMembers(members)
}

func (c Course) validTimes() error {
	if len(c.Staff)+len(c.Holidays)+len(c.Schedules)+len(c.LMS) > maxCourseList {
		return Invalid("course", "A course has at most %d staff, holidays, schedules and LMS courses together.", maxCourseList)
	}
	if err := validDates("holidays", c.Holidays); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, s := range c.Schedules {
		at := fmt.Sprintf("schedules[%d]", i)
		switch {
		case !scheduleName.MatchString(s.Name):
			return Invalid(at+".name", "%q is not a name for a schedule: at most 40 lower-case letters, digits and -, for example \"monday-lab\".", clip(s.Name))
		case seen[s.Name]:
			return Invalid(at+".name", "%q is the name of two schedules.", clip(s.Name))
		case s.Action != ScheduleUp && s.Action != ScheduleDown:
			return Invalid(at+".action", "%q is not an action: up or down.", clip(string(s.Action)))
		case s.Spread < 0 || s.Spread > longestSpread:
			return Invalid(at+".spread", "%s is not between 0 and %s, for example \"10m\".", FormatDuration(s.Spread), FormatDuration(longestSpread))
		}
		seen[s.Name] = true
		if err := validDates(at+".notOn", s.NotOn); err != nil {
			return err
		}
	}
	return nil
}

func validDates(at string, days []string) error {
	for i, day := range days {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return Invalid(fmt.Sprintf("%s[%d]", at, i), "%q is not a date, for example \"2026-12-24\".", clip(day))
		}
	}
	return nil
}

// shortestIdle is the least idle limit: a hub's last activity is up to six
// minutes old.
const shortestIdle = 15 * time.Minute

// shortestLearnt is the least that an idle limit may be learnt to be: the time
// until idleness is sure, and a few minutes to say so.
const shortestLearnt = 12 * time.Minute

func (c Course) validMoney() error {
	p := c.Policy
	switch {
	case c.Budget < 0 || p.OwnerBudget < 0 || p.CourseBudget < 0:
		return Invalid("budget", "A budget is US dollars a month and not negative, for example 200.")
	case c.Budget > 0 && p.CourseBudget > 0 && c.Budget != p.CourseBudget:
		return Invalid("budget", "budget and policy.courseBudget mean the same; give one.")
	case min(p.MaxPerOwner, p.MaxPerCourse, p.MaxTotal, p.Extensions, p.WeeklyHours) < 0:
		return Invalid("policy", "A limit is not negative.")
	case p.MaxTotal > 0:
		return Invalid("policy.maxTotal", "How many there may be in all is for whoever runs daskbot to say; a course has maxPerCourse.")
	}
	return p.validSpans()
}

func (p Policy) validSpans() error {
	switch {
	case p.TTL > p.MaxTTL && p.MaxTTL > 0:
		return Invalid("policy.ttl", "%s is longer than maxTtl, %s.", FormatDuration(p.TTL), FormatDuration(p.MaxTTL))
	case p.Idle > 0 && p.Idle < shortestIdle:
		return Invalid("policy.idle", "%s is too short: a hub's last activity is up to 6 minutes old; the least is %s.", FormatDuration(p.Idle), FormatDuration(shortestIdle))
	case p.Adaptive && (p.IdleMin < shortestLearnt || p.IdleMax < p.IdleMin):
		return Invalid("policy.adaptive", "It needs idleMin of at least %s and idleMax of at least idleMin, for example 12m and 90m.", FormatDuration(shortestLearnt))
	case slices.ContainsFunc(p.Warnings, func(d time.Duration) bool { return d < time.Minute }):
		return Invalid("policy.warnings", "A warning less than 1m ahead cannot be read in time, for example [\"30m\", \"10m\"].")
	}
	return ValidQuietHours("policy.quietHours", p.QuietHours)
}

func (c Course) validLMS() error {
	for i, b := range c.LMS {
		at := fmt.Sprintf("lms[%d]", i)
		switch {
		case !sourceName.MatchString(b.Source):
			return Invalid(at+".source", "%q is not the name of a source, for example \"canvas\".", clip(b.Source))
		case len(b.Context) > 255 || strings.ContainsFunc(b.Context, unprintable):
			return Invalid(at+".context", "%q is not a platform's id of a course: at most 255 visible characters, for example \"4711\".", clip(b.Context))
		case slices.Index(c.LMS, b) < i:
			return Invalid(at, "%s %q is in the list twice.", b.Source, clip(b.Context))
		}
	}
	return nil
}

// Check brings a member into the form in which it is kept and refuses, with
// CodeInvalid and the field, one that cannot be. Whose e-mail address it is, is
// found out when the member is enrolled.
func (m Member) Check() (Member, error) {
	m = m.clean()
	m.Role = first(m.Role, MemberStudent)
	kept := m
	kept.Subject = first(m.Subject, m.Email)
	return m, kept.validate("member")
}
