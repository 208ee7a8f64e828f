package provision

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Ports is everything the runner reaches the world through.
type Ports struct {
	Store     environment.Store
	Clusters  environment.Clusters
	Given     environment.Given
	Workloads environment.Workloads
	Charts    environment.Charts
	Compute   environment.Compute
	Door      environment.Door
}

// Limits bounds how many requests are on their way at once. Zero means the
// default. What was asked for is made side by side, so that a class takes hardly
// longer than one. Deletes have a limit of their own, so that they never wait
// for creates.
type Limits struct {
	Creates int // cluster creates being asked for; default 5
	Deletes int // cluster deletes being asked for; default 10
	Helm    int // Helm actions; default 4, since each renders a chart in memory
}

// Config is what a Runner needs besides its ports.
type Config struct {
	Installation string
	Limits       Limits
	Log          *slog.Logger
	Now          func() time.Time // time.Now when nil
	// Span traces steps; nil traces nothing.
	Span environment.Span
	// Took is told how long a phase of an environment on its way up lasted, once
	// that is recorded; nil for nobody.
	Took func(profile string, phase environment.Phase, d time.Duration)
}

// Runner is the Work of the queue.
type Runner struct {
	Ports
	installation string
	log          *slog.Logger
	now          func() time.Time
	span         environment.Span
	took         func(string, environment.Phase, time.Duration)
	creates      turns
	deletes      turns
	helm         turns
	pace         pace
	lints        lints
	draining     atomic.Bool
}

// New wires a Runner. It starts nothing.
func New(ports Ports, c Config) *Runner {
	r := &Runner{Ports: ports, installation: c.Installation, log: c.Log, now: c.Now, span: c.Span, took: c.Took,
		creates: newTurns(c.Limits.Creates, 5), deletes: newTurns(c.Limits.Deletes, 10), helm: newTurns(c.Limits.Helm, 4)}
	if r.now == nil {
		r.now = time.Now
	}
	if r.span == nil {
		r.span = environment.NoSpan
	}
	if r.took == nil {
		r.took = func(string, environment.Phase, time.Duration) {}
	}
	return r
}

// passBudget bounds one pass: the queue takes long passes for dead ones.
const passBudget = 45 * time.Second

// Work looks at one row until there is nothing to do at once. It returns how
// long to wait before looking again, 0 to wait for a wake-up.
func (r *Runner) Work(ctx context.Context, job environment.Job) (time.Duration, error) {
	started := time.Now()
	for {
		again, more, err := r.once(ctx, job)
		switch {
		case environment.CodeOf(err) == environment.CodeNotFound && more:
			return 0, nil // the row is gone: nothing to look at
		case environment.CodeOf(err) == environment.CodeConflict:
			more = true // somebody wrote meanwhile: read again, decide again
		case err != nil:
			return 0, err
		}
		if !more {
			return again, nil
		}
		if ctx.Err() != nil || r.draining.Load() || time.Since(started) > passBudget {
			return soonest, ctx.Err()
		}
	}
}

// Drain ends passes after the step they are at, since the process is about to
// end; whoever takes the row next goes on from there.
func (r *Runner) Drain() { r.draining.Store(true) }

func (r *Runner) once(ctx context.Context, job environment.Job) (again time.Duration, more bool, err error) {
	switch job.Kind {
	case environment.JobCluster:
		return r.clusterOnce(ctx, job.ID)
	case environment.JobEnvironment:
		return r.environmentOnce(ctx, job.ID)
	default:
		return 0, false, errors.New("unknown kind of job: " + string(job.Kind))
	}
}

// The bounds of waiting. Between them a wait is a thirty-third of the time
// already waited, so that looking late costs at most 3 % of any phase and a
// long one is not asked about ten times a second.
const (
	soonest = 250 * time.Millisecond
	latest  = 5 * time.Second
)

func pollAfter(waited time.Duration) time.Duration {
	return min(max(waited/33, soonest), latest)
}

// unlessWoken is how long to wait for what another row's runner watches and
// tells: each look less is one write less when a whole class comes at once.
const unlessWoken = 30 * time.Second

// lookAgain is how long to wait in a pass that found nothing to do but wait.
func (r *Runner) lookAgain(p *pass) time.Duration {
	switch p.step.Phase {
	case environment.PhaseCluster, environment.PhaseTeardown:
		return unlessWoken // the cluster's row wakes its tenants
	default:
		return r.pace.wait(p.now, pollAfter(p.now.Sub(phaseStart(p))))
	}
}

// pace keeps a class that waits from asking hundreds of times a second: rows
// take turns, so many a second and no more. One row alone notices nothing, and
// a wake-up waits for no turn.
type pace struct {
	mu   sync.Mutex
	next time.Time // when the next turn is
}

// turnEvery is between two turns: with 200 waiting, each is looked at every
// four seconds.
const turnEvery = 20 * time.Millisecond

// wait is how long to wait: as long as wished, or until it is one's turn.
func (p *pace) wait(now time.Time, wished time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(turnEvery)
	return max(wished, p.next.Sub(now))
}

// backOff is how long to wait after the nth failure in a row, or what the
// other side asked for.
func backOff(tries int, err error) time.Duration {
	var e *environment.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return min(500*time.Millisecond<<min(tries, 6), 30*time.Second)
}

// clock is the time of one look: UTC, to the millisecond the store keeps.
func (r *Runner) clock() time.Time { return r.now().UTC().Truncate(time.Millisecond) }

// turns bounds how many do the same thing at once. Nobody queues on it: who
// gets no turn looks again later, and holds no worker meanwhile.
type turns chan struct{}

func newTurns(n, fallback int) turns {
	if n <= 0 {
		n = fallback
	}
	return make(turns, n)
}

// take reports whether there is a turn, and how to give it back.
func (t turns) take() (func(), bool) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, true
	default:
		return nil, false
	}
}
