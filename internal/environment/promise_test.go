package environment

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// standing is rows with one given cluster under everything.
type standing struct{ *rows }

func (standing) Cluster(context.Context, string) (Cluster, error) {
	return Cluster{Given: "g", State: StateReady}, nil
}

type anyCluster struct{}

func (anyCluster) Target(string) (Target, error) { return Target{}, nil }

// life is one environment, what really happens in it, and what must hold.
type life struct {
	*rapid.T
	s     *Service
	r     *rows
	now   time.Time
	busy  bool
	dark  bool // nothing answers
	last  time.Time
	told  map[Ending]bool // since the last time it was re-armed
	until time.Time       // the latest end that was told since then
	ended bool
}

// Probe is what really happens.
func (l *life) Probe(_ context.Context, p Probe) (Activity, map[string]string) {
	s := Signal{Source: "kernel", Kind: SignalQuiet, Last: l.last}
	switch {
	case l.dark:
		s = Signal{Source: "hub", Kind: SignalUnknown, Message: "the hub does not answer"}
	case l.busy:
		s.Kind, s.Message = SignalBusy, "a kernel is running"
	}
	return Activity{At: p.Now, Signals: []Signal{s}}, nil
}

func newLife(t *rapid.T) *life {
	_, r := newTestService()
	l := &life{T: t, r: r, now: t0, told: map[Ending]bool{}}
	l.s = NewService(ServiceConfig{Store: standing{r}, Feed: &Feed{}, Catalogue: shelf{}, Roster: lecture{}, Clusters: gates{}, Given: anyCluster{},
		Prober: l, Installation: "test", Now: func() time.Time { return l.now }})
	p := judged
	p.MaxBusy, p.Adaptive, p.IdleMin, p.IdleMax = 0, rapid.Bool().Draw(t, "adaptive"), 15*minute, 90*minute
	r.envs["e1"] = hub(func(e *Environment) {
		e.Owner, e.ClusterID, e.Version = "alice", "c1", 1
		e.Terms = Terms{Policy: p, From: map[string]string{"ttl": "default"}}
	})
	return l
}

func (l *life) row() Environment { return l.r.envs["e1"] }

// sweep is a run of the reaper; between its two steps something may happen.
func (l *life) sweep(between func()) {
	if l.ended {
		return
	}
	item, err := l.s.Consider(context.Background(), "e1", false)
	if err != nil {
		l.Fatal(err)
	}
	if between != nil {
		between()
	}
	before := l.row()
	if j := item.Judgement; j.Action != ReapDelete && j.Action != ReapWarn && !j.Revive {
		l.overdue(before)
		return
	}
	j, err := l.s.Carry(context.Background(), item)
	if err != nil {
		l.Fatal(err)
	}
	l.check(before, j)
}

// check is what must hold of what was done.
func (l *life) check(before Environment, j Judgement) {
	switch hard := t0.Add(judged.MaxTTL); {
	case l.row().Desired == Absent:
		l.ended = true
		if before.Protected != nil {
			l.Fatal("it was protected")
		}
		if !l.now.Before(hard) {
			return
		}
		if before.Ending == nil || before.Ending.At.After(l.now) || l.until.After(l.now) {
			l.Fatalf("ended at %s, told %+v and once %s: %s", l.now, before.Ending, l.until, j.Reason)
		}
		if l.busy || before.KeepUntil.After(l.now) {
			l.Fatalf("ended at %s while in use: %s", l.now, j.Reason)
		}
	case j.Action == ReapWarn:
		key := Ending{At: j.At, Cause: j.Cause, Lead: j.Lead}
		if l.told[key] {
			l.Fatalf("told twice: %+v", key)
		}
		l.told[key] = true
		l.until = latest(l.until, j.At)
	}
	l.overdue(before)
}

func (l *life) overdue(before Environment) {
	if before.Protected == nil && !l.ended && l.now.After(t0.Add(judged.MaxTTL+time.Minute)) {
		l.Fatalf("still there at %s", l.now)
	}
	if l.row().Ending == nil {
		l.rearm()
	}
}

// rearm: what was told is taken back, and everything is told anew.
func (l *life) rearm() {
	clear(l.told)
	if l.row().Ending == nil {
		l.until = time.Time{}
	}
}

// extend moves the end, or is told why not; whichever, it is never a lie.
func (l *life) extend() {
	before := l.row()
	e, err := l.s.Extend(context.Background(), boss, "e1", 30*minute, 0)
	switch {
	case err != nil && MessageOf(err) == "":
		l.Fatal("refused without a reason")
	case err == nil && (l.ended || e.ExpiresAt.Before(l.now.Add(30*minute)) || e.ExpiresAt.Equal(before.ExpiresAt) || l.row().Ending != nil):
		l.Fatalf("an extension that changed nothing: %+v", e)
	}
	if err == nil {
		l.rearm()
	}
}

func TestPromisesAreKeptWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(t)
		minutes := func(n int) {
			for range n {
				l.now = l.now.Add(time.Minute)
				l.sweep(nil)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"time passes":      func(t *rapid.T) { minutes(rapid.IntRange(1, 150).Draw(t, "minutes")) },
			"daemon down":      func(t *rapid.T) { l.now = l.now.Add(time.Duration(rapid.IntRange(5, 300).Draw(t, "for")) * minute) },
			"work starts":      func(*rapid.T) { l.busy, l.last = true, l.now },
			"work ends":        func(*rapid.T) { l.busy = false },
			"somebody types":   func(*rapid.T) { l.last = l.now },
			"hub goes or back": func(*rapid.T) { l.dark = !l.dark },
			"extend":           func(*rapid.T) { l.extend() },
			"extend in a run":  func(*rapid.T) { l.sweep(l.extend) },
			"work in a run": func(*rapid.T) { // of so many environments that it takes minutes
				l.sweep(func() { l.now = l.now.Add(2 * minute); l.busy, l.last = true, l.now })
			},
			"conflict":       func(*rapid.T) { l.r.conflict = 0; l.sweep(func() { l.r.conflict = 1 }); l.r.conflict = 0 },
			"crash in a run": func(*rapid.T) { _, _ = l.s.Consider(context.Background(), "e1", false) },
			"keep":           func(*rapid.T) { _, _ = l.s.Keep(context.Background(), alice, "e1", 20*minute, 0); l.rearm() },
			"protect or not": func(*rapid.T) {
				on := l.row().Protected == nil
				if _, err := l.s.Protect(context.Background(), boss, "e1", on, 0); err == nil && on {
					l.rearm()
				}
			},
		})
	})
}
