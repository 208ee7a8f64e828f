package gke

import (
	"context"

	pb "cloud.google.com/go/container/apiv1/containerpb"

	"github.com/daskbot/daskbot/internal/environment"
)

// Resize carries out c.MaxNodes: the ceiling of an autoscaled pool, the size
// of a fixed one. It never switches autoscaling on or off, which would restart
// the control plane. Lowering a ceiling below the present size removes nothing
// by itself. Errors are those of Delete, and CodeNotFound when there is no
// such cluster.
func (c *Client) Resize(ctx context.Context, cl environment.Cluster) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	op, err := c.resize(ctx, cl)
	if err != nil {
		return "", c.named(ctx, cl.Project, attempt(cl), asked(err, cl.Project))
	}
	return op.GetName(), nil
}

func (c *Client) resize(ctx context.Context, cl environment.Cluster) (*pb.Operation, error) {
	name := poolPath(cl.Project, attempt(cl))
	if cl.Shape.Autoscaled() {
		return c.api.SetNodePoolAutoscaling(ctx, &pb.SetNodePoolAutoscalingRequest{Name: name, Autoscaling: autoscaling(cl)})
	}
	zones := 1
	if !isZone(cl.Location) { // where a regional pool has nodes is GKE's choice
		pool, err := c.api.GetNodePool(ctx, &pb.GetNodePoolRequest{Name: name})
		if err != nil {
			return nil, err
		}
		zones = max(len(pool.GetLocations()), 1)
	}
	return c.api.SetNodePoolSize(ctx, &pb.SetNodePoolSizeRequest{Name: name, NodeCount: perZone(ceiling(cl), zones)})
}
