package lms

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// The pace of carrying out deliveries.
const (
	batch = 50
	// passBudget ends a pass before the queue takes it for dead.
	passBudget = 20 * time.Second
	// maxTries is how often a delivery may fail for a reason that could pass
	// before it is parked. Until then its source waits, or what was sent about
	// one person would change places.
	maxTries = 5
	// forgetEvery is how often a pass looks for what is too old.
	forgetEvery = time.Hour
	// startLasts is how long after it was wanted something may still be started:
	// the class that it was for is over then.
	startLasts = 6 * time.Hour
)

// ignored is why a delivery has nothing done: no error of anybody's.
type ignored struct{ reason string }

// Error is the reason.
func (i ignored) Error() string { return i.reason }

// Work is the queue's: it carries out what waits of a source, in the order of
// receipt. An error means that it goes on later.
func (h *Hooks) Work(ctx context.Context, name string) (again time.Duration, err error) {
	started := h.Now()
	for {
		waiting, err := h.Inbox.Waiting(ctx, name, batch)
		if err != nil || len(waiting) == 0 {
			return 0, err
		}
		for _, d := range waiting {
			if err := h.one(ctx, name, d); err != nil {
				return 0, err
			}
		}
		if h.Now().Sub(started) > passBudget {
			return time.Millisecond, nil
		}
	}
}

// one carries out a delivery and writes down what became of it. An error means
// that it is to be tried again before any other.
func (h *Hooks) one(ctx context.Context, name string, d environment.Delivery) error {
	done, err := h.carryOut(ctx, name, d)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // nobody's fault: the process is stopping
	}
	var nothing ignored
	d.SettledAt = h.Now().UTC()
	switch {
	case err == nil:
		d.State, d.Reason = environment.DeliveryDone, done
	case errors.As(err, &nothing):
		d.State, d.Reason = environment.DeliveryIgnored, nothing.reason
	case environment.Retryable(err) && d.Tries+1 < maxTries:
		d.Tries++
		d.SettledAt = time.Time{}
		return errors.Join(fmt.Errorf("carry out delivery %s of %s: %w", d.ID, name, err), h.Inbox.Settle(ctx, d))
	default:
		d.Tries++
		d.State, d.Reason = environment.DeliveryParked, environment.MessageOf(err)
		h.Log.WarnContext(ctx, "delivery parked", "source", name, "delivery", d.ID, "type", d.Type, "err", err)
	}
	// What was done is written down also when time is up.
	if err := h.Inbox.Settle(context.WithoutCancel(ctx), d); err != nil {
		return err
	}
	h.Observe(name, string(d.State))
	return nil
}

// carryOut makes a panic an error, so that a message that nobody thought of
// stops no other for good.
func (h *Hooks) carryOut(ctx context.Context, name string, d environment.Delivery) (done string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	src, ok := h.sources[name]
	if !ok {
		return "", environment.Errorf(environment.CodeNotFound, "The source %s is not configured any more.", name)
	}
	ev, err := Translate(d.ContentType, d.Body)
	if err != nil {
		return "", environment.Errorf(environment.CodeInvalid, "The message cannot be read: %s.", err)
	}
	if ev.Kind == "" {
		return "", ignored{fmt.Sprintf("There is nothing to do for %q.", ev.Name)}
	}
	if err := h.timely(ctx, src, ev, d); err != nil {
		return "", err
	}
	return h.act(ctx, &action{Event: ev, source: src, delivery: d})
}

// timely ignores what is too old to be told from a copy of what was forgotten,
// and what something newer about the same was carried out after.
func (h *Hooks) timely(ctx context.Context, src *source, ev Event, d environment.Delivery) error {
	switch {
	case ev.At.IsZero() && src.Kind == Canvas:
		return ignored{"The message does not say when it happened, so it could be an old one sent again."}
	case !ev.At.IsZero() && ev.At.Before(d.ReceivedAt.Add(-h.Keep)):
		return ignored{"It happened too long ago."}
	case (ev.Kind == StartOne || ev.Kind == StartAll) && h.Now().Sub(wanted(ev, d)) > startLasts:
		return ignored{"The start was wanted more than " + environment.FormatDuration(startLasts) + " ago; it is not made up for so late."}
	}
	overtaken, err := h.Inbox.Overtaken(ctx, d)
	if err == nil && overtaken {
		return ignored{"Something newer about the same came before it."}
	}
	return err
}

// wanted is when something was asked for, as far as that is known.
func wanted(ev Event, d environment.Delivery) time.Time {
	if ev.At.IsZero() || ev.At.After(d.ReceivedAt) {
		return d.ReceivedAt
	}
	return ev.At
}

// Run forgets what is too old, until ctx ends. One replica of several does.
func (h *Hooks) Run(ctx context.Context) error {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		n, err := h.Inbox.Forget(ctx, h.Now().Add(-h.Keep))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			h.Log.WarnContext(ctx, "forget old deliveries", "err", err)
		case n > 0:
			h.Log.InfoContext(ctx, "old deliveries forgotten", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
