package environment

import (
	"fmt"
	"time"
)

// coldReturn is what it costs when somebody comes back and must wait for a
// new environment, as time of a running one. It is the exchange rate between
// a person's patience and money, and the only one there is.
const coldReturn = 30 * time.Minute

// A week is cut into slots by the clock of the course, and what is remembered of a slot is how many
// people came back after how long. Beyond the last bin nobody came back.
const (
	slot     = 30 * time.Minute
	slots    = int(7 * 24 * time.Hour / slot)
	slotsDay = int(24 * time.Hour / slot)
	bin      = 3 * time.Minute
	bins     = 40
)

// Beyond is how long somebody must be away to count as not coming back.
const Beyond = bins * bin

// Habits are what was seen of when people of a course stop and how soon they
// come back. They are counts, kept by time of the week, and so never grow
// beyond a few thousand numbers.
type Habits struct {
	// Back counts, by slot of the week, returns by how long they took; one more
	// than bins, the last for those who did not come back.
	Back map[int][]float64 `json:"back,omitempty"`
	// Away is who has stopped and is not back, and since when.
	Away map[string]time.Time `json:"away,omitempty"`
	// Came and Expected are the same of environments that a schedule started:
	// how long they were ready before their person came.
	Came     map[int][]float64    `json:"came,omitempty"`
	Expected map[string]time.Time `json:"expected,omitempty"`
	// Settled is when Away was last gone through.
	Settled time.Time `json:"settled,omitzero"`
	// Zone is the clock that the week is told by, the course's; nil is UTC. It
	// is not kept: a course may move.
	Zone *time.Location `json:"-"`
}

// Stopped notes that somebody's use ended at a time. It reports whether that
// was news.
func (h *Habits) Stopped(who string, at time.Time) bool {
	if known, ok := h.Away[who]; ok && at.Sub(known) <= slack {
		return false
	}
	h.Returned(who, at) // too short a return to be seen
	if h.Away == nil {
		h.Away = map[string]time.Time{}
	}
	h.Away[who] = at
	return true
}

// Returned notes that somebody is there again, whether or not their
// environment still was. It reports whether that was news.
func (h *Habits) Returned(who string, at time.Time) bool {
	stopped, ok := h.Away[who]
	if !ok || !at.After(stopped) {
		return false
	}
	delete(h.Away, who)
	h.count(&h.Back, stopped, at.Sub(stopped))
	return true
}

// expect notes that a schedule had something ready for somebody.
func (h *Habits) expect(who string, ready time.Time) {
	if h.Expected == nil {
		h.Expected = map[string]time.Time{}
	}
	h.Expected[who] = ready
}

// came notes when somebody came for whom a schedule had something ready. It
// reports whether that was news.
func (h *Habits) came(who string, at time.Time) bool {
	ready, ok := h.Expected[who]
	if !ok || at.Before(ready) {
		return false
	}
	delete(h.Expected, who)
	h.count(&h.Came, ready, at.Sub(ready))
	return true
}

// Settle counts those who have been away for too long as not coming back.
func (h *Habits) Settle(now time.Time) bool {
	if now.Sub(h.Settled) < lookEvery {
		return false
	}
	h.Settled = now
	back := h.close(h.Away, &h.Back, now)
	came := h.close(h.Expected, &h.Came, now)
	return back || came
}

// close counts who has been waited for too long. It reports whether anybody has.
func (h *Habits) close(open map[string]time.Time, counts *map[int][]float64, now time.Time) bool {
	news := false
	for who, since := range open {
		if now.Sub(since) >= Beyond {
			delete(open, who)
			h.count(counts, since, Beyond)
			news = true
		}
	}
	return news
}

// fade is how much less an observation counts with each newer one of its
// slot: a class of thirty is forgotten in a month, as courses change.
const fade = 0.99

func (h *Habits) count(in *map[int][]float64, since time.Time, took time.Duration) {
	if *in == nil {
		*in = map[int][]float64{}
	}
	at := h.slotOf(since)
	counts := (*in)[at]
	if len(counts) != bins+1 {
		counts = make([]float64, bins+1)
		(*in)[at] = counts
	}
	for i := range counts {
		counts[i] *= fade
	}
	counts[min(int(took/bin), bins)]++
}

// slotOf is the slot of the week, from Sunday, on the clock of the course: a
// lab at ten is at ten in summer and in winter.
func (h *Habits) slotOf(t time.Time) int {
	if t = t.UTC(); h.Zone != nil {
		t = t.In(h.Zone)
	}
	return (int(t.Weekday())*24*60 + t.Hour()*60 + t.Minute()) / int(slot/time.Minute)
}

// How much an observation says about a time: fully in the same slot of the
// week, less beside it, and little at the same time of another day. The last
// matters only while nothing better is known.
const (
	weightSlot   = 1.0
	weightBeside = 0.25
	weightDay    = 0.2
	weightAny    = 0.005
)

// enough is how many observations, by their weight, are something to go by.
const enough = 5.0

