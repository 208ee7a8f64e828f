package main

import (
	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/lti"
	"github.com/daskbot/daskbot/internal/reaper"
)

// launches adds the way in from learning platforms beside the API's. It is
// always there: a platform may register itself at any time.
func (d *daemon) launches(cfg *config.Config) error {
	tool, err := lti.New(lti.Config{Service: d.service, Store: d.store, ExternalURL: cfg.Server.ExternalURL, Platforms: cfg.Platforms(), Audit: d.store, Log: d.log})
	if err != nil {
		return err
	}
	d.handler = beside("/lti/", tool.Handler(), d.handler)
	d.rosters, err = reaper.NewRosters(reaper.RosterConfig{Rosters: tool, Schedule: cfg.LMS.RosterSchedule, Log: d.log})
	return err
}
