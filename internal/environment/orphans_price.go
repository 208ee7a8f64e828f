package environment

// What disks and unused addresses cost against what Prices lists, pd-standard
// and a node's address, in us-central1 at 2026-07-30.
var diskFactor = map[string]float64{"pd-standard": 1, "pd-balanced": 2.5, "pd-ssd": 4.25}

const (
	dearestDisk    = 4.25 // a type that is not listed errs upwards
	snapshotFactor = 1.25
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
	case KindSnapshot:
		return float64(r.GB) * p.DiskGBMonth * snapshotFactor / hoursPerMonth
	case KindDisk:
		return p.disk(r.Type, r.GB)
	default:
		return 0
	}
}

// disk prices a disk for an hour.
func (p Prices) disk(kind string, gb int) float64 {
	factor, listed := diskFactor[kind]
	if !listed {
		factor = dearestDisk
	}
	month := p.DiskGBMonth * factor
	if kind == "pd-balanced" && p.BalancedGBMonth > 0 {
		month = p.BalancedGBMonth
	}
	return float64(gb) * month / hoursPerMonth
}

// node prices a machine of a cluster for an hour, with its address and the disk
// it boots from, which is pd-standard unless the shape says otherwise.
func (p Prices) node(s ClusterShape) float64 {
	return p.machine(s) + p.Address + p.disk(first(s.DiskType, "pd-standard"), s.DiskGB)
}

// ofCluster prices a cluster for an hour by the nodes it has now.
func (p Prices) ofCluster(o OwnedCluster) float64 {
	return p.Management + float64(o.Shape.Nodes)*p.node(o.Shape)
}
