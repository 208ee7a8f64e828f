package main

import (
	"fmt"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/reaper"
)

// loadConfig loads a configuration and has its cron lines checked by whoever
// runs them.
func loadConfig(path string) (*config.Config, error) {
	return config.Load(path, checkCron)
}

func checkCron(c *config.Config, problem func(path, text string)) {
	if _, err := reaper.ParseSchedule(c.Reaper.Schedule); err != nil {
		problem("reaper.schedule", environment.MessageOf(err))
	}
	for i, s := range schedules(c) {
		if err := reaper.CheckSchedule(s); err != nil {
			problem(fmt.Sprintf("schedules[%d].cron", i), environment.MessageOf(err))
		}
	}
}

// schedules are those of the configuration, with the time zones of their
// courses.
func schedules(c *config.Config) []reaper.Schedule {
	zones := map[string]string{}
	for _, k := range c.Courses {
		zones[k.ID] = k.Timezone
	}
	all := make([]reaper.Schedule, 0, len(c.Schedules))
	for _, s := range c.Schedules {
		all = append(all, reaper.Schedule{Name: s.Name, Course: s.Course, Action: environment.ScheduleAction(s.Action),
			Cron: s.Cron, Timezone: zones[s.Course], Spread: s.Spread, NotOn: s.NotOn})
	}
	return all
}
