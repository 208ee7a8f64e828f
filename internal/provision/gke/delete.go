package gke

import (
	"context"
	"errors"

	pb "cloud.google.com/go/container/apiv1/containerpb"

	"github.com/daskbot/daskbot/internal/environment"
)

// Delete asks for the cluster's deletion and returns the id of the operation.
// A cluster that is absent, or already being deleted, returns "" and no error.
//
// A nil error means asked, not gone; only Observe's CloudAbsent means gone. A
// cluster without this installation's label is refused with CodeForbidden.
// While another operation holds the cluster (a create cannot be cancelled) the
// error is CodeUnavailable with Busy: wait for that operation, then ask again.
func (c *Client) Delete(ctx context.Context, project string, at environment.ClusterAttempt) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	cluster, err := c.cluster(ctx, project, at)
	if err != nil || cluster == nil || cluster.GetStatus() == pb.Cluster_STOPPING {
		return "", err
	}
	if !c.ours(cluster.GetResourceLabels()) {
		return "", environment.Errorf(environment.CodeForbidden,
			"The cluster %s in %s was not made by this daskbot, so it is not deleted.", at.Name, at.Location)
	}
	op, err := c.api.DeleteCluster(ctx, &pb.DeleteClusterRequest{Name: clusterPath(project, at)})
	if isAbsent(err, at.Name) {
		return "", nil
	}
	if err != nil {
		return "", c.named(ctx, project, at, asked(err, project))
	}
	return op.GetName(), nil
}

// named completes an error about a busy cluster whose text did not say which
// operation holds it.
func (c *Client) named(ctx context.Context, project string, at environment.ClusterAttempt, err error) error {
	var e *environment.Error
	if !errors.As(err, &e) || !isBusy(e.Err) || e.Busy != "" {
		return err
	}
	if holder, lookErr := c.holder(ctx, project, at); lookErr == nil {
		e.Busy = holder
	}
	return e
}
