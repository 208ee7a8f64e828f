package compute

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	api "google.golang.org/api/compute/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// endpointGroups lists the network endpoint groups that Kubernetes made for a
// Service, each with its machines: they alone say of which cluster it is.
func (c *Client) endpointGroups(ctx context.Context, found *standing) error {
	return c.service.NetworkEndpointGroups.AggregatedList(found.project).Pages(ctx, func(page *api.NetworkEndpointGroupAggregatedList) error {
		missing := page.Unreachables
		for scope, list := range page.Items {
			for _, g := range list.NetworkEndpointGroups {
				service := groupedService(g.Description)
				if service == "" || scopeOf(lastSegment(scope)) != zonal {
					continue
				}
				machines, err := c.endpointsOf(ctx, found.project, lastSegment(scope), g.Name)
				if err != nil {
					return err
				}
				found.add(environment.KindEndpointGroup, scope, g.Name, environment.Standing{Service: service, Instances: machines})
			}
			if list.Warning != nil {
				missing = append(missing, warned(scope, list.Warning.Code)...)
			}
		}
		return whole("network endpoint groups", missing)
	})
}

// endpointsOf are the machines in a group; none when the group went meanwhile.
func (c *Client) endpointsOf(ctx context.Context, project, zone, name string) ([]string, error) {
	var machines []string
	err := c.service.NetworkEndpointGroups.ListNetworkEndpoints(project, zone, name, &api.NetworkEndpointGroupsListEndpointsRequest{HealthStatus: "SKIP"}).
		Pages(ctx, func(page *api.NetworkEndpointGroupsListNetworkEndpoints) error {
			for _, e := range page.Items {
				if e.NetworkEndpoint != nil && e.NetworkEndpoint.Instance != "" {
					machines = append(machines, lastSegment(e.NetworkEndpoint.Instance))
				}
			}
			return nil
		})
	if isGone(err, name) {
		return nil, nil
	}
	return machines, err
}

// groupedService reads the Kubernetes Service that a network endpoint group
// was made for, which GKE writes as JSON into its description; "" for what
// others made.
func groupedService(description string) string {
	var says struct {
		Cluster   string `json:"cluster-uid"`
		Namespace string `json:"namespace"`
		Service   string `json:"service-name"`
	}
	if json.Unmarshal([]byte(description), &says) != nil || says.Cluster == "" || says.Service == "" {
		return ""
	}
	return says.Namespace + "/" + says.Service
}

// snapshots lists all of them: what tells whose one is may be its disk alone.
func (c *Client) snapshots(ctx context.Context, found *standing) error {
	return c.service.Snapshots.List(found.project).Pages(ctx, func(page *api.SnapshotList) error {
		for _, s := range page.Items {
			found.add(environment.KindSnapshot, string(global), s.Name, environment.Standing{
				Ours: s.Labels[environment.LabelInstallation] == c.installation, Keep: kept(s.Labels),
				Cluster: s.Labels[environment.LabelCluster], GB: gigabytes(s.StorageBytes), Disk: diskOf(found.project, s.SourceDisk)})
		}
		if page.Warning != nil {
			return whole("snapshots", warned(string(global), page.Warning.Code))
		}
		return nil
	})
}

// gigabytes is what is charged for, as Google counts it: begun ones in full.
func gigabytes(n int64) int { return int(math.Ceil(float64(n) / (1 << 30))) }

// diskOf reads ".../zones/Z/disks/NAME".
func diskOf(project, link string) environment.Resource {
	parts := strings.Split(link, "/")
	if len(parts) < 4 {
		return environment.Resource{}
	}
	return environment.Resource{Kind: environment.KindDisk, Project: project, Location: parts[len(parts)-3], Name: parts[len(parts)-1]}
}
