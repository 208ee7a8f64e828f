package cloud

import (
	"maps"
	"slices"
)

// QuotaUsage is one quota with what counts against it.
type QuotaUsage struct {
	Metric string  `json:"metric"`
	Limit  float64 `json:"limit"`
	Usage  float64 `json:"usage"`
}

// Needs is what quantities a resource takes of which quotas.
type Needs map[string]float64

// Add adds n times what is needed elsewhere.
func (n Needs) Add(other Needs, times int) {
	for metric, q := range other {
		n[metric] += q * float64(times)
	}
}

// needs is what one resource counts for.
func needs(r *Resource) Needs {
	switch r.Kind {
	case KindInstance:
		return instanceNeeds(r)
	case KindDisk:
		if r.Type == "pd-standard" {
			return Needs{"DISKS_TOTAL_GB": float64(r.SizeGB)}
		}
		return Needs{"SSD_TOTAL_GB": float64(r.SizeGB)}
	case KindSnapshot:
		return Needs{"SNAPSHOTS": 1}
	case KindAddress:
		if r.Status == "IN_USE" { // a load balancer's own address
			return Needs{"IN_USE_ADDRESSES": 1}
		}
		return Needs{"STATIC_ADDRESSES": 1}
	case KindForwardingRule:
		return Needs{"FORWARDING_RULES": 1}
	case KindTargetPool:
		return Needs{"TARGET_POOLS": 1}
	case KindFirewall:
		return Needs{"FIREWALLS": 1}
	default:
		return Needs{"HEALTH_CHECKS": 1}
	}
}

func instanceNeeds(r *Resource) Needs {
	m, _ := LookupMachineType(r.Type)
	metric := "CPUS"
	switch m.Family {
	case "n2":
		metric = "N2_CPUS"
	case "n2d":
		metric = "N2D_CPUS"
	}
	n := Needs{metric: float64(m.CPUs), "CPUS_ALL_REGIONS": float64(m.CPUs), "INSTANCES": 1}
	if r.External {
		n["IN_USE_ADDRESSES"] = 1
	}
	return n
}

// NodeNeeds is what one node of a pool takes, with its boot disk.
func NodeNeeds(pool NodePool, privateNodes bool) Needs {
	n := Needs{}
	n.Add(needs(&Resource{Kind: KindInstance, Type: pool.MachineType, External: !privateNodes}), 1)
	n.Add(needs(&Resource{Kind: KindDisk, Type: pool.DiskType, SizeGB: pool.DiskGB}), 1)
	return n
}

// CheckQuota says whether a project may take n more in a region. It reserves
// nothing; object is what the QuotaError names.
func (w *World) CheckQuota(project, region, object string, n Needs) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.checkQuota(project, region, object, n)
}

// Quotas lists the quotas of a region with their usage, or the project-wide
// ones when region is empty, by metric.
func (w *World) Quotas(project, region string) ([]QuotaUsage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.state.project(project)
	if p == nil {
		return nil, Errorf(NotFound, "The resource 'projects/%s' was not found", project)
	}
	usage := w.state.usage(p.ID, region)
	var all []QuotaUsage
	for _, metric := range slices.Sorted(maps.Keys(p.Quotas)) {
		if IsGlobal(metric) == (region == "") {
			all = append(all, QuotaUsage{Metric: metric, Limit: p.Quotas[metric], Usage: usage[metric]})
		}
	}
	return all, nil
}

func (s *state) checkQuota(project, region, object string, n Needs) error {
	p := s.project(project)
	if p == nil {
		return Errorf(NotFound, "The resource 'projects/%s' was not found", project)
	}
	regional, global := s.usage(p.ID, region), s.usage(p.ID, "")
	var short []Shortage
	for _, metric := range slices.Sorted(maps.Keys(n)) {
		limit, limited := p.Quotas[metric]
		if !limited {
			continue
		}
		sh := Shortage{Metric: metric, Region: region, Requested: n[metric], Limit: limit, Usage: regional[metric]}
		if IsGlobal(metric) {
			sh.Region, sh.Usage = "", global[metric]
		}
		if sh.Requested > 0 && sh.Usage+sh.Requested > sh.Limit {
			short = append(short, sh)
		}
	}
	if short == nil {
		return nil
	}
	return &QuotaError{Project: p.ID, Object: object, Shortages: short}
}

// usage sums what the project's resources take in a region, or everywhere
// when region is empty.
func (s *state) usage(project, region string) Needs {
	total := Needs{}
	for _, r := range s.Resources {
		if r.Project == project && (region == "" || RegionOf(r.Location) == region) {
			total.Add(needs(r), 1)
		}
	}
	return total
}
