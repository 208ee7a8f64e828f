package activity

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config is what a Prober needs. Zero limits take the defaults.
type Config struct {
	// Inside is how pods are found and reached.
	Inside environment.Inside
	// Timeout bounds one whole look; default 20 s.
	Timeout time.Duration
	// Concurrency bounds how many servers of one environment are asked at
	// once, notebooks for themselves; default 8.
	Concurrency int
	// Log gets the cause of every answer that did not come.
	Log *slog.Logger
}

// Prober implements environment.Prober. It holds no state of its own and is
// safe for concurrent use.
type Prober struct{ Config }

var _ environment.Prober = (*Prober)(nil)

// New makes a Prober. It contacts nothing.
func New(c Config) *Prober {
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	if c.Concurrency == 0 {
		c.Concurrency = 8
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Prober{c}
}

// Probe looks at what goes on in an environment, within the Timeout. It never
// fails and changes nothing: what could not be asked is a SignalUnknown, with a
// message for people and the cause in the log.
//
// A last use from before the environment was ready is left out: it is daskbot's
// own login through the Door.
func (p *Prober) Probe(ctx context.Context, at environment.Probe) (environment.Activity, map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	l := &look{Probe: at, prober: p, memory: memory{before: at.Memory, after: map[string]string{}}, began: time.Now()}
	pods, err := p.Inside.Pods(ctx, at.Target, at.Plan.Namespace, "")
	if err != nil {
		l.unknown("cluster", "the cluster does not answer", err)
		return l.activity(), maps.Clone(at.Memory)
	}
	l.pods = sortPods(pods)
	var group errgroup.Group
	group.SetLimit(p.Concurrency)
	l.ask(ctx, &group)
	_ = group.Wait() // every failure is a signal
	return l.activity(), l.memory.after
}

// ask starts everything that is to be asked.
func (l *look) ask(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error {
		switch kind := l.Plan.Access.Kind; kind {
		case environment.AccessJupyterHub:
			l.hub(ctx)
		case environment.AccessJupyter:
			l.notebook(ctx)
		default:
			l.unknown("cluster", "daskbot does not know how to ask this kind of environment about its use", nil)
		}
		return nil
	})
	for _, pod := range l.pods.schedulers {
		group.Go(func() error {
			l.scheduler(ctx, pod)
			return nil
		})
	}
	for _, pod := range slices.Concat(l.pods.notebooks, l.pods.jupyters) {
		group.Go(func() error {
			l.schedulerWithin(ctx, pod)
			return nil
		})
	}
	l.workers()
}
