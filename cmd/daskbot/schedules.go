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
	return config.Load(path, checkCron, checkHooks)
}

func checkCron(c *config.Config, problem func(path, text string)) {
	if _, err := reaper.ParseSchedule(c.Reaper.Schedule); err != nil {
		problem("reaper.schedule", environment.MessageOf(err))
	}
	if _, err := reaper.ParseSchedule(c.LMS.RosterSchedule); err != nil {
		problem("lms.rosterSchedule", environment.MessageOf(err))
	}
	zones := map[string]string{}
	for _, k := range c.Courses {
		zones[k.ID] = k.Timezone
	}
	for i, s := range c.Schedules {
		if err := reaper.CheckSchedule(reaper.Schedule{Cron: s.Cron, Timezone: zones[s.Course]}); err != nil {
			problem(fmt.Sprintf("schedules[%d].cron", i), environment.MessageOf(err))
		}
	}
}
