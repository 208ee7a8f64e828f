package gke

import (
	"context"

	pb "cloud.google.com/go/container/apiv1/containerpb"

	"github.com/daskbot/daskbot/internal/environment"
)

// Owned lists the clusters of the project that carry this installation's
// label, in all locations. complete is false when some location did not
// answer; nothing may then be concluded from a cluster not being listed.
func (c *Client) Owned(ctx context.Context, project string) ([]environment.OwnedCluster, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	list, err := c.api.ListClusters(ctx, &pb.ListClustersRequest{Parent: parent(project, "-")})
	if err != nil {
		return nil, false, translate(err, project)
	}
	var items []environment.OwnedCluster
	for _, cluster := range list.GetClusters() {
		labels := cluster.GetResourceLabels()
		if !c.ours(labels) {
			continue
		}
		items = append(items, environment.OwnedCluster{
			ClusterAttempt: environment.ClusterAttempt{Name: cluster.GetName(), Location: cluster.GetLocation()},
			Project:        project,
			Labels:         labels,
			State:          cloudState(cluster.GetStatus()),
			DeleteAfter:    deleteAfter(labels),
			Shape:          shapeNow(cluster),
		})
	}
	return items, len(list.GetMissingZones()) == 0, nil
}

// shapeNow is what a cluster costs by: how many nodes it has now, and what the
// nodes of its first pool are.
func shapeNow(cluster *pb.Cluster) environment.ClusterShape {
	shape := environment.ClusterShape{Nodes: int(cluster.GetCurrentNodeCount())} //nolint:staticcheck // deprecated in favour of asking Kubernetes, which is not this package's to ask
	for _, pool := range cluster.GetNodePools() {
		config := pool.GetConfig()
		shape.MachineType, shape.Spot = config.GetMachineType(), config.GetSpot()
		shape.DiskGB, shape.DiskType = int(config.GetDiskSizeGb()), config.GetDiskType()
		break
	}
	return shape
}
