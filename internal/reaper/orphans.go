package reaper

import (
	"context"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

// Sweeper compares cloud and store; *environment.Service is it.
type Sweeper interface {
	SweepOrphans(ctx context.Context, run environment.OrphanRun) (environment.Orphans, error)
}

// OrphanConfig is what the orphan sweep needs.
type OrphanConfig struct {
	Sweeper Sweeper
	// Schedule is a five-field cron line in UTC, as ParseSchedule accepts it.
	Schedule string
	// Timeout bounds one sweep; default 10 minutes.
	Timeout time.Duration
	// Observe is told what each sweep found; nil for nobody.
	Observe func(environment.Orphans)
	// Span traces sweeps; nil traces nothing.
	Span environment.Span
	Log  *slog.Logger
}

// Orphans finds what costs money and belongs to nobody. It is independent of
// the Reaper: it trusts no row, and compares what there is.
type Orphans struct {
	OrphanConfig
	schedule cron.Schedule
}

// NewOrphans checks the configuration. It starts nothing.
func NewOrphans(c OrphanConfig) (*Orphans, error) {
	s, err := ParseSchedule(c.Schedule)
	if err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Minute
	}
	if c.Span == nil {
		c.Span = environment.NoSpan
	}
	return &Orphans{OrphanConfig: c, schedule: s}, nil
}

// Run sweeps on schedule until ctx ends; it returns once the last sweep has.
// It does not sweep at the start: orphans are counted in hours, and a daemon
// that starts again and again must not ask the cloud for everything each time.
func (o *Orphans) Run(ctx context.Context) error {
	log := cron.PrintfLogger(slogPrinter{o.Log})
	job := cron.NewChain(cron.SkipIfStillRunning(log), cron.Recover(log)).Then(cron.FuncJob(func() { o.sweep(ctx) }))
	c := cron.New(cron.WithLocation(time.UTC))
	c.Schedule(o.schedule, job)
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

func (o *Orphans) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	ctx, end := o.Span(ctx, "orphan sweep")
	found, err := o.Sweeper.SweepOrphans(ctx, environment.OrphanRun{})
	end(err)
	if err != nil {
		o.Log.Error("orphan sweep", "reason", err.Error())
		return
	}
	if o.Observe != nil {
		o.Observe(found)
	}
	for _, u := range found.Unsure {
		o.Log.Warn("nothing can be concluded about a project", "project", u.Project, "reason", u.Reason)
	}
	if found.Held != "" {
		o.Log.Warn("orphans are left alone", "reason", found.Held)
	}
	for _, it := range found.Acted() {
		attrs := []any{"kind", string(it.Kind), "project", it.Project, "location", it.Location, "name", it.Name,
			"action", string(it.Action), "done", string(it.Done), "why", it.Reason}
		if it.Err != nil {
			o.Log.Error("orphan", append(attrs, "reason", it.Err.Error())...)
			continue
		}
		o.Log.Info("orphan", attrs...)
	}
	if len(found.Items)+len(found.Lost) > 0 {
		o.Log.Warn("orphans", "found", len(found.Items), "lost", len(found.Lost), "usd_per_hour", found.USDPerHour)
	}
}
