package reaper

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

// Commands is what the reaper asks for; *environment.Service is it.
type Commands interface {
	// Reapable lists every environment that can come to its end.
	Reapable(ctx context.Context) ([]string, error)
	// Consider looks at one and says what is to be done; Carry does it, if that
	// still holds when it is read again.
	Consider(ctx context.Context, id string, dry bool) (environment.PlanItem, error)
	Carry(ctx context.Context, item environment.PlanItem) (environment.Judgement, error)
	// Recall is Consider without looking, by what was seen last.
	Recall(ctx context.Context, id string) (environment.PlanItem, error)
	// Reaper says whether it is paused; Hold notes why a run stopped.
	Reaper(ctx context.Context) (environment.ReaperState, error)
	Hold(ctx context.Context, why string) error
	// Budgets tells people how far budgets are spent, and says what it told.
	Budgets(ctx context.Context) ([]string, error)
	// Resync wakes every row that is not settled or has not been looked at.
	Resync(ctx context.Context) (int, error)
}

// Config is what a Reaper needs.
type Config struct {
	Commands Commands
	// Schedule is a five-field cron line in UTC, as ParseSchedule accepts it.
	Schedule string
	// Classes start and end at set times; nil for none.
	Classes Classes
	// MaxPerRun bounds how many environments one run ends; default 50. What is
	// over it waits for the next run and is logged.
	MaxPerRun int
	// MaxShare is how much of all environments one run may end for being idle,
	// 0 to 1; default 0.5. Beyond it none of them is ended and the run waits for
	// a person: a hub that reports nonsense must not cost a class its work.
	// Deadlines do not count; they were promised. It does not apply to
	// fewer than FewAtOnce.
	MaxShare float64
	// Probes bounds how many environments are looked at at once; default 32.
	Probes int
	// Timeout bounds one run; default 10 minutes. Half of it is for looking.
	Timeout time.Duration
	// Alone runs one sweep while no other replica does, since a person may ask
	// for one anywhere; nil where there is only this process.
	Alone func(ctx context.Context, f func(context.Context) error) error
	// Observe is told of every run that was not dry, for metrics; may be nil.
	Observe func(Report)
	// Span traces runs, and schedules that came due; nil traces nothing.
	Span environment.Span
	Log  *slog.Logger
}

// FewAtOnce is how many environments may always end for being idle in one run.
const FewAtOnce = 10

// Reaper runs the sweeps.
type Reaper struct {
	Config
	schedule cron.Schedule
	running  sync.Mutex // one sweep at a time, whoever asked for it
	resynced time.Time
	missed   map[string]bool // by the last sweep, for want of time; looked at first by the next
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
	if c.MaxShare == 0 {
		c.MaxShare = 0.5
	}
	if c.Probes == 0 {
		c.Probes = 32
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Minute
	}
	if c.Span == nil {
		c.Span = environment.NoSpan
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

// Run attends to the schedules of classes and sweeps, once at the start, since
// missed runs are not remembered, and then when each is due, until ctx ends; it
// returns once the last of both has.
func (r *Reaper) Run(ctx context.Context) error {
	log := cron.PrintfLogger(slogPrinter{r.Log})
	// The order matters: Recover outside of Skip would keep Skip's token after
	// a panic, and the job would never run again.
	chain := cron.NewChain(cron.SkipIfStillRunning(log), cron.Recover(log))
	c := cron.New(cron.WithLocation(time.UTC))
	schedule := func(when cron.Schedule, work func(context.Context)) cron.Job {
		job := chain.Then(cron.FuncJob(func() {
			run, cancel := context.WithTimeout(ctx, r.Timeout)
			defer cancel()
			work(run)
		}))
		c.Schedule(when, job)
		return job
	}
	// Classes first: they must not wait for a sweep that asks hundreds of hubs.
	if r.Classes != nil {
		schedule(everyMinute{}, r.attend).Run()
	}
	schedule(r.schedule, r.sweep).Run()
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// everyMinute, on the minute, schedules of classes are attended to.
type everyMinute struct{}

// Next implements cron.Schedule.
func (everyMinute) Next(t time.Time) time.Time { return t.Truncate(time.Minute).Add(time.Minute) }

func (r *Reaper) sweep(ctx context.Context) {
	if _, err := r.Sweep(ctx, Options{}); err != nil {
		r.Log.Error("sweep", "reason", err.Error())
	}
}

// slogPrinter lets cron's logger end in slog.
type slogPrinter struct{ log *slog.Logger }

// Printf implements cron's printer.
func (p slogPrinter) Printf(format string, args ...any) {
	p.log.Warn("cron", "reason", fmt.Sprintf(format, args...))
}
