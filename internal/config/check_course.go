package config

import (
	"fmt"
	"slices"
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
		k.domain(fmt.Sprintf("%s.staff[%d]", at, j), environment.ValidSubject("staff", subject))
	}
	for j, subject := range course.Members {
		at := fmt.Sprintf("%s.members[%d]", at, j)
		k.domain(at, environment.ValidSubject("member", subject))
		if slices.Index(course.Members, subject) < j {
			k.r.add(at, "%q is a member already", subject)
		}
	}
	if course.Project != "" {
		k.domain(at+".project", environment.ValidProject(course.Project))
	}
	if _, ok := c.profiles[course.Profile]; !ok && course.Profile != "" {
		k.r.add(at+".profile", "there is no profile %q%s", course.Profile, suggestion(course.Profile, c.profileNames()))
	}
	checkPolicy(k, at+".policy", course.Policy, c.Defaults)
}

// longestSpread bounds how long starting a class may take; what came due longer
// ago is no longer caught up after a restart.
const longestSpread = time.Hour

func (c *Config) checkSchedules(k *checker) {
	k.cron("reaper.schedule", c.Reaper.Schedule)
	k.cron("reaper.orphanSchedule", c.Reaper.OrphanSchedule)
	if c.Reaper.OrphanGrace < 0 {
		k.r.add("reaper.orphanGrace", "a grace is not negative, for example 24h")
	}
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
		if s.Course == "" || !c.Course(s.Course) {
			k.r.add(at+".course", "there is no course %q under courses", s.Course)
		}
		if s.Spread < 0 || s.Spread > longestSpread {
			k.r.add(at+".spread", "%s is not between 0 and %s, such as 10m", environment.FormatDuration(s.Spread), environment.FormatDuration(longestSpread))
		}
		for j, day := range s.NotOn {
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				k.r.add(fmt.Sprintf("%s.notOn[%d]", at, j), "%q is not a date, such as 2026-12-24", day)
			}
		}
	}
}

// checkLater checks what later versions act on, so that a file is not found
// wrong only after an upgrade.
func (c *Config) checkLater(k *checker) {
	c.checkSlack(k)
	for name, source := range c.LMS.Sources {
		at := "lms.sources." + name
		k.label(at, name, "canvas")
		if source.Secret.IsZero() {
			k.r.add(at+".secret", "is missing; write {fromEnv: NAME}")
		}
		if !c.Course(source.Course) {
			k.r.add(at+".course", "there is no course %q under courses", source.Course)
		}
	}
}

func (k *checker) cron(path, value string) {
	if !cronPattern.MatchString(value) {
		k.r.add(path, "%q is not a schedule of five fields (minute hour day month weekday), such as \"*/5 * * * *\" or \"0 8 * * MON\"", value)
	}
}
