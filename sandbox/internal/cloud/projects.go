package cloud

import (
	"slices"
	"strconv"
	"strings"
)

// Project is one billing and quota scope.
type Project struct {
	ID        string             `json:"id"`
	Number    int64              `json:"number"`
	Forbidden bool               `json:"forbidden,omitempty"` // the caller has no role in it
	Disabled  bool               `json:"disabled,omitempty"`  // the Kubernetes Engine API is not enabled
	Quotas    map[string]float64 `json:"quotas"`              // limits, per region except for the global metrics
}

// globalMetrics are the quotas that count over the whole project.
var globalMetrics = []string{"CPUS_ALL_REGIONS", "SNAPSHOTS", "FIREWALLS", "HEALTH_CHECKS"}

// IsGlobal says whether a quota counts over all regions of a project.
func IsGlobal(metric string) bool { return slices.Contains(globalMetrics, metric) }

func quotas(cpus, allCPUs, addresses, diskGB, ssdGB float64) map[string]float64 {
	return map[string]float64{
		"CPUS": cpus, "N2_CPUS": cpus, "N2D_CPUS": cpus, "CPUS_ALL_REGIONS": allCPUs,
		"IN_USE_ADDRESSES": addresses, "STATIC_ADDRESSES": addresses,
		"DISKS_TOTAL_GB": diskGB, "SSD_TOTAL_GB": ssdGB,
		"INSTANCES": 6 * cpus, "FORWARDING_RULES": 3 * addresses, "TARGET_POOLS": 3 * addresses,
		"SNAPSHOTS": 1000, "FIREWALLS": 1000, "HEALTH_CHECKS": 1000,
	}
}

// defaultProjects are one that is roomy enough for a class, three of the size
// a student's credits get, one that fits almost nothing and one that is shut.
func defaultProjects() map[string]*Project {
	projects := []*Project{
		{ID: "sandbox-project", Number: 100000000001, Quotas: quotas(1000, 2000, 1000, 204800, 102400)},
		{ID: "student-project-1", Number: 100000000011, Quotas: quotas(24, 32, 8, 4096, 500)},
		{ID: "student-project-2", Number: 100000000012, Quotas: quotas(24, 32, 8, 4096, 500)},
		{ID: "student-project-3", Number: 100000000013, Quotas: quotas(24, 32, 8, 4096, 500)},
		{ID: "tiny-project", Number: 100000000021, Quotas: quotas(8, 12, 4, 2048, 250)},
		{ID: "forbidden-project", Number: 100000000031, Forbidden: true, Quotas: quotas(24, 32, 8, 4096, 500)},
		{ID: "disabled-project", Number: 100000000041, Disabled: true, Quotas: quotas(24, 32, 8, 4096, 500)},
	}
	byID := make(map[string]*Project, len(projects))
	for _, p := range projects {
		byID[p.ID] = p
	}
	return byID
}

// Project finds a project by id or number. An unknown one is NotFound; how
// that is shown differs from API to API. A forbidden one is returned: the
// caller decides which permission to name.
func (w *World) Project(idOrNumber string) (Project, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.state.project(idOrNumber)
	if p == nil {
		return Project{}, Errorf(NotFound, "The resource 'projects/%s' was not found", idOrNumber)
	}
	return *p, nil
}

// PutProject adds a project or replaces its quotas and marks. Resources it
// has stay.
func (w *World) PutProject(p Project) error {
	if p.ID == "" {
		return Errorf(InvalidArgument, "a project needs an id")
	}
	return w.change(func(s *state) error {
		if old := s.Projects[p.ID]; old != nil {
			p.Number = old.Number
		}
		if p.Number == 0 {
			p.Number = 200000000000 + int64(len(s.Projects))
		}
		if p.Quotas == nil {
			p.Quotas = quotas(24, 32, 8, 4096, 500)
		}
		s.Projects[p.ID] = &p
		return nil
	})
}

// Projects lists all projects, ordered by id.
func (w *World) Projects() []Project {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Project, 0, len(w.state.Projects))
	for _, p := range w.state.Projects {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Project) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func (s *state) project(idOrNumber string) *Project {
	if p := s.Projects[idOrNumber]; p != nil {
		return p
	}
	number, err := strconv.ParseInt(idOrNumber, 10, 64)
	if err != nil {
		return nil
	}
	for _, p := range s.Projects {
		if p.Number == number {
			return p
		}
	}
	return nil
}
