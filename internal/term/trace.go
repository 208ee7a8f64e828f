package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// The class: 200 students in eight sections, twelve weeks.
const (
	students = 200
	sections = 8
	weeks    = 12
)

// start is a Monday.
var start = time.Date(2026, 9, 7, 0, 0, 0, 0, time.UTC)

// stretch is a time in which an environment is used without a pause that
// anybody could see, or needed because something runs in it.
type stretch struct {
	from, to time.Time
	// alone: a training runs and nobody is there. It needs the environment, but
	// nobody asks for one to start it in.
	alone bool
	// unused: somebody asked for an environment and never opened it.
	unused bool
}

// term is what each student does, in order and without overlap.
type term [students][]stretch

// newTerm makes a term from a seed. What is in it:
//
//   - A lab a week for each section, two hours with a break of 10 to 25 minutes
//     in the middle. One in ten students is missing; some come late, one in
//     five leaves early, the others stay up to a quarter of an hour.
//   - Homework on evenings around half past seven, and on some afternoons of
//     the weekend: blocks of 15 to 80 minutes with pauses between them, three
//     in five short (a median of 14 minutes) and two long (a median of 65).
//     Students differ in how often they work. After eleven at night most go to
//     bed instead of going on.
//   - Deadlines on the Sundays of weeks 4, 8 and 12: twice the homework in
//     those weeks, and nearly everybody on the last evening.
//   - A training that goes on for half an hour to six hours after every twelfth
//     evening; its person comes back when they come back.
//   - Environments that are asked for and never opened, one in sixty evenings,
//     and some opened for five minutes only. Nobody ever ends one by hand.
func newTerm(seed uint64) term {
	var all term
	for s := range all {
		r := rand.New(rand.NewPCG(seed, uint64(s))) //nolint:gosec // a trace is to be repeatable
		p := person{Rand: r, section: s % sections, evenings: 0.6 + 1.6*r.Float64()}
		for week := range weeks {
			p.lab(week)
			p.week(week)
		}
		all[s] = tidy(p.uses)
	}
	return all
}

type person struct {
	*rand.Rand
	section  int
	evenings float64 // of homework in an ordinary week
	uses     []stretch
}

// labs are when the sections meet: day after Monday and hour.
var labs = [sections][2]int{{0, 10}, {0, 14}, {1, 10}, {1, 14}, {2, 10}, {2, 14}, {3, 10}, {3, 14}}

func (p *person) between(low, high float64) time.Duration {
	return time.Duration((low + (high-low)*p.Float64()) * float64(time.Minute)).Truncate(time.Second)
}

// around draws from a log-normal distribution with a median, in minutes.
func (p *person) around(median, spread, low, high float64) time.Duration {
	m := median * math.Exp(spread*p.NormFloat64())
	return time.Duration(min(max(m, low), high) * float64(time.Minute)).Truncate(time.Second)
}

func (p *person) use(from, to time.Time) { p.uses = append(p.uses, stretch{from: from, to: to}) }

func day(week, weekday int) time.Time { return start.AddDate(0, 0, 7*week+weekday) }

func (p *person) lab(week int) {
	if p.Float64() < 0.1 {
		return
	}
	when := labs[p.section]
	begin := day(week, when[0]).Add(time.Duration(when[1]) * time.Hour)
	pause := begin.Add(55 * time.Minute)
	p.use(begin.Add(p.between(-3, 12)), pause.Add(p.between(-4, 4)))
	end := begin.Add(2*time.Hour + p.between(-5, 15))
	if p.Float64() < 0.2 {
		end = begin.Add(p.between(85, 110))
	}
	p.use(pause.Add(p.between(14, 21)), end)
}

// week is the homework of a week.
func (p *person) week(week int) {
	busy, deadline := 1.0, week%4 == 3
	if deadline {
		busy = 2
	}
	for weekday := range 7 {
		last := deadline && weekday == 6
		chance := busy * p.evenings / 7
		if last {
			chance = 0.8
		}
		if p.Float64() < chance {
			p.evening(day(week, weekday).Add(19*time.Hour+30*time.Minute+time.Duration(70*p.NormFloat64()*float64(time.Minute))), last)
		}
		if weekday > 4 && p.Float64() < chance/2 {
			p.evening(day(week, weekday).Add(14*time.Hour+time.Duration(60*p.NormFloat64()*float64(time.Minute))), false)
		}
	}
}

// evening is homework from a time on.
func (p *person) evening(at time.Time, last bool) {
	switch {
	case p.Float64() < 1.0/60:
		p.uses = append(p.uses, stretch{from: at, to: at, unused: true})
		return
	case p.Float64() < 0.03:
		p.use(at, at.Add(5*time.Minute))
		return
	}
	on := 0.6 // the chance of another block
	if last {
		on = 0.75
	}
	for {
		end := at.Add(p.around(38, 0.5, 15, 80))
		p.use(at, end)
		at = end
		if p.Float64() > on || end.Hour() < 6 && p.Float64() < 0.8 || end.Hour() == 23 && p.Float64() < 0.6 {
			break // done, or to bed
		}
		if p.Float64() < 0.6 {
			at = at.Add(p.around(14, 0.5, 3, 45))
		} else {
			at = at.Add(p.around(65, 0.5, 25, 240))
		}
	}
	if p.Float64() < 1.0/12 {
		p.uses = append(p.uses, stretch{from: at, to: at.Add(p.around(100, 0.8, 30, 360)), alone: true})
	}
}

// tidy sorts, and takes overlaps out: a training gives way to its person.
func tidy(uses []stretch) []stretch {
	slices.SortStableFunc(uses, func(a, b stretch) int { return a.from.Compare(b.from) })
	var out []stretch
	for len(uses) > 0 {
		u := uses[0]
		uses = uses[1:]
		if len(out) == 0 || !u.from.Before(out[len(out)-1].to) {
			out = append(out, u)
			continue
		}
		before := &out[len(out)-1]
		switch {
		case before.alone && !u.alone: // somebody came back while it still ran
			rest := stretch{from: u.to, to: before.to, alone: true}
			before.to = u.from
			out = append(out, u)
			if rest.to.After(rest.from) {
				uses = insert(uses, rest)
			}
		case u.alone && !before.alone:
			u.from = before.to
			if u.to.After(u.from) {
				uses = insert(uses, u)
			}
		case u.to.After(before.to):
			before.to = u.to
		}
	}
	return out
}

func insert(uses []stretch, u stretch) []stretch {
	at, _ := slices.BinarySearchFunc(uses, u, func(a, b stretch) int { return a.from.Compare(b.from) })
	return slices.Insert(uses, at, u)
}
