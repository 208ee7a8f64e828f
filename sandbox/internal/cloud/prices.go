package cloud

// PricesAsOf is the date of the list prices below.
const PricesAsOf = "2026-07-30"

// Rates that do not depend on the machine, in US dollars an hour.
const (
	hoursPerMonth       = 730
	clusterFee          = 0.10
	nodeAddressRate     = 0.005
	reservedAddressRate = 0.010
	forwardingRuleRate  = 0.025
	snapshotRate        = 0.050 / hoursPerMonth // per GB
)

var diskRate = map[string]float64{ // per GB
	"pd-standard": 0.040 / hoursPerMonth,
	"pd-balanced": 0.100 / hoursPerMonth,
	"pd-ssd":      0.170 / hoursPerMonth,
}

// familyRate is what a core and a GB of memory cost in us-central1.
var familyRate = map[string]struct{ core, memory float64 }{
	"e2":  {0.021812, 0.002924},
	"n1":  {0.031611, 0.004237},
	"n2":  {0.031611, 0.004237},
	"n2d": {0.027502, 0.003686},
}

// regionFactor is the price level of a region against us-central1.
var regionFactor = map[string]float64{
	"us-central1": 1, "us-east1": 1, "us-west1": 1, "us-east4": 1.1263,
	"europe-west1": 1.1001, "europe-west4": 1.1009, "asia-southeast1": 1.2337,
}

// spotFactor is the Spot price against the on-demand price of the same region.
var spotFactor = map[string]map[string]float64{
	"e2":  {"us-east4": 0.5483, "europe-west1": 0.4843, "europe-west4": 0.4780, "asia-southeast1": 0.5221, "": 0.6001},
	"n1":  {"us-east4": 0.2559, "europe-west1": 0.4171, "europe-west4": 0.5809, "asia-southeast1": 0.2003, "": 0.3527},
	"n2":  {"us-east4": 0.2289, "europe-west1": 0.2194, "europe-west4": 0.3640, "asia-southeast1": 0.3895, "": 0.4743},
	"n2d": {"us-east4": 0.5098, "europe-west1": 0.4340, "europe-west4": 0.3500, "asia-southeast1": 0.2052, "": 0.2894},
}

// machineRate is the list price of a machine in US dollars an hour, without
// its disk and address.
func machineRate(m MachineType, region string, spot bool) float64 {
	rate := familyRate[m.Family]
	factor, known := regionFactor[region]
	if !known {
		factor = 1
	}
	price := (m.billedCPU*rate.core + m.MemoryGB()*rate.memory) * factor
	if !spot {
		return price
	}
	if f, ok := spotFactor[m.Family][region]; ok {
		return price * f
	}
	return price * spotFactor[m.Family][""]
}

// hourly is the list price of a resource in US dollars an hour.
func hourly(r *Resource) float64 {
	switch r.Kind {
	case KindInstance:
		m, _ := LookupMachineType(r.Type)
		price := machineRate(m, RegionOf(r.Location), r.Spot)
		if r.External {
			price += nodeAddressRate
		}
		return price
	case KindDisk:
		return float64(r.SizeGB) * diskRate[r.Type]
	case KindSnapshot:
		return float64(r.SizeGB) * snapshotRate
	case KindForwardingRule:
		return forwardingRuleRate
	case KindAddress:
		if r.Status == "RESERVED" {
			return reservedAddressRate
		}
	default: // costs nothing by itself
	}
	return 0
}
