package main

import (
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func (o outcome) plus(b outcome) outcome {
	return outcome{o.alive + b.alive, o.cold + b.cold, o.early + b.early, o.warned + b.warned}
}

// cost is dollars and patience in one, in hours of a running environment.
func (o outcome) cost() float64 { return o.alive.Hours() + float64(o.cold)*patience.Hours() }

// policy is one way of ending environments.
type policy struct {
	name string
	run  func(t term, over time.Time) outcome
}

// The two ways daskbot is played: as a course runs it, with its labs on the
// schedule, and without.
const (
	daskbot     = "daskbot"
	unscheduled = "daskbot, no schedule"
)

var policies = []policy{
	{"never delete", each(never)},
	{"nightly at 3", each(nightly)},
	{"fixed lifetime 8h", each(lifetime(8 * time.Hour))},
	{"JupyterHub's culler, 1h", each(culler)},
	{"idle 60m", each(idle(time.Hour))},
	{"idle 30m", each(idle(30 * time.Minute))},
	{"idle 15m", each(idle(15 * time.Minute))},
	{unscheduled, func(t term, over time.Time) outcome { return judged(t, limits, 0, over) }},
	{daskbot, func(t term, over time.Time) outcome { return judged(t, limits, 10*time.Minute, over) }},
	{"hindsight by the half hour", hindsight},
	{"optimum", each(optimum(patience))},
}

// limits are the policy of the course.
var limits = environment.Policy{
	TTL: 12 * time.Hour, MaxTTL: 24 * time.Hour, MaxBusy: 12 * time.Hour, Unused: time.Hour,
	Idle: 30 * time.Minute, Adaptive: true, IdleMin: 12 * time.Minute, IdleMax: 90 * time.Minute,
	Warnings: []time.Duration{30 * time.Minute, 10 * time.Minute},
}

// each plays every student's term by itself.
func each(r rule) func(term, time.Time) outcome {
	return func(t term, over time.Time) outcome {
		var all outcome
		for _, uses := range t {
			all = all.plus(play(uses, r, over))
		}
		return all
	}
}
