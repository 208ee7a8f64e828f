package environment

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// CostBy is what costs are added up by.
type CostBy string

// The ways to add up.
const (
	CostByOwner   CostBy = "owner"
	CostByDay     CostBy = "day"
	CostByProfile CostBy = "profile"
	CostByCourse  CostBy = "course"
)

// CostQuery selects what is added up: whole UTC days from From to before To.
// Zero times stand for this calendar month; an empty course for all.
type CostQuery struct {
	Course   string
	By       CostBy
	From, To time.Time
}

// CostReport is an estimate from list prices, never a bill.
type CostReport struct {
	By       CostBy
	From, To time.Time
	Items    []CostItem // dearest first; days in their order
	USD      float64
	// SavedUSD is what the environments that ended by themselves would have
	// cost on top, left on until their owner's next one or until now.
	SavedUSD float64
	// CreditUSD is what the provider's free tier takes off the management fees.
	// It belongs to the billing account, so it is in no item, and known only
	// for everything at once.
	CreditUSD  float64
	PricesAsOf string
}

// CostItem is one line of a report.
type CostItem struct {
	Key          string
	Environments int
	USD          float64
	SavedUSD     float64
}

// Costs adds up what environments that the caller may see have cost: what was
// booked while they ran, and what has run since it was booked. Volumes that
// outlive a cluster and shared clusters without tenants are nobody's, and in
// no report. CodeInvalid names the field.
func (s *Service) Costs(ctx context.Context, who Caller, q CostQuery) (CostReport, error) {
	now := s.clock()
	if err := q.complete(now); err != nil {
		return CostReport{}, err
	}
	sum := newCosting(q, now)
	err := s.ledger(ctx, Filter{Course: q.Course}, func(f Filter) ([]Environment, string, error) { return s.List(ctx, who, f) }, sum.add)
	if err != nil {
		return CostReport{}, err
	}
	report := sum.report(s.listed())
	if who.Role != RoleAdmin || q.Course != "" {
		report.CreditUSD = 0
	}
	return report, nil
}

func (q *CostQuery) complete(now time.Time) error {
	q.By = first(q.By, CostByOwner)
	if ways := []CostBy{CostByOwner, CostByDay, CostByProfile, CostByCourse}; !slices.Contains(ways, q.By) {
		return Invalid("by", "Costs can be added up by owner, day, profile or course, for example \"owner\".")
	}
	if q.To.IsZero() {
		q.To = dayOf(now).AddDate(0, 0, 1)
	}
	if q.From.IsZero() {
		q.From = monthOf(q.To.AddDate(0, 0, -1)) // To is the day after the last
	}
	q.From, q.To = dayOf(q.From), dayOf(q.To)
	if !q.From.Before(q.To) || q.To.Sub(q.From) > longestReport {
		return Invalid("from", "From must be before to, and at most a year, for example from 2026-11-01 to 2026-12-01.")
	}
	return nil
}

const longestReport = 366 * 24 * time.Hour

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// entry is what one environment cost, day by day.
type entry struct {
	e    Environment
	days map[string]float64
	rate float64 // an hour, now or when last booked
	fee  float64 // of it, what the free tier may take off
	end  time.Time
}

// ledger visits what every listed environment cost, newest first.
func (s *Service) ledger(ctx context.Context, f Filter, list func(Filter) ([]Environment, string, error), visit func(entry)) error {
	f.Limit = 200
	rates := rates{s: s, shares: map[string]occupancy{}}
	now := s.clock()
	for {
		items, next, err := list(f)
		if err != nil {
			return err
		}
		uses, err := s.store.Uses(ctx, idsOf(items))
		if err != nil {
			return err
		}
		for _, e := range items {
			u := uses[e.ID]
			rate, fee, err := rates.of(ctx, e, u)
			if err != nil {
				return err
			}
			visit(entry{e: e, days: u.days(e, rate, now), rate: rate, fee: fee, end: e.stopped(now)})
		}
		if next == "" {
			return nil
		}
		f.Cursor = next
	}
}

// rates prices environments, and asks the store for each cluster once.
type rates struct {
	s      *Service
	shares map[string]occupancy
}

type occupancy struct {
	cluster Cluster
	tenants int
}

// of is what an hour of the environment costs, and the management fee in it.
// For one that has ended it is what was booked last: its cluster has changed.
func (r rates) of(ctx context.Context, e Environment, u Use) (usd, fee float64, err error) {
	if u.Rate > 0 && !e.State.Live() {
		return u.Rate, u.Fee, nil
	}
	if e.ClusterID == "" {
		return 0, 0, nil
	}
	at, ok := r.shares[e.ClusterID]
	if !ok {
		if at.cluster, at.tenants, err = r.s.standing(ctx, e); err != nil {
			return 0, 0, err
		}
		r.shares[e.ClusterID] = at
	}
	usd, fee = hourly(r.s.listed(), at.cluster, at.tenants, r.s.volumesOf(ctx, at.cluster))
	return usd, fee, nil
}

// costing adds entries up.
type costing struct {
	q     CostQuery
	now   time.Time
	items map[string]*CostItem
	fees  map[string]float64 // by month
	later map[string]time.Time
}

func newCosting(q CostQuery, now time.Time) *costing {
	return &costing{q: q, now: now, items: map[string]*CostItem{}, fees: map[string]float64{}, later: map[string]time.Time{}}
}

func (c *costing) within(day string) bool {
	return day >= c.q.From.Format(time.DateOnly) && day < c.q.To.Format(time.DateOnly)
}

func (c *costing) item(e Environment, day string) *CostItem {
	key := map[CostBy]string{CostByOwner: e.Owner, CostByDay: day, CostByProfile: e.Profile, CostByCourse: e.Course}[c.q.By]
	if c.items[key] == nil {
		c.items[key] = &CostItem{Key: key}
	}
	return c.items[key]
}

// add takes entries newest first: the one before is the owner's next.
func (c *costing) add(n entry) {
	touched := map[*CostItem]bool{}
	for day, usd := range n.days {
		if !c.within(day) || usd == 0 {
			continue
		}
		item := c.item(n.e, day)
		item.USD += usd
		if !touched[item] {
			touched[item] = true
			item.Environments++
		}
		if n.rate > 0 {
			c.fees[day[:len("2026-11")]] += usd * n.fee / n.rate
		}
	}
	kin := strings.Join([]string{n.e.Owner, n.e.Course, n.e.Profile}, "\n")
	if n.e.EndedBecause != "" && n.end.Before(c.now) {
		perDay(n.end, first(c.later[kin], c.now), n.rate, func(day string, usd float64) {
			if c.within(day) {
				c.item(n.e, day).SavedUSD += usd
			}
		})
	}
	c.later[kin] = n.e.CreatedAt
}

func (c *costing) report(p Prices) CostReport {
	out := CostReport{By: c.q.By, From: c.q.From, To: c.q.To, PricesAsOf: p.AsOf, Items: []CostItem{}}
	for _, item := range c.items {
		out.Items = append(out.Items, *item)
		out.USD += item.USD
		out.SavedUSD += item.SavedUSD
	}
	slices.SortFunc(out.Items, func(a, b CostItem) int {
		if c.q.By == CostByDay {
			return strings.Compare(a.Key, b.Key)
		}
		return cmp.Or(cmp.Compare(b.USD, a.USD), strings.Compare(a.Key, b.Key))
	})
	for usd := range maps.Values(c.fees) {
		out.CreditUSD += min(usd, p.FreeTierMonth)
	}
	return out
}
