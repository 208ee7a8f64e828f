package gke

import (
	"context"
	"strings"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

	"github.com/daskbot/daskbot/internal/environment"
)

// Observe reports the cluster of that name and, when operation is not "", what
// became of it. A cluster that is not there is CloudAbsent, an operation that
// GKE no longer knows OperationNone. An error means that nothing is known and
// proves nothing.
//
// Failure is set when the operation failed, and while a cluster that never
// worked is being made from machines that are not to be had. Conditions of a
// cluster that works are not failures.
func (c *Client) Observe(ctx context.Context, project string, at environment.ClusterAttempt, operation string) (environment.SeenCluster, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	// The operation first: if it has ended, the cluster read after it shows so.
	op, err := c.operation(ctx, project, at.Location, operation)
	if err != nil {
		return environment.SeenCluster{}, err
	}
	cluster, err := c.cluster(ctx, project, at)
	if err != nil {
		return environment.SeenCluster{}, err
	}
	seen := c.seen(cluster)
	seen.addOperation(op)
	if seen.Failure == nil && !seen.State.Usable() {
		seen.Failure = clusterFailure(cluster)
	}
	if err := c.addHolder(ctx, project, at, &seen.SeenCluster); err != nil {
		return environment.SeenCluster{}, err
	}
	return seen.SeenCluster, nil
}

// cluster is nil when there is none of that name.
func (c *Client) cluster(ctx context.Context, project string, at environment.ClusterAttempt) (*pb.Cluster, error) {
	cluster, err := c.api.GetCluster(ctx, &pb.GetClusterRequest{Name: clusterPath(project, at)})
	if isAbsent(err, at.Name) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err, project)
	}
	return cluster, nil
}

// operation is nil when none is asked about, or when GKE forgot it.
func (c *Client) operation(ctx context.Context, project, location, id string) (*pb.Operation, error) {
	if id == "" {
		return nil, nil
	}
	op, err := c.api.GetOperation(ctx, &pb.GetOperationRequest{Name: operationPath(project, location, id)})
	if codeOf(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err, project)
	}
	return op, nil
}

// observation is a SeenCluster being put together.
type observation struct{ environment.SeenCluster }

func (c *Client) seen(cluster *pb.Cluster) observation {
	if cluster == nil {
		return observation{environment.SeenCluster{State: environment.CloudAbsent}}
	}
	labels := cluster.GetResourceLabels()
	seen := environment.SeenCluster{
		State:     cloudState(cluster.GetStatus()),
		Mine:      c.ours(labels),
		ClusterID: labels[environment.LabelClusterID],
		//nolint:staticcheck // deprecated in favour of asking Kubernetes, which is not this package's to ask
		Nodes: int(cluster.GetCurrentNodeCount()),
	}
	seen.MaxNodes = maxNodes(cluster, seen.Nodes)
	return observation{seen}
}

func (o *observation) addOperation(op *pb.Operation) {
	if op == nil {
		return
	}
	o.Operation = operationState(op)
	o.Progress = progress(op)
	if o.Operation == environment.OperationFailed {
		o.Failure = operationFailure(op)
	}
	if o.Operation == environment.OperationRunning {
		o.Busy = op.GetName()
	}
}

// addHolder looks for the operation that holds the lock, only where the
// cluster's state says that there is one and it is not the one asked about.
func (c *Client) addHolder(ctx context.Context, project string, at environment.ClusterAttempt, seen *environment.SeenCluster) error {
	switch seen.State {
	case environment.CloudProvisioning, environment.CloudReconciling, environment.CloudStopping:
	default:
		return nil
	}
	if seen.Busy != "" {
		return nil
	}
	holder, err := c.holder(ctx, project, at)
	seen.Busy = holder
	return err
}

// holder is the id of an operation under way on the cluster, "" if there is
// none.
func (c *Client) holder(ctx context.Context, project string, at environment.ClusterAttempt) (string, error) {
	list, err := c.api.ListOperations(ctx, &pb.ListOperationsRequest{Parent: parent(project, at.Location)})
	if err != nil {
		return "", translate(err, project)
	}
	for _, op := range list.GetOperations() {
		if op.GetStatus() != pb.Operation_DONE && concerns(op.GetTargetLink(), at.Name) {
			return op.GetName(), nil
		}
	}
	return "", nil
}

var cloudStates = map[pb.Cluster_Status]environment.CloudState{
	pb.Cluster_PROVISIONING: environment.CloudProvisioning,
	pb.Cluster_RUNNING:      environment.CloudRunning,
	pb.Cluster_RECONCILING:  environment.CloudReconciling,
	pb.Cluster_DEGRADED:     environment.CloudDegraded,
	pb.Cluster_STOPPING:     environment.CloudStopping,
	pb.Cluster_ERROR:        environment.CloudError,
}

// cloudState is CloudUnknown for what a later GKE may add.
func cloudState(s pb.Cluster_Status) environment.CloudState { return cloudStates[s] }

// operationState: GKE has no "failed"; an operation fails by being done with
// an error.
func operationState(op *pb.Operation) environment.OperationState {
	switch {
	case op.GetStatus() != pb.Operation_DONE:
		return environment.OperationRunning
	case op.GetError() != nil && op.GetError().GetCode() != int32(codes.OK):
		return environment.OperationFailed
	default:
		return environment.OperationDone
	}
}

const totalSuffix = "_TOTAL"

// progress adds up the pairs NAME and NAME_TOTAL. The last pair can stay
// behind its total although the operation is done.
func progress(op *pb.Operation) environment.Progress {
	values := map[string]int{}
	for _, m := range op.GetProgress().GetMetrics() {
		values[m.GetName()] = int(m.GetIntValue())
	}
	var p environment.Progress
	for name, total := range values {
		stem, ok := strings.CutSuffix(name, totalSuffix)
		if !ok {
			continue
		}
		p.Total += total
		p.Done += min(values[stem], total)
	}
	if op.GetStatus() == pb.Operation_DONE && op.GetError() == nil {
		p.Done = p.Total
	}
	return p
}

// maxNodes is the ceiling of our pool over all its zones; of a pool of fixed
// size, its size.
func maxNodes(cluster *pb.Cluster, nodes int) int {
	for _, pool := range cluster.GetNodePools() {
		bounds := pool.GetAutoscaling()
		if pool.GetName() != poolName || !bounds.GetEnabled() {
			continue
		}
		if total := bounds.GetTotalMaxNodeCount(); total > 0 {
			return int(total)
		}
		return int(bounds.GetMaxNodeCount()) * max(len(pool.GetLocations()), 1)
	}
	return nodes
}
