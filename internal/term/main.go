package main

import (
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// patience is what a cold return is priced at, as time of a running
// environment.
const patience = 30 * time.Minute

func main() {
	seed := flag.Uint64("seed", 1, "the first seed")
	n := flag.Int("terms", 5, "how many terms, each with its own seed")
	flag.Parse()
	over := day(weeks, 2)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "POLICY\tHOURS\tCOLD\tEARLY\tWARNED\tRATIO\tCOLD/30")
	sums := map[string]outcome{}
	for i := range *n {
		for _, p := range policies {
			tr := newTerm(*seed + uint64(i))
			o := p.run(tr, over)
			s := sums[p.name]
			s.alive += o.alive
			s.cold += o.cold
			s.early += o.early
			s.warned += o.warned
			sums[p.name] = s
		}
	}
	best := cost(sums["optimum"])
	for _, p := range policies {
		o := sums[p.name]
		k := float64(*n * students)
		_, _ = fmt.Fprintf(t, "%s\t%.1f\t%.2f\t%d\t%.1f\t%.3f\t%.3f\n", p.name, o.alive.Hours()/k, float64(o.cold)/k, o.early, float64(o.warned)/k, cost(o)/best, float64(o.cold)/float64(sums["idle 30m"].cold))
	}
	_ = t.Flush()
}

func cost(o outcome) float64 { return o.alive.Hours() + float64(o.cold)*patience.Hours() }

type policy struct {
	name string
	run  func(term, time.Time) outcome
}

var policies = []policy{
	{"never delete", each(never)}, {"nightly", each(nightly)}, {"lifetime 8h", each(lifetime(8 * time.Hour))},
	{"culler 1h", each(culler)}, {"idle 15m", each(idle(15 * time.Minute))}, {"idle 30m", each(idle(30 * time.Minute))},
	{"idle 60m", each(idle(time.Hour))}, {"idle 120m", each(idle(2*time.Hour))},
	{"daskbot fixed 30m", func(t term, over time.Time) outcome { p := base; p.Idle = 30 * time.Minute; return judged(t, p, over) }},
	{"daskbot", func(t term, over time.Time) outcome { p := base; p.Adaptive = true; return judged(t, p, over) }},
	{"optimum", each(optimum(patience))},
}

var base = environment.Policy{TTL: 12 * time.Hour, MaxTTL: 24 * time.Hour, Idle: 45 * time.Minute, Unused: 2 * time.Hour, MaxBusy: 12 * time.Hour,
	Warnings: []time.Duration{30 * time.Minute, 10 * time.Minute}, IdleMin: 15 * time.Minute, IdleMax: 90 * time.Minute}

func each(r rule) func(term, time.Time) outcome {
	return func(t term, over time.Time) outcome {
		var all outcome
		for _, uses := range t {
			o := play(uses, r, over)
			all.alive += o.alive
			all.cold += o.cold
			all.early += o.early
		}
		return all
	}
}
