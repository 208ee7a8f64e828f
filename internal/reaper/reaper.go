package reaper

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

// Commands is what the reaper asks for; *environment.Service is it.
type Commands interface {
	// Expired lists environments whose deadline has passed, at most limit.
	Expired(ctx context.Context, limit int) ([]environment.Environment, error)
	// Expire ends one, if it is still past its deadline when looked at again.
	Expire(ctx context.Context, id string) error
	// Resync wakes every row that is not settled or has not been looked at.
	Resync(ctx context.Context) (int, error)
}

// Config is what a Reaper needs.
type Config struct {
	Commands Commands
	// Schedule is a five-field cron line in UTC, as ParseSchedule accepts it.
	Schedule string
	// MaxPerRun bounds how many environments one run ends; default 50. What is
	// over it waits for the next run and is logged.
	MaxPerRun int
	// Timeout bounds one run; default 2 minutes.
	Timeout time.Duration
	Log     *slog.Logger
}

// Reaper runs the sweeps.
type Reaper struct {
	Config
	schedule cron.Schedule
}

// New checks the configuration. It starts nothing.
func New(c Config) (*Reaper, error) {
	s, err := ParseSchedule(c.Schedule)
	if err != nil {
		return nil, err
	}
	if c.MaxPerRun == 0 {
		c.MaxPerRun = 50
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	return &Reaper{Config: c, schedule: s}, nil
}

// ParseSchedule parses a five-field cron line. It refuses what the library
// accepts and then panics on ("TZ=UTC" without a space, robfig/cron#555), and
// lines that never come due, such as the 30th of February.
func ParseSchedule(line string) (s cron.Schedule, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = environment.Invalid("schedule", "%q is not a cron line, for example \"*/5 * * * *\".", line)
		}
	}()
	s, err = cron.ParseStandard(strings.TrimSpace(line))
	if err != nil {
		return nil, environment.Invalid("schedule", "%q is not a cron line (%v), for example \"*/5 * * * *\".", line, err)
	}
	if s.Next(time.Now()).IsZero() {
		return nil, environment.Invalid("schedule", "%q never comes due, for example \"*/5 * * * *\" does.", line)
	}
	return s, nil
}

// Stats is what one run did.
type Stats struct {
	Expired, Failed, Woken int
	// Capped: there was more to end than one run may.
	Capped bool
}

// Run sweeps once at the start, since missed runs are not remembered, and
// then on schedule until ctx ends; it returns once the last sweep has.
func (r *Reaper) Run(ctx context.Context) error {
	sweep := func() {
		run, cancel := context.WithTimeout(ctx, r.Timeout)
		defer cancel()
		r.Sweep(run)
	}
	log := cron.PrintfLogger(slogPrinter{r.Log})
	// The order matters: Recover outside of Skip would keep Skip's token after
	// a panic, and the job would never run again.
	job := cron.NewChain(cron.SkipIfStillRunning(log), cron.Recover(log)).Then(cron.FuncJob(sweep))
	c := cron.New(cron.WithLocation(time.UTC))
	c.Schedule(r.schedule, job)
	job.Run()
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// Sweep ends what is past its deadline and wakes the rest. One failure never
// ends a sweep.
func (r *Reaper) Sweep(ctx context.Context) Stats {
	var stats Stats
	due, err := r.Commands.Expired(ctx, r.MaxPerRun+1)
	if err != nil {
		r.Log.Error("sweep", "reason", err.Error())
	}
	for i, e := range due {
		if stats.Capped = i >= r.MaxPerRun; stats.Capped {
			r.Log.Warn("sweep stopped at its limit; the rest waits for the next run", "limit", r.MaxPerRun)
			break
		}
		if err := r.Commands.Expire(ctx, e.ID); err != nil {
			stats.Failed++
			r.Log.Error("sweep", "env_id", e.ID, "reason", err.Error())
			continue
		}
		stats.Expired++
		r.Log.Info("ended", "env_id", e.ID, "reason", "deadline", "expired_at", e.ExpiresAt)
	}
	if stats.Woken, err = r.Commands.Resync(ctx); err != nil {
		r.Log.Error("resync", "reason", err.Error())
	}
	return stats
}

// slogPrinter lets cron's logger end in slog.
type slogPrinter struct{ log *slog.Logger }

// Printf implements cron's printer.
func (p slogPrinter) Printf(format string, args ...any) {
	p.log.Warn("cron", "reason", fmt.Sprintf(format, args...))
}
