package gke

import (
	"regexp"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// poolName is the one node pool of a cluster, as the walkthroughs' gcloud
// commands name it.
const poolName = "default-pool"

// defaultZones is over how many zones GKE spreads a regional cluster.
const defaultZones = 3

var zonePattern = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+-[a-z]$`)

func isZone(location string) bool { return zonePattern.MatchString(location) }

func parent(project, location string) string {
	return "projects/" + project + "/locations/" + location
}

func clusterPath(project string, at environment.ClusterAttempt) string {
	return parent(project, at.Location) + "/clusters/" + at.Name
}

func poolPath(project string, at environment.ClusterAttempt) string {
	return clusterPath(project, at) + "/nodePools/" + poolName
}

// operationPath is what GetOperation wants; operations name themselves by
// their bare id.
func operationPath(project, location, id string) string {
	return parent(project, location) + "/operations/" + id
}

func attempt(c environment.Cluster) environment.ClusterAttempt {
	return environment.ClusterAttempt{Name: c.Name, Location: c.Location}
}

// concerns reports whether an operation's target link is the cluster or
// something in it. Links carry the project's number and an old path form, so
// only their end can be compared.
func concerns(targetLink, cluster string) bool {
	_, after, found := strings.Cut(targetLink, "/clusters/")
	return found && (after == cluster || strings.HasPrefix(after, cluster+"/"))
}

// perZone spreads a number of nodes over a location, rounding up: GKE counts
// nodes per zone.
func perZone(nodes, zones int) int32 { return int32((nodes + zones - 1) / zones) }

func zonesOf(location string) int {
	if isZone(location) {
		return 1
	}
	return defaultZones
}
