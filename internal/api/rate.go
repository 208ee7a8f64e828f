package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/daskbot/daskbot/internal/environment"
)

// Rate bounds how often one caller asks, and how often one address may be
// refused. Zero is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
	// Refused is per minute and address.
	Refused int
}

// adminFactor is how much more often an admin may ask: behind that role are
// also programs that serve a whole class.
const adminFactor = 10

// limiter keeps a bucket for each key that asked lately.
type limiter struct {
	perSecond float64
	burst     int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	swept   time.Time
}

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{perSecond: perSecond, burst: burst, buckets: map[string]*rate.Limiter{}}
}

// take reports how long the key has to wait; 0 is not at all.
func (l *limiter) take(key string, now time.Time) time.Duration {
	if l.perSecond <= 0 {
		return 0
	}
	r := l.bucket(key, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now) // who is refused has not asked
	}
	return wait
}

// empty is take without taking.
func (l *limiter) empty(key string, now time.Time) time.Duration {
	if l.perSecond <= 0 {
		return 0
	}
	missing := 1 - l.bucket(key, now).TokensAt(now)
	return max(0, time.Duration(missing/l.perSecond*float64(time.Second)))
}

func (l *limiter) bucket(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) > time.Minute {
		l.sweep(now)
	}
	b, ok := l.buckets[key]
	if !ok {
		b = rate.NewLimiter(rate.Limit(l.perSecond), l.burst)
		l.buckets[key] = b
	}
	return b
}

// sweep forgets full buckets: a new one is as good.
func (l *limiter) sweep(now time.Time) {
	l.swept = now
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
}

// limits are the buckets of this server.
type limits struct{ callers, admins, strangers *limiter }

func newLimits(r Rate) limits {
	return limits{callers: newLimiter(r.PerSecond, r.Burst), admins: newLimiter(r.PerSecond*adminFactor, r.Burst*adminFactor),
		strangers: newLimiter(float64(r.Refused)/60, r.Refused)}
}

// caller takes from the bucket of somebody known.
func (l limits) caller(who environment.Caller, now time.Time) *Problem {
	bucket := l.callers
	if who.Role == environment.RoleAdmin {
		bucket = l.admins
	}
	return tooOften(bucket.take(who.Subject, now))
}

// stranger says whether an address was refused too often. Somebody with a good
// token is served all the same: a whole class may share an address.
func (l limits) stranger(address string, now time.Time) *Problem {
	return tooOften(l.strangers.empty(address, now))
}

// refused notes a refusal of somebody unknown.
func (l limits) refused(address string, now time.Time) { l.strangers.take(address, now) }

func tooOften(wait time.Duration) *Problem {
	if wait <= 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	p := newProblem(environment.CodeQuota, fmt.Sprintf("This is asked too often; ask again in %d s.", seconds)).withStatus(http.StatusTooManyRequests)
	p.headers.Set("Retry-After", strconv.Itoa(seconds))
	return p
}
