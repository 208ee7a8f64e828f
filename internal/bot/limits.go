package bot

import (
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// rate is a token bucket a little below what Slack allows a method in a
// workspace: https://docs.slack.dev/apis/web-api/rate-limits
type rate struct {
	every time.Duration // one call each
	burst float64
}

var rates = map[string]rate{
	"chat.postMessage": {every: 250 * time.Millisecond, burst: 20}, // a few hundred a minute
	"chat.update":      {every: 1300 * time.Millisecond, burst: 10},
	"views.publish":    {every: 700 * time.Millisecond, burst: 10},
	"users.info":       {every: 650 * time.Millisecond, burst: 20},
}

// perChannel is how often something may be posted in one channel.
const perChannel = time.Second

// limits keeps the Web API's limits in this process. It is safe for
// concurrent use.
type limits struct {
	mu       sync.Mutex
	now      func() time.Time
	buckets  map[string]*bucket
	channels map[string]time.Time // when it may be posted in again
}

type bucket struct {
	tokens float64
	at     time.Time
	closed time.Time // Slack asked not to call before
}

func newLimits(now func() time.Time) *limits {
	if now == nil {
		now = time.Now
	}
	return &limits{now: now, buckets: map[string]*bucket{}, channels: map[string]time.Time{}}
}

// take uses up one call of a method in a channel, or says with
// CodeUnavailable and RetryAfter when to come back.
func (l *limits) take(method, channel string) error { return l.takeAbove(method, channel, 0) }

// takeAbove leaves reserve calls for more important matters.
func (l *limits) takeAbove(method, channel string, reserve float64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, r := l.bucket(method, now), rates[method]
	wait := b.closed.Sub(now)
	if method == "chat.postMessage" {
		wait = max(wait, l.channels[channel].Sub(now))
	}
	if missing := 1 + reserve - b.tokens; missing > 0 {
		wait = max(wait, time.Duration(missing*float64(r.every)))
	}
	if wait > 0 {
		return &environment.Error{Code: environment.CodeUnavailable, Message: "Slack takes no more messages at the moment.", RetryAfter: wait}
	}
	b.tokens--
	if method == "chat.postMessage" {
		l.channels[channel] = now.Add(perChannel)
		l.forget(now)
	}
	return nil
}

func (l *limits) bucket(method string, now time.Time) *bucket {
	r := rates[method]
	b, ok := l.buckets[method]
	if !ok {
		b = &bucket{tokens: r.burst, at: now}
		l.buckets[method] = b
	}
	if r.every > 0 {
		b.tokens = min(r.burst, b.tokens+float64(now.Sub(b.at))/float64(r.every))
	}
	b.at = now
	return b
}

// forget keeps the map of channels from growing with the class.
func (l *limits) forget(now time.Time) {
	if len(l.channels) < 1000 {
		return
	}
	for channel, at := range l.channels {
		if at.Before(now) {
			delete(l.channels, channel)
		}
	}
}

// pause keeps away from a method for as long as Slack asked.
func (l *limits) pause(method string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.bucket(method, now)
	if until := now.Add(d); until.After(b.closed) {
		b.closed = until
	}
}
