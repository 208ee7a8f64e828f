package cloud

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MachineType is one row of Compute's catalogue.
type MachineType struct {
	Name        string
	Family      string // n1, e2, n2, n2d
	CPUs        int64  // what the CPUS quota counts
	MilliCPU    int64  // what a node has
	MemoryBytes int64
	billedCPU   float64 // shared-core types pay for a part of a core
}

// MemoryGB is the memory in GiB, as price lists count it.
func (m MachineType) MemoryGB() float64 { return float64(m.MemoryBytes) / (1 << 30) }

// shape is a series of machine types of one family and one memory per CPU.
type shape struct {
	family, name string
	gbPerCPU     float64
	sizes        []int64
}

var shapes = []shape{
	{"n1", "standard", 3.75, []int64{1, 2, 4, 8, 16, 32, 64, 96}},
	{"n1", "highmem", 6.5, []int64{2, 4, 8, 16, 32, 64, 96}},
	{"n1", "highcpu", 0.9, []int64{2, 4, 8, 16, 32, 64, 96}},
	{"e2", "standard", 4, []int64{2, 4, 8, 16, 32}},
	{"e2", "highmem", 8, []int64{2, 4, 8, 16}},
	{"e2", "highcpu", 1, []int64{2, 4, 8, 16, 32}},
	{"n2", "standard", 4, []int64{2, 4, 8, 16, 32, 48, 64, 80}},
	{"n2", "highmem", 8, []int64{2, 4, 8, 16, 32, 48, 64, 80}},
	{"n2", "highcpu", 1, []int64{2, 4, 8, 16, 32, 48, 64, 80}},
	{"n2d", "standard", 4, []int64{2, 4, 8, 16, 32, 48, 64, 80}},
	{"n2d", "highmem", 8, []int64{2, 4, 8, 16, 32, 48, 64, 80}},
}

var sharedCore = []MachineType{
	{Name: "e2-micro", Family: "e2", CPUs: 1, MilliCPU: 2000, MemoryBytes: 1 << 30, billedCPU: 0.25},
	{Name: "e2-small", Family: "e2", CPUs: 1, MilliCPU: 2000, MemoryBytes: 2 << 30, billedCPU: 0.5},
	{Name: "e2-medium", Family: "e2", CPUs: 1, MilliCPU: 2000, MemoryBytes: 4 << 30, billedCPU: 1},
}

// LookupMachineType finds a type of the catalogue by name.
func LookupMachineType(name string) (MachineType, bool) {
	if i := slices.IndexFunc(sharedCore, func(m MachineType) bool { return m.Name == name }); i >= 0 {
		return sharedCore[i], true
	}
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return MachineType{}, false
	}
	size, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return MachineType{}, false
	}
	for _, s := range shapes {
		if s.family == parts[0] && s.name == parts[1] && slices.Contains(s.sizes, size) {
			return s.machine(size), true
		}
	}
	return MachineType{}, false
}

// MachineTypes lists the catalogue, ordered by family and size.
func MachineTypes() []MachineType {
	all := slices.Clone(sharedCore)
	for _, s := range shapes {
		for _, size := range s.sizes {
			all = append(all, s.machine(size))
		}
	}
	return all
}

func (s shape) machine(cpus int64) MachineType {
	return MachineType{
		Name: fmt.Sprintf("%s-%s-%d", s.family, s.name, cpus), Family: s.family,
		CPUs: cpus, MilliCPU: cpus * 1000, billedCPU: float64(cpus),
		MemoryBytes: int64(float64(cpus) * s.gbPerCPU * (1 << 30)),
	}
}

// zonesOf lists the zones of every region of the sandbox. The regions are the
// ones prices.go has list prices for.
var zonesOf = map[string][]string{
	"us-central1":     {"a", "b", "c", "f"},
	"us-east1":        {"b", "c", "d"},
	"us-east4":        {"a", "b", "c"},
	"us-west1":        {"a", "b", "c"},
	"europe-west1":    {"b", "c", "d"},
	"europe-west4":    {"a", "b", "c"},
	"asia-southeast1": {"a", "b", "c"},
}

// Regions lists the regions, sorted.
func Regions() []string {
	names := make([]string, 0, len(zonesOf))
	for r := range zonesOf {
		names = append(names, r)
	}
	slices.Sort(names)
	return names
}

// ZonesOf lists the zones of a region, sorted; none when it is unknown.
func ZonesOf(region string) []string {
	zones := make([]string, 0, 4)
	for _, suffix := range zonesOf[region] {
		zones = append(zones, region+"-"+suffix)
	}
	return zones
}

// RegionOf is the region of a zone or region, empty when it is neither.
func RegionOf(location string) string {
	if _, ok := zonesOf[location]; ok {
		return location
	}
	cut := strings.LastIndexByte(location, '-')
	if cut < 0 || !slices.Contains(zonesOf[location[:cut]], location[cut+1:]) {
		return ""
	}
	return location[:cut]
}

// IsZone says whether the location is a known zone.
func IsZone(location string) bool {
	region := RegionOf(location)
	return region != "" && region != location
}