// near adds up what was counted around a time of the week.
func (h *Habits) near(counted map[int][]float64, at time.Time) []float64 {
	here := h.slotOf(at)
	sum := make([]float64, bins+1)
	for s, counts := range counted {
		weight := weightAny
		switch away := (s - here + slots) % slots; {
		case away == 0:
			weight = weightSlot
		case away == 1, away == slots-1:
			weight = weightBeside
		case away%slotsDay == 0:
			weight = weightDay
		}
		for i, n := range counts {
			sum[i] += weight * n
		}
	}
	return sum
}

// IdleLimit is how long an environment that was last used at a time is kept,
// and why. Whoever keeps it longer pays for it; whoever does not makes those
// wait who come back later. It is the limit between Policy.IdleMin and IdleMax
// at which the two together would have cost least for those who stopped at
// that time of the week before; Policy.Idle while too little is known. It is
// pure.
func IdleLimit(p Policy, h Habits, at time.Time) (limit time.Duration, why string) {
	limit, within, percent := cheapest(h.near(h.Back, at), p.IdleMin, p.IdleMax)
	if limit == 0 {
		return p.Idle, "too little is known yet about when people come back at this time"
	}
	return limit, fmt.Sprintf("of those who stopped at this time before, %.0f %% came back within %s", percent, FormatDuration(within))
}

// unusedLimit is the same for what a schedule had ready at a time and nobody
// has used yet, by how late people came before: between Policy.Idle and
// Unused, and 0 while too little is known.
func unusedLimit(p Policy, h Habits, ready time.Time) (limit time.Duration, why string) {
	limit, within, percent := cheapest(h.near(h.Came, ready), p.Idle, max(p.Unused, p.Idle))
	if limit == 0 {
		return 0, ""
	}
	return limit, fmt.Sprintf("when one was ready at this time before, %.0f %% came within %s", percent, FormatDuration(within))
}

// cheapest is the limit between least and most that would have cost least, and
// how many percent were there within a time that says something about it; 0
// while too little was seen.
func cheapest(seen []float64, least, most time.Duration) (limit, within time.Duration, percent float64) {
	total := 0.0
	for _, n := range seen {
		total += n
	}
	if total < enough {
		return 0, 0, 0
	}
	best := -1.0
	for t := least; t <= most; t += bin {
		if c := expected(seen, t); best < 0 || c < best-1e-9 {
			best, limit = c, t
		}
	}
	within = max(limit, 40*time.Minute)
	return limit, within, 100 * share(seen, within) / total
}

// expected is what a limit would have cost, as time of a running environment.
func expected(seen []float64, limit time.Duration) float64 {
	cost := 0.0
	for i, n := range seen {
		back := time.Duration(i)*bin + bin/2
		if back >= limit || i == bins {
			back = limit + coldReturn
		}
		cost += n * back.Minutes()
	}
	return cost
}

// share counts those who came back within a time.
func share(seen []float64, within time.Duration) float64 {
	n := 0.0
	for i := range min(int(within/bin), bins) {
		n += seen[i]
	}
	return n
}

// Observe learns from one look, the first at an environment or a later one:
// who stopped, and who came back. It reports whether there was news.
func (h *Habits) Observe(e Environment, first bool, u Use) bool {
	news := h.Settle(u.Activity.At)
	if first {
		news = h.begun(e) || news
	}
	if u.Ever {
		news = h.came(e.Owner, latest(u.Activity.Last(), e.ReadyAt)) || news
	}
	switch v := u.Verdict; {
	case v.Is == VerdictActive:
		news = h.Returned(e.Owner, v.Since) || news
	case v.Is == VerdictIdle && u.Ever && u.Activity.At.Sub(v.Since) < Beyond:
		news = h.Stopped(e.Owner, v.Since) || news
	}
	return news
}

// begun learns from an environment that was just made.
func (h *Habits) begun(e Environment) bool {
	if e.Scheduled() {
		h.expect(e.Owner, e.ReadyAt)
		return true
	}
	came := h.came(e.Owner, e.CreatedAt) // a person asked for it
	return h.Returned(e.Owner, e.CreatedAt) || came
}

// Bound sets the idle limit for as long as an environment stays idle, where
// its policy lets it be learnt. It does not change within a stretch of
// idleness, so that what was announced stays true.
func (u *Use) Bound(p Policy, e Environment, h Habits) {
	switch {
	case !p.Adaptive || u.Verdict.Is == VerdictActive:
		u.Limit, u.LimitWhy = 0, ""
	case !u.Ever:
		if e.Scheduled() && u.Verdict.Is == VerdictIdle && u.Limit == 0 {
			u.Limit, u.LimitWhy = unusedLimit(p, h, u.Verdict.Since)
		}
	case u.Verdict.Is == VerdictIdle && u.Limit == 0:
		u.Limit, u.LimitWhy = IdleLimit(p, h, u.Verdict.Since)
	}
}
