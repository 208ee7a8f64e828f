package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// person has an environment, changes it, takes it down and has another, until
// the storm is over; then the last one must come out right and goes. People
// come one after the other, over the first half of the storm.
func (c *turmoil) person(ctx, storm context.Context, n int) {
	who := c.workspace.People[n]
	if pause(storm, c.lasts*time.Duration(n)/time.Duration(2*c.people)) != nil {
		c.violates("%s never came", who.Email)
		return
	}
	if err := c.greet(ctx, n); err != nil {
		c.violates("%s cannot get to know daskbot: %v", who.Name, err)
		return
	}
	for life := 0; life == 0 || storm.Err() == nil; life++ {
		if err := c.life(ctx, n, life); err != nil {
			c.violates("%s: %v", who.Email, err)
			return
		}
	}
}

// shortLife is what some ask for, to leave the rest to the reaper.
const shortLife = 5 * time.Minute

// excusedError is the end of an environment that a mortal fault excuses.
type excusedError struct{ reason string }

// Error is what its owner was told.
func (e excusedError) Error() string { return "it failed, and a mortal fault may be why: " + e.reason }

// life is one environment from its beginning to its end. Of ten people one
// leaves their first environment to the reaper.
func (c *turmoil) life(ctx context.Context, n, life int) error {
	profile, leave := c.profile(n, life)
	defer leave()
	body := map[string]any{"owner": c.workspace.People[n].Email, "profile": profile, "workers": 1}
	left := n%10 == 4 && life == 0
	if left {
		body["ttl"] = shortLife.String()
	}
	var e environment
	if err := c.insists(ctx, n, http.MethodPost, "/environments", body, &e); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	r := c.born(n, e.ID)
	r.left, r.hurried = left, (n+life)%3 == 2
	live := c.changed
	if left {
		live = c.leftAlone
	}
	err := live(ctx, r)
	var excused excusedError
	if errors.As(err, &excused) {
		err = c.becomes(ctx, r, "gone")
	}
	if err == nil {
		c.over(r, excused.reason)
	}
	return err
}

// changed is a life that its owner changes and ends.
func (c *turmoil) changed(ctx context.Context, r *record) error {
	if err := c.becomes(ctx, r, "ready"); err != nil {
		return err
	}
	if err := c.insists(ctx, r.owner, http.MethodPost, "/environments/"+r.id+"/scale", map[string]any{"workers": 2}, nil); err != nil {
		return fmt.Errorf("scale: %w", err)
	}
	if err := c.becomes(ctx, r, "ready"); err != nil {
		return err
	}
	if !r.hurried {
		if err := c.isTold(ctx, r); err != nil {
			return err
		}
	}
	if err := c.insists(ctx, r.owner, http.MethodDelete, "/environments/"+r.id, nil, nil); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	return c.becomes(ctx, r, "deleted")
}

// leftAlone is a life that the reaper ends: not before its time, and not
// before what was told, but for clocks that are wrong.
func (c *turmoil) leftAlone(ctx context.Context, r *record) error {
	if err := c.becomes(ctx, r, "ready"); err != nil {
		return err
	}
	var e struct {
		State, Message string
		ExpiresAt      time.Time
		Ending         struct{ At time.Time }
	}
	for e.State != "deleting" && e.State != "deleted" {
		if err := ask(ctx, c.replicas, r.owner, http.MethodGet, "/environments/"+r.id, nil, &e); err != nil {
			return err
		}
		if err := pause(ctx, c.lookEvery()); err != nil {
			return err
		}
	}
	promised := e.ExpiresAt
	if e.Ending.At.After(promised) {
		promised = e.Ending.At
	}
	if early := time.Until(promised); early > 2*skewed {
		return fmt.Errorf("%s was ended %s early: %s", r.id, early, e.Message)
	}
	c.counts("left to the reaper", 1)
	return c.becomes(ctx, r, "deleted")
}

// insists asks until it is not refused, when a mortal fault may be why.
func (c *turmoil) insists(ctx context.Context, n int, method, path string, body, into any) error {
	for tries := 1; ; tries++ {
		err := ask(ctx, c.replicas, n, method, path, body, into)
		if err == nil || len(c.script.mortal(time.Now())) == 0 || tries == 30 {
			return err
		}
		c.counts("refused for a mortal fault", 1)
		c.tell("refused: %v", err)
		if waiting := pause(ctx, 2*time.Second); waiting != nil {
			return errors.Join(waiting, err)
		}
	}
}

// patience is after which time without any change, of this environment or
// another, one that is not where it should be counts as lost. How long they all
// take says more about the machine.
const patience = 12 * time.Minute

// lookEvery is how often somebody looks: hundreds who look do little else to a
// small machine.
func (c *turmoil) lookEvery() time.Duration {
	return max(500*time.Millisecond, time.Duration(c.people)*20*time.Millisecond)
}

// becomes waits until an environment is in a state and everything asked of it
// is done. An end that nobody asked for is an error, an excusedError when a
// mortal fault may be why.
func (c *turmoil) becomes(ctx context.Context, r *record, state string) error {
	var e, before seen
	c.moved.Store(time.Now().UnixNano())
	for {
		if err := ask(ctx, c.replicas, r.owner, http.MethodGet, "/environments/"+r.id, nil, &e); err != nil {
			return fmt.Errorf("%s is to become %s: %w (%w)", r.id, state, err, context.Cause(ctx))
		}
		if e != before {
			before = e
			c.moved.Store(time.Now().UnixNano())
		}
		switch {
		case e.is(state):
			return nil
		case e.ended(state) && e.State == "failed" && e.Message != "" && c.excused(r, e.Failure.Phase):
			c.tell("%s failed: %s", r.id, e.Message)
			return excusedError{e.Message}
		case e.ended(state):
			return fmt.Errorf("%s is to become %s and is %s: %s (its phase was %q)", r.id, state, e.State, e.Message, e.Failure.Phase)
		case time.Since(time.Unix(0, c.moved.Load())) > patience:
			return fmt.Errorf("lost: %s is to become %s and is %s in phase %s: %s", r.id, state, e.State, e.Phase, e.Message)
		}
		if err := pause(ctx, c.lookEvery()); err != nil {
			return fmt.Errorf("%s is to become %s and is %s in phase %s: %s (%w)", r.id, state, e.State, e.Phase, e.Message, context.Cause(ctx))
		}
	}
}

// seen is what becomes reads of an environment.
type seen struct {
	State, Phase, Message          string
	Generation, ObservedGeneration int64
	Failure                        struct{ Phase string }
}

// is says whether it is in a state; gone is what a failed one must become.
func (e seen) is(state string) bool {
	if state == "gone" {
		return e.Phase == "gone"
	}
	return e.State == state && (state != "ready" || e.ObservedGeneration == e.Generation)
}

// ended says whether it will never be in that state.
func (e seen) ended(state string) bool {
	return state != "gone" && (e.State == "failed" || e.State == "deleted" || e.State == "deleting" && state == "ready")
}
