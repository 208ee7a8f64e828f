package environment

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var cents = cmpopts.EquateApprox(0, 1e-9)

// day0 is a Monday; the month began 22 days before.
var day0 = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func TestCostingAddsUpAndSaysWhatWasSaved(t *testing.T) {
	now := day0.Add(36 * time.Hour) // Tuesday noon
	entries := []entry{             // newest first
		{e: Environment{Owner: "bob", Profile: "dask", Course: "de", CreatedAt: day0.Add(30 * time.Hour)},
			days: map[string]float64{"2026-11-24": 3}, rate: 0.5, fee: 0.1, end: now},
		{e: Environment{Owner: "alice", Profile: "daskhub", CreatedAt: day0.Add(28 * time.Hour), EndedBecause: EndIdle},
			days: map[string]float64{"2026-11-24": 1}, rate: 0.25, fee: 0.1, end: day0.Add(32 * time.Hour)},
		// Ended at ten by itself; left on it would have run until the next, four
		// hours into Tuesday.
		{e: Environment{Owner: "alice", Profile: "daskhub", CreatedAt: day0.Add(6 * time.Hour), EndedBecause: EndUnused},
			days: map[string]float64{"2026-11-22": 9, "2026-11-23": 1}, rate: 0.25, end: day0.Add(10 * time.Hour)},
		// A person ended it: nothing was saved.
		{e: Environment{Owner: "bob", Profile: "daskhub", CreatedAt: day0}, days: map[string]float64{"2026-11-23": 2}, rate: 1, end: day0.Add(2 * time.Hour)},
	}
	for by, want := range map[CostBy][]CostItem{
		CostByOwner:   {{"bob", 2, 5, 0}, {"alice", 2, 2, 4*0.25 + 18*0.25}},
		CostByDay:     {{"2026-11-23", 2, 3, 14 * 0.25}, {"2026-11-24", 2, 4, 8 * 0.25}},
		CostByProfile: {{"daskhub", 3, 4, 5.5}, {"dask", 1, 3, 0}},
		CostByCourse:  {{"", 3, 4, 5.5}, {"de", 1, 3, 0}},
	} {
		q := CostQuery{By: by, From: day0}
		if err := q.complete(now); err != nil {
			t.Fatal(err)
		}
		sum := newCosting(q, now)
		for _, n := range entries {
			sum.add(n)
		}
		got := sum.report(Prices{AsOf: "2026-07-30", FreeTierMonth: 0.7})
		if diff := cmp.Diff(want, got.Items, cents); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", by, diff)
		}
		// Fees: 3*0.1/0.5 + 1*0.1/0.25 = 1, more than the credit.
		if math.Abs(got.USD-7) > 1e-9 || math.Abs(got.SavedUSD-5.5) > 1e-9 || got.CreditUSD != 0.7 {
			t.Errorf("by %s: got %v, %v saved, %v credit; want 7, 5.5, 0.7", by, got.USD, got.SavedUSD, got.CreditUSD)
		}
	}
}

func TestCostQuery(t *testing.T) {
	now := day0.Add(13 * time.Hour)
	month := CostQuery{}
	if err := month.complete(now); err != nil || month.By != CostByOwner || !month.From.Equal(day0.AddDate(0, 0, -22)) || !month.To.Equal(day0.AddDate(0, 0, 1)) {
		t.Errorf("got %+v, %v; want this month by owner", month, err)
	}
	november := CostQuery{To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	if err := november.complete(now); err != nil || november.From.Format(time.DateOnly) != "2026-11-01" {
		t.Errorf("until the end of November: got %+v, %v; want all of it", november, err)
	}
	for name, q := range map[string]CostQuery{
		"by": {By: "planet"}, "backwards": {From: day0, To: day0.AddDate(0, 0, -1)}, "too long": {From: day0.AddDate(-2, 0, 0)},
	} {
		if err := q.complete(now); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v; want invalid", name, err)
		}
	}
}

func TestCostOf(t *testing.T) {
	p := Prices{AsOf: "2026-07-30", Management: 0.1, ForwardingRule: 0.02, Machines: map[string]float64{"m": 0.5}}
	c := Cluster{AskedAt: day0, Location: "us-central1-a", Shape: ClusterShape{MachineType: "m", Nodes: 2}, Nodes: 4}
	e := Environment{ClusterID: "c", State: StateReady, Phase: PhaseReady, CreatedAt: day0}
	at := day0.Add(10 * time.Hour)
	booked := Use{Spent: map[string]float64{"2026-11-23": 3}, SpentUntil: day0.Add(9 * time.Hour), Rate: 1}
	gone, failed := e, e
	gone.State, gone.Phase, gone.DeletedAt = StateDeleted, PhaseGone, day0.Add(9*time.Hour+30*time.Minute)
	failed.State, failed.Phase, failed.PhaseSince = StateFailed, PhaseGone, day0.Add(time.Hour)
	for name, x := range map[string]struct {
		e       Environment
		u       Use
		tenants int
		want    Cost
	}{
		"never booked":              {e, Use{}, 1, Cost{USDPerHour: 2.12, USDTotal: 21.2, fee: 0.1}},
		"booked with fewer nodes":   {e, booked, 1, Cost{USDPerHour: 2.12, USDTotal: 3 + 2.12, fee: 0.1}},
		"shared":                    {e, booked, 4, Cost{USDPerHour: 0.545, USDTotal: 3.545, fee: 0.025}},
		"gone: at the last price":   {gone, booked, 1, Cost{USDTotal: 3.5, fee: 0.1}},
		"failed: until it was gone": {failed, Use{}, 1, Cost{USDTotal: 2.12, fee: 0.1}},
	} {
		x.want.PricesAsOf = p.AsOf
		if diff := cmp.Diff(x.want, CostOf(p, x.e, c, x.tenants, x.u, at), cents, cmp.AllowUnexported(Cost{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNodesArePricedWithTheDiskTheyBootFrom(t *testing.T) {
	p := Prices{DiskGBMonth: hoursPerMonth, BalancedGBMonth: 3 * hoursPerMonth, Machines: map[string]float64{"m": 0.5}}
	for kind, want := range map[string]float64{"": 2, "pd-standard": 2, "pd-balanced": 6, "pd-ssd": 8.5, "hyperdisk-balanced": 8.5} {
		shape := ClusterShape{MachineType: "m", Nodes: 1, DiskGB: 2, DiskType: kind}
		alone, _ := hourly(p, Cluster{AskedAt: day0, Shape: shape}, 1, 0)
		if math.Abs(alone-0.5-want) > 1e-9 || math.Abs(p.ofCluster(OwnedCluster{Shape: shape})-0.5-want) > 1e-9 {
			t.Errorf("%q: got %v and %v; want a disk of %v", kind, alone, p.ofCluster(OwnedCluster{Shape: shape}), want)
		}
	}
}

func TestLimits(t *testing.T) {
	terms := TermsOf(Policy{Idle: 45 * time.Minute}, Policy{MaxPerOwner: 2, Warnings: []time.Duration{30 * time.Minute, 10 * time.Minute}},
		Policy{Idle: time.Hour, OwnerBudget: 20, Adaptive: true})
	want := []Limit{{"idle", "45m", "profile"}, {"maxPerOwner", "2", "course"}, {"warnings", "30m, 10m", "course"},
		{"adaptive", "true", "default"}, {"ownerBudget", "20", "default"}}
	if diff := cmp.Diff(want, terms.Limits()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
