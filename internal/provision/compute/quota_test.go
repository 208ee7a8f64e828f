package compute

import (
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

func quota(metric string, limit, usage float64) object {
	return object{"metric": metric, "limit": limit, "usage": usage}
}

// room is a region and a project in which the shape below fits exactly,
// except for the quotas given.
func room(instead ...object) map[string]any {
	limits := func(quotas ...object) []any {
		var all []any
		for _, q := range quotas {
			for _, other := range instead {
				if other["metric"] == q["metric"] {
					q = other
				}
			}
			all = append(all, q)
		}
		return all
	}
	return map[string]any{
		"GET " + base + "regions/europe-west1": object{
			"name":  "europe-west1",
			"zones": []any{"https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b"},
			"quotas": limits(quota("CPUS", 8, 0), quota("N2_CPUS", 8, 0), quota("IN_USE_ADDRESSES", 4, 1),
				quota("DISKS_TOTAL_GB", 100, 0), quota("SSD_TOTAL_GB", 100, 0)),
		},
		"GET " + strings.TrimSuffix(base, "/"):                        object{"name": "p", "quotas": limits(quota("CPUS_ALL_REGIONS", 12, 4))},
		"GET " + base + "zones/europe-west1-b/machineTypes/e2-medium": object{"name": "e2-medium", "guestCpus": 2},
	}
}

func shape() environment.ClusterShape {
	return environment.ClusterShape{MachineType: "n1-standard-4", Nodes: 2, MinNodes: 1, MaxNodes: 10, DiskGB: 50, DiskType: "pd-standard"}
}

func TestShortfall(t *testing.T) {
	tests := map[string]struct {
		quotas   []object
		location string
		change   func(*environment.ClusterShape)
		want     string // a part; "" fits
	}{
		"fits exactly": {nil, "europe-west1-b", nil, ""},
		"CPUs": {[]object{quota("CPUS", 8, 6)}, "europe-west1-b", nil,
			"europe-west1 has 2 of 8 CPUs left and this needs 8; end another environment"},
		"addresses count the load balancer": {[]object{quota("IN_USE_ADDRESSES", 4, 2)}, "europe-west1-b", nil,
			"europe-west1 has 2 of 4 IP addresses left and this needs 3"},
		"disk": {[]object{quota("DISKS_TOTAL_GB", 100, 10)}, "europe-west1-b", nil, "90 of 100 GB of disk left and this needs 100"},
		"SSD counts balanced disks": {[]object{quota("SSD_TOTAL_GB", 100, 99.5)}, "europe-west1-b",
			func(s *environment.ClusterShape) { s.DiskType = "pd-balanced" }, "0.5 of 100 GB of SSD left and this needs 100"},
		"whole project": {[]object{quota("CPUS_ALL_REGIONS", 12, 8)}, "europe-west1-b", nil,
			"The project has 4 of 12 CPUs over all regions left and this needs 8"},
		"two at once": {[]object{quota("CPUS", 8, 8), quota("IN_USE_ADDRESSES", 4, 4)}, "europe-west1-b", nil,
			"europe-west1 has 0 of 8 CPUs left and this needs 8, and europe-west1 has 0 of 4 IP addresses left and this needs 3;"},
		"another family, another quota": {[]object{quota("CPUS", 8, 8)}, "europe-west1-b",
			func(s *environment.ClusterShape) { s.MachineType = "n2-standard-4" }, ""},
		"usage above the limit": {[]object{quota("CPUS", 8, 9)}, "europe-west1-b", nil, "has 0 of 8 CPUs left"},
		"a region has a node in every zone": {nil, "europe-west1",
			func(s *environment.ClusterShape) { s.MachineType = "n1-standard-1" }, "3 of 4 IP addresses left and this needs 4"},
		"a type whose name says nothing": {[]object{quota("CPUS", 8, 5)}, "europe-west1-b",
			func(s *environment.ClusterShape) { s.MachineType = "e2-medium" }, "3 of 8 CPUs left and this needs 4"},
		"the autoscaler's growth is not counted": {nil, "europe-west1-b", func(s *environment.ClusterShape) { s.MaxNodes = 100 }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, room(test.quotas...))
			s := shape()
			if test.change != nil {
				test.change(&s)
			}
			got, err := c.Shortfall(t.Context(), "p", test.location, s)
			if err != nil {
				t.Fatal(err)
			}
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q; want …%q…", got, test.want)
			}
		})
	}
}

func TestShortfallThatCannotBeKnown(t *testing.T) {
	denied := room()
	denied["GET "+base+"regions/europe-west1"] = failure{status: 403, reason: "forbidden"}
	down := room()
	down["GET "+strings.TrimSuffix(base, "/")] = failure{status: 503, reason: "backendError"}
	noPlace := map[string]any{"GET " + base + "regions/mars-east1": failure{status: 400, reason: "invalid",
		message: "Invalid value for field 'region': 'mars-east1'. Unknown region."}}
	tests := map[string]struct {
		answers  map[string]any
		location string
		machine  string
		want     environment.Code
	}{
		"no such region":       {room(), "mars-east1-a", "n1-standard-4", environment.CodeInvalid},
		"no such place":        {noPlace, "mars-east1-a", "n1-standard-4", environment.CodeInvalid},
		"no such machine type": {room(), "europe-west1-b", "e2-gigantic", environment.CodeInvalid},
		"no machine type":      {room(), "europe-west1-b", "", environment.CodeInvalid},
		"denied":               {denied, "europe-west1-b", "n1-standard-4", environment.CodeForbidden},
		"no answer":            {down, "europe-west1-b", "n1-standard-4", environment.CodeUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, test.answers)
			s := shape()
			s.MachineType = test.machine
			if got, err := c.Shortfall(t.Context(), "p", test.location, s); environment.CodeOf(err) != test.want {
				t.Errorf("got %q, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestNamedCPUs(t *testing.T) {
	for name, want := range map[string]int{
		"e2-standard-4": 4, "n2-highmem-16": 16, "c3-standard-4-lssd": 4, "custom-6-20480": 6, "n2-custom-8-16384": 8, "n1-highcpu-96": 96,
		"e2-medium": 0, "a2-highgpu-1g": 0, "standard": 0, "e2-standard-": 0, "": 0, "m1-ultramem-40": 0,
	} {
		if got, _ := namedCPUs(name); got != want {
			t.Errorf("namedCPUs(%q): got %d; want %d", name, got, want)
		}
	}
}

func TestCPUMetric(t *testing.T) {
	for machine, want := range map[string]string{"e2-standard-2": "CPUS", "n1-standard-4": "CPUS", "n2-standard-4": "N2_CPUS", "n2d-standard-4": "N2D_CPUS", "custom-4-8192": "CPUS"} {
		if got := cpuMetric(environment.ClusterShape{MachineType: machine}, nil); got != want {
			t.Errorf("%s: got %s; want %s", machine, got, want)
		}
	}
}
