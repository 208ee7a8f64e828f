package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// disaster is one way in which the world fails.
type disaster struct {
	name   string
	strike func(ctx context.Context, c *turmoil, random *rand.Rand) error
}

// disasters are drawn from with equal chances: many of them end something. What
// the cloud and Slack do wrong meanwhile is in faults.go.
var disasters = slices.Concat([]disaster{
	{"replica killed", kill}, {"replica killed", kill}, {"replica killed", kill},
	{"replica replaced", func(ctx context.Context, c *turmoil, random *rand.Rand) error {
		r := c.replicas[random.IntN(len(c.replicas))]
		if err := r.end(syscall.SIGTERM); err != nil {
			return err
		}
		return r.start(ctx)
	}},
	{"replica frozen", func(ctx context.Context, c *turmoil, random *rand.Rand) error {
		p := c.replicas[random.IntN(len(c.replicas))].running()
		if p == nil {
			return nil
		}
		_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGSTOP) // it may just have ended
		err := pause(ctx, time.Duration(1+random.IntN(3))*time.Second)
		_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGCONT)
		return err
	}},
	{"database crashed", func(ctx context.Context, c *turmoil, random *rand.Rand) error {
		if err := c.db.crash(); err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(random.IntN(3000))*time.Millisecond); err != nil {
			return err
		}
		return c.db.start(ctx)
	}},
}, clockJumps())

// skewed is how wrong the clock of a replica may be, as in internal/chaos.
const skewed = 90 * time.Second

// clockJumps are none where they cannot be made.
func clockJumps() []disaster {
	if !clocked {
		return nil
	}
	jump := disaster{"clock jumped", func(_ context.Context, c *turmoil, random *rand.Rand) error {
		r := c.replicas[random.IntN(len(c.replicas))]
		return r.setClock(time.Duration(random.Int64N(int64(2*skewed))) - skewed)
	}}
	return []disaster{jump, jump}
}

// setClock sets a replica's clock wrong until its life ends, or it is set
// again; the next life's is right.
func (r *replica) setClock(wrong time.Duration) error {
	p := r.running()
	if p == nil || !clocked {
		return nil
	}
	r.tell("the clock of replica %d is wrong by %s", r.number, wrong)
	if err := p.clock.set(wrong); err != nil && r.running() != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}

func kill(ctx context.Context, c *turmoil, random *rand.Rand) error {
	r := c.replicas[random.IntN(len(c.replicas))]
	if err := r.end(syscall.SIGKILL); err != nil {
		return err
	}
	if err := pause(ctx, time.Duration(random.IntN(3000))*time.Millisecond); err != nil {
		return err
	}
	return r.start(ctx)
}
