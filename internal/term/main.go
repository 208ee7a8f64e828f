package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// patience is what a cold return is priced at, as time of a running
// environment.
const patience = 30 * time.Minute

func main() {
	// Rules were tried on seeds 1 and 2; what is reported is from others.
	seed := flag.Uint64("seed", 101, "the seed of the first term; each further one takes the next")
	terms := flag.Int("terms", 5, "how many terms")
	many := flag.Int("judge", 0, "judge so many environments instead, once")
	asJSON := flag.Bool("json", false, "print numbers for programs")
	flag.Parse()
	if err := run(os.Stdout, *seed, *terms, *many, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "term:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, seed uint64, terms, many int, asJSON bool) error {
	if many > 0 {
		return json.NewEncoder(w).Encode(judgeMany(many))
	}
	sums := map[string]outcome{}
	for i := range terms {
		t := newTerm(seed + uint64(i)) //nolint:gosec // a count of terms is not negative
		for _, p := range policies {
			sums[p.name] = sums[p.name].plus(p.run(t, day(weeks, 2)))
		}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(metrics(sums, terms))
	}
	return table(w, sums, terms)
}

// metrics are daskbot's numbers beside the others'.
func metrics(sums map[string]outcome, terms int) map[string]float64 {
	bot, alone := sums[daskbot], sums[unscheduled]
	n := float64(terms * students)
	return map[string]float64{
		"term.early_kills": float64(bot.early + alone.early), "term.cold_returns_per_student": float64(bot.cold) / n,
		"term.cost_ratio_to_optimum":      bot.cost() / sums["optimum"].cost(),
		"term.cost_ratio_to_never_delete": bot.cost() / sums["never delete"].cost(),
		"term.cold_returns_to_idle_30m":   float64(bot.cold) / float64(sums["idle 30m"].cold),
		"term.cost_ratio_unscheduled":     alone.cost() / sums["optimum"].cost(),
		"term.cold_ratio_unscheduled":     float64(alone.cold) / float64(sums["idle 30m"].cold),
		"term.warnings_per_student":       float64(bot.warned) / n,
	}
}

func table(w io.Writer, sums map[string]outcome, terms int) error {
	hourly := price()
	n := float64(terms * students)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "POLICY\tUSD A STUDENT\tCOLD RETURNS\tWARNINGS\tEARLY KILLS IN ALL\tCOST TO OPTIMUM\tCOLD TO 30M")
	for _, p := range policies {
		o := sums[p.name]
		_, _ = fmt.Fprintf(t, "%s\t%.2f\t%.1f\t%.1f\t%d\t%.3f\t%.2f\n", p.name, o.alive.Hours()*hourly/n, float64(o.cold)/n,
			float64(o.warned)/n, o.early, o.cost()/sums["optimum"].cost(), float64(o.cold)/float64(sums["idle 30m"].cold))
	}
	return t.Flush()
}

// price is that of the daskhub profile's cluster for an hour, with one node.
func price() float64 {
	e := environment.Environment{ClusterID: "c", CreatedAt: start}
	c := environment.Cluster{AskedAt: start, Nodes: 1, Shape: environment.ClusterShape{MachineType: "n1-standard-4", Nodes: 1, DiskGB: 50}}
	return environment.CostOf(environment.ListPrices(), e, c, 1, environment.Use{}, start).USDPerHour
}
