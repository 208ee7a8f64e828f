package slack

import (
	"math"
	"time"
)

// limits is a set of token buckets, filled by the time that passes.
type limits struct{ buckets map[string]bucket }

type bucket struct {
	tokens float64
	at     time.Time
}

// rate is how much is allowed: so many at once, and so many a minute.
type rate struct{ burst, perMinute float64 }

// Slack's tiers, a method, workspace and app each. Slack calls them "or more";
// the emulator gives no more.
var tiers = map[int]rate{1: {10, 1}, 2: {20, 20}, 3: {50, 50}, 4: {100, 100}}

// Messages have a rule of their own: one a second and channel, with short
// bursts, and some hundreds a minute in a workspace.
var (
	perChannel   = rate{5, 60}
	perWorkspace = rate{100, 500}
)

func newLimits() *limits { return &limits{buckets: map[string]bucket{}} }

// take uses up one of what key may still do, or says how long to wait.
func (l *limits) take(key string, r rate, now time.Time) (wait time.Duration) {
	b, known := l.buckets[key]
	if !known {
		b = bucket{tokens: r.burst, at: now}
	}
	b.tokens = math.Min(r.burst, b.tokens+now.Sub(b.at).Minutes()*r.perMinute)
	b.at = now
	if b.tokens < 1 {
		wait = time.Duration((1 - b.tokens) / r.perMinute * float64(time.Minute))
	} else {
		b.tokens--
	}
	l.buckets[key] = b
	return wait
}
