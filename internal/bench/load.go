package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	requests = 1000
	over     = time.Minute
)

// load sends 1,000 requests evenly over a minute, whatever the answers take:
// a time counts from when its request was due, so that a stall is counted in
// all who would have waited.
func (s *stage) load(ctx context.Context) (*crowd, error) {
	c := &crowd{stage: s, times: map[string][]time.Duration{}}
	return c, evenly(ctx, func(n int, due time.Time) { c.one(ctx, n, due) })
}

// evenly calls f for each of the requests when it is due, and waits for all.
func evenly(ctx context.Context, f func(n int, due time.Time)) error { return paced(ctx, requests, f) }

// paced is evenly for so many requests.
func paced(ctx context.Context, count int, f func(n int, due time.Time)) error {
	begin := time.Now()
	tick := time.NewTimer(0)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for n := range count {
		due := begin.Add(time.Duration(n) * over / time.Duration(count))
		tick.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		all.Go(func() { f(n, due) })
	}
	return nil
}

// crowd is who sends the requests.
type crowd struct {
	*stage

	mu     sync.Mutex
	times  map[string][]time.Duration // by what was asked
	ids    []string                   // of environments that were asked for
	failed []error
}

// failure is an error when requests failed; their times count all the same.
func (c *crowd) failure() error {
	if len(c.failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests failed, the first: %w", len(c.failed), requests, c.failed[0])
}

// took are the times of what was asked, of everything when it names nothing,
// sorted.
func (c *crowd) took(asked ...string) []time.Duration {
	var all []time.Duration
	for what, times := range c.times {
		if len(asked) == 0 || slices.Contains(asked, what) {
			all = append(all, times...)
		}
	}
	slices.Sort(all)
	return all
}

// one is the nth request: of five one asks for a new environment, two look at
// one and two list.
func (c *crowd) one(ctx context.Context, n int, due time.Time) {
	var err error
	what := "list"
	switch id := c.any(); {
	case n%5 == 0:
		what = "up"
		var e environment
		err = c.rest(ctx, http.MethodPost, "/environments", map[string]string{"owner": fmt.Sprintf("s%03d", n/5), "profile": "daskhub"}, &e)
		c.remember(e.ID)
	case n%5 < 3 && id != "":
		what = "get"
		err = c.rest(ctx, http.MethodGet, "/environments/"+id, nil, &environment{})
	default:
		err = c.rest(ctx, http.MethodGet, "/environments?limit=50", nil, &struct{ Items []environment }{})
	}
	took := time.Since(due)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times[what] = append(c.times[what], took)
	if err != nil {
		c.tell("%s failed after %s: %v", what, took.Round(time.Millisecond), err)
		c.failed = append(c.failed, err)
	}
}

func (c *crowd) remember(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != "" {
		c.ids = append(c.ids, id)
	}
}

// any is the id of some environment, empty when there is none yet.
func (c *crowd) any() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) == 0 {
		return ""
	}
	return c.ids[rand.N(len(c.ids))]
}

// quantile is the time that a share q of sorted times do not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	n := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(n, 0), len(sorted)-1)]
}
