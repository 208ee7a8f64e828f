package reaper

import (
	"context"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
)

// Syncer makes rosters agree with those of learning platforms; *lti.Tool is it.
type Syncer interface {
	SyncRosters(ctx context.Context) error
}

// RosterConfig is what Rosters need.
type RosterConfig struct {
	Rosters Syncer
	// Schedule is a five-field cron line in UTC, as ParseSchedule accepts it.
	Schedule string
	// Timeout bounds one run; default 30 minutes.
	Timeout time.Duration
	Log     *slog.Logger
}

// Rosters has rosters read from time to time: what a platform did not tell of,
// or told while daskbot was away, is made good by the next look.
type Rosters struct {
	RosterConfig
	schedule cron.Schedule
}

// NewRosters checks the configuration. It starts nothing.
func NewRosters(c RosterConfig) (*Rosters, error) {
	s, err := ParseSchedule(c.Schedule)
	if err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Minute
	}
	return &Rosters{RosterConfig: c, schedule: s}, nil
}

// Run reads rosters on schedule until ctx ends; it returns once the last run
// has. It does not begin with one: every start of the daemon would ask every
// platform for everybody.
func (r *Rosters) Run(ctx context.Context) error {
	log := cron.PrintfLogger(slogPrinter{r.Log})
	job := cron.NewChain(cron.SkipIfStillRunning(log), cron.Recover(log)).Then(cron.FuncJob(func() { r.sync(ctx) }))
	c := cron.New(cron.WithLocation(time.UTC))
	c.Schedule(r.schedule, job)
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

func (r *Rosters) sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	if err := r.Rosters.SyncRosters(ctx); err != nil {
		r.Log.Error("rosters", "reason", err.Error())
	}
}
