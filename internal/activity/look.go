package activity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// look is one look at one environment.
type look struct {
	environment.Probe
	prober *Prober
	pods   pods
	began  time.Time // on daskbot's own clock, for how long the look takes

	memory memory

	mu      sync.Mutex
	signals []environment.Signal
}

// patience is how long one server may be waited for where others wait for it:
// one that hangs must end before the look does.
func (l *look) patience() time.Duration { return l.prober.Timeout / 2 }

// signal notes what a source says.
func (l *look) signal(source string, kind environment.SignalKind, last time.Time, message string) {
	if !last.After(l.Environment.ReadyAt.Add(tolerable)) {
		last = time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signals = append(l.signals, environment.Signal{Source: source, Kind: kind, Last: last, Message: message})
}

func (l *look) busy(source, message string) {
	l.signal(source, environment.SignalBusy, l.Now, message)
}

func (l *look) quiet(source, message string) {
	l.signal(source, environment.SignalQuiet, time.Time{}, message)
}

// unknown notes what does not answer; the cause is for the log.
func (l *look) unknown(source, message string, cause error) {
	if errors.Is(cause, errDenied) {
		message = "daskbot may not ask the " + source + " about its use: its token or that token's scopes in the profile are not right"
	}
	l.prober.Log.Info("use is unknown", "env_id", l.Environment.ID, "source", source, "reason", fmt.Sprint(cause))
	l.signal(source, environment.SignalUnknown, time.Time{}, message)
}

// activity is what all sources said, in a steady order.
func (l *look) activity() environment.Activity {
	slices.SortStableFunc(l.signals, func(a, b environment.Signal) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Message, b.Message))
	})
	return environment.Activity{At: l.Now, Signals: l.signals}
}

// clamp turns a time on a server's clock, which read date when it answered,
// into daskbot's: a skewed clock must not make a use lie in the future, nor
// hours back. A zero time stays zero.
func (l *look) clamp(t, date time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	if skew := date.Sub(l.Now.Add(time.Since(l.began))); !date.IsZero() && skew.Abs() > tolerable {
		t = t.Add(-skew)
	}
	if t.After(l.Now) {
		return l.Now
	}
	return t.UTC()
}

// tolerable is how far clocks may be apart: the Date header has whole seconds,
// and an answer takes a while.
const tolerable = 30 * time.Second

// memory is what one look remembers for the next, by key. What a look does
// not write is forgotten, unless it says to keep it.
type memory struct {
	mu     sync.Mutex
	before map[string]string
	after  map[string]string
}

func (m *memory) get(key string) string { return m.before[key] }

func (m *memory) set(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.after[key] = value
}

// keep carries over what is remembered, for a source that did not answer.
func (m *memory) keep(keys ...string) {
	for _, key := range keys {
		if value := m.before[key]; value != "" {
			m.set(key, value)
		}
	}
}

// since remembers since when something is so: since at, if this is new.
func (m *memory) since(key string, at time.Time) time.Time {
	if t, err := time.Parse(time.RFC3339, m.before[key]); err == nil && t.Before(at) {
		at = t
	}
	m.set(key, at.UTC().Format(time.RFC3339))
	return at
}
