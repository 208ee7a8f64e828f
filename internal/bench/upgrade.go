package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// upgrading is how many environments are being made when replicas are replaced.
const upgrading = 20

// upgrade replaces every replica, one after the other, while a class goes up.
func upgrade(ctx context.Context, s *stage) (results, error) {
	older, from, err := s.olderVersion(ctx)
	if err != nil {
		return results{}, err
	}
	c, err := newTurmoil(ctx, s, older)
	if c != nil {
		defer c.close()
	}
	if err != nil {
		return results{}, err
	}
	began := time.Now()
	var class sync.WaitGroup
	asked := make(chan struct{}, upgrading)
	for n := range upgrading {
		class.Go(func() { c.comesUp(ctx, n, asked) })
	}
	for range upgrading {
		select {
		case <-asked:
		case <-ctx.Done():
			return results{}, ctx.Err()
		}
	}
	slowest, err := c.replaceAll(ctx)
	if err != nil {
		return results{}, err
	}
	replaced := time.Since(began)
	class.Wait()
	took := time.Since(began)
	if err := c.toldRightly(ctx); err != nil {
		return results{}, err
	}
	for _, r := range c.all {
		if err := c.heardOnce(ctx, r); err != nil {
			return results{}, err
		}
	}
	got := results{values: map[string]float64{"upgrade.violations": float64(len(c.wrong)), "upgrade.seconds": took.Seconds(), "upgrade.stop_seconds": slowest.Seconds()}}
	got.notes = append(got.notes, fmt.Sprintf("upgrade from %s: %d environments, replaced by %.0f s, all ready after %.0f s, %d messages", from, len(c.all), replaced.Seconds(), took.Seconds(), c.struck["messages"]))
	for _, w := range c.wrong {
		got.notes = append(got.notes, "violation: "+w)
	}
	return got, nil
}

// replaceAll stops each replica in good order and starts one of this checkout's
// version in its place.
func (c *turmoil) replaceAll(ctx context.Context) (slowest time.Duration, err error) {
	for _, r := range c.replicas {
		if err := pause(ctx, 5*time.Second); err != nil {
			return slowest, err
		}
		began := time.Now()
		if err := r.end(syscall.SIGTERM); err != nil {
			c.violates("replica %d: %v", r.number, err)
		}
		slowest = max(slowest, time.Since(began))
		r.runs = c.current()
		c.tell("replica %d ended within %s", r.number, time.Since(began))
		if err := r.start(ctx); err != nil {
			return slowest, err
		}
	}
	return slowest, nil
}

// comesUp is one person's environment, on the class's cluster, until it is
// ready.
func (c *turmoil) comesUp(ctx context.Context, n int, asked chan<- struct{}) {
	err := c.greet(ctx, n)
	var e environment
	if err == nil {
		body := map[string]any{"owner": c.workspace.People[n].Email, "profile": "dask-shared", "workers": 1}
		err = ask(ctx, c.replicas, n, http.MethodPost, "/environments", body, &e)
	}
	asked <- struct{}{}
	if err == nil {
		r := c.born(n, e.ID)
		if err = c.becomes(ctx, r, "ready"); err == nil {
			err = c.isTold(ctx, r)
		}
	}
	if err != nil {
		c.violates("%s: %v", c.workspace.People[n].Email, err)
	}
}
