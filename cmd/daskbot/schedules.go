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
	for path, cron := range map[string]string{"reaper.schedule": c.Reaper.Schedule, "reaper.orphanSchedule": c.Reaper.OrphanSchedule, "lms.rosterSchedule": c.LMS.RosterSchedule} {
		if _, err := reaper.ParseSchedule(cron); err != nil {
			problem(path, environment.MessageOf(err))
		}
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
