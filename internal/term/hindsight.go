package main

import "time"

// hour is a half hour of the week, which is how finely the rule learns.
type hour int

func hourOf(t time.Time) hour { return hour(t.Sub(start) % (7 * 24 * time.Hour) / (30 * time.Minute)) }

// hindsight is the best that could come of a limit that depends on the time of
// the week alone: for each half hour the one between the course's least and
// most that would have cost least for those who stopped then, chosen with the
// whole term in hand. It is exact, looks at nothing and tells nobody.
func hindsight(t term, over time.Time) outcome {
	gaps := map[hour][]time.Duration{}
	for _, uses := range t {
		for i := 1; i < len(uses); i++ {
			if gap := uses[i].from.Sub(uses[i-1].to); gap > 0 && !uses[i].alone {
				at := hourOf(uses[i-1].to)
				gaps[at] = append(gaps[at], gap)
			}
		}
	}
	best := map[hour]time.Duration{}
	for at, seen := range gaps {
		best[at] = cheapest(seen)
	}
	limit := func(last time.Time) time.Duration { return max(best[hourOf(last)], limits.IdleMin) }
	return each(quiet(limit, false))(t, over)
}

// cheapest is the limit that costs least for people who came back after some
// gaps.
func cheapest(gaps []time.Duration) (best time.Duration) {
	least := time.Duration(-1)
	for limit := limits.IdleMin; limit <= limits.IdleMax; limit += time.Minute {
		cost := time.Duration(0)
		for _, gap := range gaps {
			if gap > limit {
				gap = limit + patience
			}
			cost += gap
		}
		if least < 0 || cost < least {
			best, least = limit, cost
		}
	}
	return best
}
