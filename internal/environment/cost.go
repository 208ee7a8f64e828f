package environment

import "time"

// Prices is a dated list-price table in US dollars.
type Prices struct {
	AsOf           string  `json:"asOf"`           // date, e.g. 2026-07-30
	Management     float64 `json:"management"`     // per cluster and hour
	ForwardingRule float64 `json:"forwardingRule"` // per hour
	Address        float64 `json:"address"`        // per node with a public address and hour
	DiskGBMonth    float64 `json:"diskGbMonth"`    // of a pd-standard disk
	// BalancedGBMonth is for pd-balanced disks; 0: derived from DiskGBMonth.
	BalancedGBMonth float64 `json:"balancedGbMonth"`
	// FreeTierMonth is how much of the management fees of zonal clusters the
	// provider gives each billing account back a month.
	FreeTierMonth float64            `json:"freeTierMonth"`
	Machines      map[string]float64 `json:"machines"` // per hour, on demand
	Spot          map[string]float64 `json:"spot"`
}

// Cost is an estimate from list prices, never a bill.
type Cost struct {
	USDPerHour float64
	USDTotal   float64
	PricesAsOf string
	fee        float64 // of USDPerHour, what the free tier may take off
}

// ListPrices are the defaults: us-central1 list prices of 2026-07-30, which
// are within a tenth of europe-west1's.
func ListPrices() Prices {
	return Prices{
		AsOf: "2026-07-30", Management: 0.10, ForwardingRule: 0.025, Address: 0.005, DiskGBMonth: 0.04, BalancedGBMonth: 0.10, FreeTierMonth: 74.40,
		Machines: map[string]float64{
			"e2-medium": 0.03351, "e2-standard-2": 0.06701, "e2-standard-4": 0.13402, "e2-highmem-2": 0.09040,
			"n1-standard-1": 0.04750, "n1-standard-2": 0.09500, "n1-standard-4": 0.19000,
			"n2-standard-2": 0.09712, "n2-standard-4": 0.19424, "n2d-standard-4": 0.16898,
		},
		Spot: map[string]float64{
			"e2-medium": 0.02011, "e2-standard-2": 0.04021, "e2-standard-4": 0.08042, "e2-highmem-2": 0.05424,
			"n1-standard-1": 0.01675, "n1-standard-2": 0.03351, "n1-standard-4": 0.06701,
			"n2-standard-2": 0.04606, "n2-standard-4": 0.09212, "n2d-standard-4": 0.04891,
		},
	}
}

const hoursPerMonth = 730 // how the cloud turns monthly prices into hourly ones

// machine prices one machine for an hour; a type that is not listed costs as
// much as the dearest listed one, so that an estimate errs upwards.
func (p Prices) machine(s ClusterShape) float64 {
	table := p.Machines
	if s.Spot {
		table = p.Spot
	}
	if usd, ok := table[s.MachineType]; ok {
		return usd
	}
	dearest := 0.0
	for _, usd := range table {
		dearest = max(dearest, usd)
	}
	return dearest
}

// CostOf estimates what an environment costs now and has cost so far: what was
// booked at each look, at the number of nodes of then, and what ran since. On
// a shared cluster it is an equal share among tenants.
func CostOf(p Prices, e Environment, c Cluster, tenants int, u Use, now time.Time) Cost {
	return costWith(p, e, c, tenants, 0, u, now)
}

// costWith is CostOf with what the disks of the cluster's volumes cost an hour.
func costWith(p Prices, e Environment, c Cluster, tenants int, volumes float64, u Use, now time.Time) Cost {
	if c.Given != "" || e.ClusterID == "" || c.AskedAt.IsZero() {
		return Cost{PricesAsOf: p.AsOf}
	}
	usd, fee := hourly(p, c, tenants, volumes)
	if e.stopped(now) != now {
		usd = first(u.Rate, usd)
	}
	out := Cost{USDPerHour: usd, USDTotal: u.total(e, usd, now), PricesAsOf: p.AsOf, fee: fee}
	if e.State.Terminal() {
		out.USDPerHour = 0
	}
	return out
}
