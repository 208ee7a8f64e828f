package compute

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	api "google.golang.org/api/compute/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// Shortfall says in a sentence what of the quota in the location's region, or
// of the project's, the shape does not fit in at its starting size, together
// with one load balancer's address; "" when it fits. Growth by the autoscaler
// is not counted, nor are volumes. Quotas that the API does not report are
// taken as sufficient: GKE refuses the create then, which is an answer too.
//
// An unknown region or machine type is CodeInvalid.
func (c *Client) Shortfall(ctx context.Context, project, location string, shape environment.ClusterShape) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	region, err := c.service.Regions.Get(project, regionOf(location)).Context(ctx).Do()
	if isUnknownPlace(err, regionOf(location)) {
		return "", environment.Invalid("locations", "There is no location %q; use a zone such as %q.", location, "europe-west1-b")
	}
	if err != nil {
		return "", translate(err, project)
	}
	whole, err := c.service.Projects.Get(project).Context(ctx).Do()
	if err != nil {
		return "", translate(err, project)
	}
	cpus, err := c.cpus(ctx, project, aZone(location, region), shape.MachineType)
	if err != nil {
		return "", err
	}
	needs := needsOf(location, shape, cpus, region.Quotas)
	short := append(missing(region.Name, region.Quotas, needs), missing(wholeProject, whole.Quotas, needs)...)
	if len(short) == 0 {
		return "", nil
	}
	return sentence(short), nil
}

func sentence(short []string) string {
	s := strings.Join(short, ", and ") + "; end another environment, ask for a smaller one, or ask the project's owner for more quota."
	if rest, ok := strings.CutPrefix(s, wholeProject); ok { // a region's name stays as it is
		return "The project" + rest
	}
	return s
}

const wholeProject = "the project"

// need is an amount of one quota.
type need struct {
	metric string
	name   string // as a person calls it
	amount float64
}

// defaultZones is over how many zones GKE spreads a regional cluster.
const defaultZones = 3

// nodesAt rounds up to a node in every zone of a region, as GKE does.
func nodesAt(location string, nodes int) int {
	if scopeOf(location) == zonal {
		return nodes
	}
	return (nodes + defaultZones - 1) / defaultZones * defaultZones
}

func needsOf(location string, shape environment.ClusterShape, cpus int, quotas []*api.Quota) []need {
	nodes := nodesAt(location, shape.Nodes)
	total := float64(nodes * cpus)
	needs := []need{
		{cpuMetric(shape, quotas), "CPUs", total},
		{"CPUS_ALL_REGIONS", "CPUs over all regions", total},
		{"IN_USE_ADDRESSES", "IP addresses", float64(nodes + 1)},
	}
	disk := float64(nodes * shape.DiskGB)
	if shape.DiskType == "" || shape.DiskType == "pd-standard" {
		return append(needs, need{"DISKS_TOTAL_GB", "GB of disk", disk})
	}
	return append(needs, need{"SSD_TOTAL_GB", "GB of SSD", disk})
}

// cpuMetric is the quota that the machine type counts against. Spot machines
// have one of their own in projects that were given it.
func cpuMetric(shape environment.ClusterShape, quotas []*api.Quota) string {
	if shape.Spot && limitOf(quotas, "PREEMPTIBLE_CPUS") > 0 {
		return "PREEMPTIBLE_CPUS"
	}
	switch family, _, _ := strings.Cut(shape.MachineType, "-"); family {
	case "e2", "n1", "f1", "g1", "custom":
		return "CPUS"
	default:
		return strings.ToUpper(family) + "_CPUS"
	}
}

func limitOf(quotas []*api.Quota, metric string) float64 {
	for _, q := range quotas {
		if q.Metric == metric {
			return q.Limit
		}
	}
	return 0
}

// missing describes each need that does not fit.
func missing(where string, quotas []*api.Quota, needs []need) []string {
	var short []string
	for _, n := range needs {
		for _, q := range quotas {
			left := max(q.Limit-q.Usage, 0)
			if q.Metric == n.metric && n.amount > left {
				short = append(short, fmt.Sprintf("%s has %s of %s %s left and this needs %s",
					where, count(left), count(q.Limit), n.name, count(n.amount)))
			}
		}
	}
	return short
}

func count(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// aZone is a zone of the location, in which machine types can be looked up.
func aZone(location string, region *api.Region) string {
	if scopeOf(location) == zonal || len(region.Zones) == 0 {
		return location
	}
	return lastSegment(region.Zones[0])
}

// cpus is how many CPUs a machine type has: from its name where the name says
// so, else from the API.
func (c *Client) cpus(ctx context.Context, project, zone, machineType string) (int, error) {
	if n, ok := namedCPUs(machineType); ok {
		return n, nil
	}
	unknown := environment.Invalid("machineType", "There is no machine type %q in %s; use one such as %q.", machineType, zone, "e2-standard-2")
	if machineType == "" {
		return 0, unknown
	}
	found, err := c.service.MachineTypes.Get(project, zone, machineType).Context(ctx).Do()
	if isGone(err, machineType) {
		unknown.Err = err
		return 0, unknown
	}
	if err != nil {
		return 0, translate(err, project)
	}
	return int(found.GuestCpus), nil
}

// namedCPUs reads e2-standard-4, c3-standard-4-lssd, n2-custom-6-20480 and
// custom-6-20480; not e2-medium or a2-highgpu-1g.
func namedCPUs(machineType string) (int, bool) {
	parts := strings.Split(machineType, "-")
	for i, part := range parts[:max(len(parts)-1, 0)] {
		switch part {
		case "standard", "highmem", "highcpu", "custom":
			n, err := strconv.Atoi(parts[i+1])
			return n, err == nil && n > 0
		}
	}
	return 0, false
}
