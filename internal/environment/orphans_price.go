package environment

// What disks and unused addresses cost against what Prices lists, pd-standard
// and a node's address, in us-central1 at 2026-07-30.
var diskFactor = map[string]float64{"pd-standard": 1, "pd-balanced": 2.5, "pd-ssd": 4.25}

const (
	dearestDisk    = 4.25 // a type that is not listed errs upwards
	reservedFactor = 2
)

// ofStanding prices one resource for an hour; what only uses up quota is free.
func (p Prices) ofStanding(r Standing) float64 {
	switch r.Kind {
	case KindForwardingRule:
		return p.ForwardingRule
	case KindAddress:
		if r.InUse {
			return 0 // the forwarding rule pays for it
		}
		return reservedFactor * p.Address
	case KindDisk:
		factor, listed := diskFactor[r.Type]
		if !listed {
			factor = dearestDisk
		}
		month := p.DiskGBMonth * factor
		if r.Type == "pd-balanced" && p.BalancedGBMonth > 0 {
			month = p.BalancedGBMonth
		}
		return float64(r.GB) * month / hoursPerMonth
	default:
		return 0
	}
}

// ofCluster prices a cluster for an hour by the nodes it has now.
func (p Prices) ofCluster(o OwnedCluster) float64 {
	perNode := p.machine(o.Shape) + p.Address + float64(o.Shape.DiskGB)*p.DiskGBMonth/hoursPerMonth
	return p.Management + float64(o.Shape.Nodes)*perNode
}
