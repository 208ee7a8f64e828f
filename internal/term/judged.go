package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// sweep is how often the reaper runs.
const sweep = time.Minute

// class is a term as the daemon sees it: environments that it looks at, and
// nothing of what comes.
type class struct {
	did    outcome
	policy environment.Policy
	// ahead is how long before a lab the schedule starts its section's
	// environments; 0 for not at all.
	ahead  time.Duration
	habits environment.Habits
	seats  []*seat
}

// seat is a student with what they have.
type seat struct {
	todo []stretch // from the present one on
	last time.Time // when their environment was last used
	made bool
	e    environment.Environment
	use  environment.Use
}

// judged plays a term under daskbot's own rules, ahead as in class.
func judged(t term, p environment.Policy, ahead time.Duration, over time.Time) outcome {
	c := &class{policy: p, ahead: ahead}
	for s, uses := range t {
		c.seats = append(c.seats, &seat{todo: slices.Clone(uses), e: environment.Environment{Owner: strconv.Itoa(s)}})
	}
	for now := start; now.Before(over); now = c.next(now) {
		c.schedule(now)
		for _, s := range c.seats {
			c.arrive(s, now)
			if s.made && !now.Before(s.e.ReadyAt) {
				c.consider(s, now)
			}
		}
	}
	for _, s := range c.seats {
		if s.made {
			c.did.alive += over.Sub(s.e.CreatedAt)
		}
	}
	return c.did
}

// next is the next sweep at which there is anything to do.
func (c *class) next(now time.Time) time.Time {
	soonest := now.AddDate(1, 0, 0)
	if c.ahead > 0 {
		soonest = now.Truncate(time.Hour).Add(time.Hour - c.ahead)
	}
	for _, s := range c.seats {
		if s.made {
			return now.Add(sweep)
		}
		if len(s.todo) > 0 && s.todo[0].from.Before(soonest) {
			soonest = s.todo[0].from
		}
	}
	return later(now.Add(sweep), soonest.Truncate(sweep))
}

// arrive begins and ends uses up to now.
func (c *class) arrive(s *seat, now time.Time) {
	for len(s.todo) > 0 && !s.todo[0].from.After(now) {
		u := s.todo[0]
		if !s.made && u.alone { // there is nothing that it could run in, and nobody to ask
			s.todo = s.todo[1:]
			continue
		}
		if !s.made {
			c.did.cold++
			c.create(s, u.from, s.e.Owner)
		}
		if s.made && !u.unused {
			s.last = later(s.last, later(s.e.ReadyAt, earlier(u.to, now)))
		}
		if u.to.After(now) {
			return
		}
		s.todo = s.todo[1:]
	}
}

// schedule starts what is missing of a section before its lab.
func (c *class) schedule(now time.Time) {
	if c.ahead == 0 {
		return
	}
	for section, lab := range labs {
		begin := now.Add(c.ahead)
		if begin.Before(day(weeks, 0)) && begin.Minute() == 0 && begin.Hour() == lab[1] && begin.Weekday() == time.Weekday(lab[0]+1) {
			for i := section; i < students; i += sections {
				if s := c.seats[i]; !s.made {
					c.create(s, now, "schedule:lab")
				}
			}
		}
	}
}

func (c *class) create(s *seat, at time.Time, by string) {
	ready := at.Add(creating)
	s.made, s.last = true, time.Time{}
	s.use = environment.Use{}
	s.e = environment.Environment{ID: s.e.Owner, Owner: s.e.Owner, Desired: environment.Present, State: environment.StateReady,
		RequestedBy: by, CreatedAt: at, ReadyAt: ready, ExpiresAt: ready.Add(c.policy.TTL)}
}

// consider is what the daemon does with one environment in a sweep.
func (c *class) consider(s *seat, now time.Time) {
	j := environment.Judge(c.policy, s.e, s.use, now)
	if s.use.Due(j, now) {
		fresh := s.use.Activity.At.IsZero()
		s.use.Learn(c.policy, s.e, s.look(now), nil)
		c.habits.Observe(s.e, fresh, s.use)
		s.use.Bound(c.policy, s.e, c.habits)
		j = environment.Judge(c.policy, s.e, s.use, now)
	}
	switch {
	case j.Action == environment.ReapDelete:
		c.end(s, now)
	case j.Action == environment.ReapWarn:
		c.did.warned++
		s.e.Ending = &environment.Ending{At: j.At, Cause: j.Cause, Lead: j.Lead, ToldAt: now}
	case j.Revive:
		s.e.Ending = nil
	}
}

// look is what hub and kernel say: the hub with the delay of its own.
func (s *seat) look(now time.Time) environment.Activity {
	kernel := environment.Signal{Source: "kernel", Kind: environment.SignalQuiet, Last: earlier(s.last, now)}
	if s.here(now) && s.todo[0].alone {
		kernel.Kind, kernel.Message = environment.SignalBusy, "a kernel is running"
	}
	hub := environment.Signal{Source: "hub", Kind: environment.SignalQuiet, Last: kernel.Last.Truncate(5 * time.Minute)}
	return environment.Activity{At: now, Signals: []environment.Signal{hub, kernel}}
}

// here says whether the environment is in use at a time.
func (s *seat) here(now time.Time) bool {
	return len(s.todo) > 0 && !s.todo[0].from.After(now) && s.todo[0].to.After(now)
}

func (c *class) end(s *seat, now time.Time) {
	c.did.alive += now.Sub(s.e.CreatedAt)
	s.made = false
	if s.here(now) {
		c.did.early++
		if s.todo[0].alone {
			s.todo = s.todo[1:]
		} else {
			s.todo[0].from = now
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
