package config

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func (c *Config) checkCourses(k *checker) {
	seen := map[string]bool{}
	for i, course := range c.Courses {
		at := fmt.Sprintf("courses[%d]", i)
		k.domain(at+".id", environment.ValidCourse(course.ID))
		if seen[course.ID] {
			k.r.add(at+".id", "%q is the id of two courses", course.ID)
		}
		seen[course.ID] = true
		c.checkCourse(k, at, course)
	}
}

func (c *Config) checkCourse(k *checker, at string, course Course) {
	if _, err := time.LoadLocation(course.Timezone); err != nil {
		k.r.add(at+".timezone", "%q is not a time zone, such as Europe/Paris", course.Timezone)
	}
	for j, subject := range course.Staff {
		k.domain(fmt.Sprintf("%s.staff[%d]", at, j), environment.ValidSubject("staff", environment.CleanSubject(subject)))
	}
	checkMembers(k, at, course.Members)
	for j, day := range course.Holidays {
		k.date(fmt.Sprintf("%s.holidays[%d]", at, j), day)
	}
	if _, err := environment.ParseEnd(course.EndsAt, course.Timezone); err != nil {
		k.r.add(at+".endsAt", "%q is neither a date nor a time, such as 2027-01-29 or 2027-01-29T17:00:00Z", course.EndsAt)
	}
	for j, b := range course.LMS {
		k.label(fmt.Sprintf("%s.lms[%d].source", at, j), b.Source, "canvas")
	}
	k.domain(at+".notifications", c.class(course).CheckNotifications())
	if !amount(course.Budget) || course.Budget > 0 && course.Policy.CourseBudget > 0 && course.Budget != course.Policy.CourseBudget {
		k.r.add(at+".budget", "is US dollars a month, and means the same as policy.courseBudget: give one of the two")
	}
	if course.Project != "" {
		k.domain(at+".project", environment.ValidProject(course.Project))
	}
	if _, ok := c.profiles[course.Profile]; !ok && course.Profile != "" {
		k.r.add(at+".profile", "there is no profile %q%s", course.Profile, suggestion(course.Profile, c.profileNames()))
	}
	checkPolicy(k, at+".policy", course.Policy, c.Defaults)
}

func checkMembers(k *checker, at string, members []Member) {
	seen := map[string]bool{}
	for j, m := range members {
		at := fmt.Sprintf("%s.members[%d]", at, j)
		member, err := m.member().Check()
		k.domain(at, err)
		for _, name := range []string{cmp.Or(member.Subject, member.Email), "e-mail " + member.Email, "lmsId " + member.LMSID, "slackId " + member.SlackID} {
			if seen[name] && !strings.HasSuffix(name, " ") {
				k.r.add(at, "%q is a member already", name)
				break
			}
			seen[name] = true
		}
	}
}

// longestSpread bounds how long starting a class may take; what came due longer
// ago is no longer caught up after a restart.
const longestSpread = time.Hour

// check keeps the bounds of a run from being configured away: a run that could
// end everything at once is what they are there against.
func (r Reaper) check(k *checker) {
	k.cron("reaper.schedule", r.Schedule)
	k.cron("reaper.orphanSchedule", r.OrphanSchedule)
	if r.MaxPerRun < 1 {
		k.r.add("reaper.maxPerRun", "%d is no bound on what one run ends; the least is 1, for example 50 (`daskbot reaper pause` stops the reaper)", r.MaxPerRun)
	}
	if !(r.MaxShare > 0 && r.MaxShare <= 1) { // so that not a number is refused, too
		k.r.add("reaper.maxShare", "%v is not a share of all environments, more than 0 and at most 1, for example 0.5", r.MaxShare)
	}
	if r.Probes < 1 {
		k.r.add("reaper.probes", "%d environments cannot be looked at at once; the least is 1, for example 32", r.Probes)
	}
}

func (c *Config) checkSchedules(k *checker) {
	c.Reaper.check(k)
	seen := map[string]bool{}
	for i, s := range c.Schedules {
		at := fmt.Sprintf("schedules[%d]", i)
		k.label(at+".name", s.Name, "monday-lab")
		if seen[s.Name] {
			k.r.add(at+".name", "%q is the name of two schedules", s.Name)
		}
		seen[s.Name] = true
		k.cron(at+".cron", s.Cron)
		k.oneOf(at+".action", s.Action, "up", "down")
		if s.Course == "" || !c.known(s.Course) {
			k.r.add(at+".course", "there is no course %q under courses", s.Course)
		}
		if s.Spread < 0 || s.Spread > longestSpread {
			k.r.add(at+".spread", "%s is not between 0 and %s, such as 10m", environment.FormatDuration(s.Spread), environment.FormatDuration(longestSpread))
		}
		for j, day := range s.NotOn {
			k.date(fmt.Sprintf("%s.notOn[%d]", at, j), day)
		}
	}
}

func (k *checker) date(path, value string) {
	if _, err := time.Parse(time.DateOnly, value); err != nil {
		k.r.add(path, "%q is not a date, such as 2026-12-24", value)
	}
}

func (k *checker) cron(path, value string) {
	if !cronPattern.MatchString(value) {
		k.r.add(path, "%q is not a schedule of five fields (minute hour day month weekday), such as \"*/5 * * * *\" or \"0 8 * * MON\"", value)
	}
}
