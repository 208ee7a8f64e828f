package environment

import "time"

// Prices is a dated list-price table in US dollars.
type Prices struct {
	AsOf           string             `json:"asOf"`           // date, e.g. 2026-07-30
	Management     float64            `json:"management"`     // per cluster and hour
	ForwardingRule float64            `json:"forwardingRule"` // per hour
	Address        float64            `json:"address"`        // per node with a public address and hour
	DiskGBMonth    float64            `json:"diskGbMonth"`
	Machines       map[string]float64 `json:"machines"` // per hour, on demand
	Spot           map[string]float64 `json:"spot"`
}

// Cost is an estimate from list prices, never a bill.
type Cost struct {
	USDPerHour float64
	USDTotal   float64
	PricesAsOf string
}

// ListPrices are the defaults: us-central1 list prices of 2026-07-30, which
// are within a tenth of europe-west1's.
func ListPrices() Prices {
	return Prices{
		AsOf: "2026-07-30", Management: 0.10, ForwardingRule: 0.025, Address: 0.005, DiskGBMonth: 0.04,
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

// CostOf estimates what an environment costs now and has cost so far. On a
// shared cluster it is an equal share among tenants. It does not know how the
// number of nodes varied: it takes today's for the whole life.
func CostOf(p Prices, e Environment, c Cluster, tenants int, now time.Time) Cost {
	if c.Given != "" || e.ClusterID == "" || c.AskedAt.IsZero() {
		return Cost{PricesAsOf: p.AsOf}
	}
	nodes := max(c.Nodes, c.Shape.Nodes)
	perNode := p.machine(c.Shape) + p.Address + float64(c.Shape.DiskGB)*p.DiskGBMonth/hoursPerMonth
	hourly := (p.Management+float64(nodes)*perNode)/float64(max(tenants, 1)) + p.ForwardingRule
	end := now
	if !e.DeletedAt.IsZero() {
		end = e.DeletedAt
	}
	total := hourly * max(end.Sub(e.CreatedAt).Hours(), 0)
	if e.State.Terminal() {
		hourly = 0
	}
	return Cost{USDPerHour: hourly, USDTotal: total, PricesAsOf: p.AsOf}
}
