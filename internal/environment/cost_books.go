package environment

import (
	"maps"
	"strings"
	"time"
)

// perDay splits an hourly price from one time to another at midnight UTC.
func perDay(from, to time.Time, usdPerHour float64, add func(day string, usd float64)) {
	for from.Before(to) {
		end := earliest(to, dayOf(from).Add(24*time.Hour))
		add(from.UTC().Format(time.DateOnly), end.Sub(from).Hours()*usdPerHour)
		from = end
	}
}

// days are the booked ones, and what has run since at the given rate.
func (u Use) days(e Environment, usdPerHour float64, now time.Time) map[string]float64 {
	all := maps.Clone(u.Spent)
	if all == nil {
		all = map[string]float64{}
	}
	perDay(latest(e.CreatedAt, u.SpentUntil), e.stopped(now), usdPerHour, func(day string, usd float64) { all[day] += usd })
	return all
}

// total is what it has cost so far.
func (u Use) total(e Environment, usdPerHour float64, now time.Time) float64 {
	sum := 0.0
	for _, usd := range u.days(e, usdPerHour, now) {
		sum += usd
	}
	return sum
}

// stopped is when the environment stopped costing anything; now while it has
// not.
func (e Environment) stopped(now time.Time) time.Time {
	switch {
	case !e.DeletedAt.IsZero():
		return e.DeletedAt
	case e.Phase == PhaseGone: // failed, and nothing is left of it
		return e.PhaseSince
	default:
		return now
	}
}

// hourly is what an hour costs a tenant of a cluster: an equal share of its
// nodes, its management fee and the disks of its volumes, and an address. fee
// is the part that the provider's free tier may take off: that of zonal
// clusters.
func hourly(p Prices, c Cluster, tenants int, volumes float64) (usd, fee float64) {
	if c.Given != "" || c.AskedAt.IsZero() {
		return 0, 0
	}
	share := 1 / float64(max(tenants, 1))
	if strings.Count(c.Location, "-") == 2 { // a zone, such as us-central1-a
		fee = p.Management * share
	}
	return (p.Management+float64(max(c.Nodes, c.Shape.Nodes))*p.node(c.Shape)+volumes)*share + p.ForwardingRule, fee
}
