package gke

import (
	"testing"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/internal/environment"
)

func metric(name string, value int64) *pb.OperationProgress_Metric {
	return &pb.OperationProgress_Metric{Name: name, Value: &pb.OperationProgress_Metric_IntValue{IntValue: value}}
}

func metrics(op *pb.Operation) {
	op.Progress = &pb.OperationProgress{Metrics: []*pb.OperationProgress_Metric{
		metric("CLUSTER_CONFIGURING", 8), metric("CLUSTER_CONFIGURING_TOTAL", 8),
		metric("CLUSTER_DEPLOYING", 3), metric("CLUSTER_DEPLOYING_TOTAL", 12),
		metric("CLUSTER_HEALTHCHECKING", 1), metric("CLUSTER_HEALTHCHECKING_TOTAL", 2),
	}}
}

func failed(code codes.Code, text string) func(*pb.Operation) {
	return func(op *pb.Operation) {
		op.Status, op.Error = pb.Operation_DONE, &spb.Status{Code: int32(code), Message: text}
	}
}

func done(op *pb.Operation) { op.Status = pb.Operation_DONE }

func condition(code pb.StatusCondition_Code, text string) func(*pb.Cluster) {
	return func(c *pb.Cluster) {
		c.Conditions = append(c.Conditions, &pb.StatusCondition{Code: code, Message: text})
	}
}

const stockoutText = "ZONE_RESOURCE_POOL_EXHAUSTED: The zone 'europe-west1-b' does not have enough resources available to fulfill the request. Try a different zone, or try again later."

func TestObserve(t *testing.T) {
	other := running(func(op *pb.Operation) { op.Name = "operation-1-a"; op.TargetLink += "-2" })
	upgrade := running(func(op *pb.Operation) { op.Name = "operation-2-b"; op.TargetLink += "/nodePools/default-pool" })
	ended := running(done, func(op *pb.Operation) { op.Name = "operation-3-c" })
	list := answer{reply: &pb.ListOperationsResponse{Operations: []*pb.Operation{other, ended, upgrade}}}
	base := environment.SeenCluster{Mine: true, ClusterID: "c7f3a", Nodes: 3, MaxNodes: 10}
	seen := func(state environment.CloudState, change ...func(*environment.SeenCluster)) environment.SeenCluster {
		s := base
		s.State = state
		for _, f := range change {
			f(&s)
		}
		return s
	}
	tests := map[string]struct {
		operation string
		answers   map[string]answer
		want      environment.SeenCluster
	}{
		"absent":                       {"", map[string]answer{"GetCluster": {err: notFound()}}, environment.SeenCluster{State: environment.CloudAbsent}},
		"running, nothing asked about": {"", map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING)}}, seen(environment.CloudRunning)},
		"being made": {operationID,
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_PROVISIONING)}, "GetOperation": {reply: running(metrics)}},
			seen(environment.CloudProvisioning, func(s *environment.SeenCluster) {
				s.Operation, s.Busy, s.Progress = environment.OperationRunning, operationID, environment.Progress{Done: 12, Total: 22}
			})},
		"made": {operationID,
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING)}, "GetOperation": {reply: running(metrics, done)}},
			seen(environment.CloudRunning, func(s *environment.SeenCluster) {
				s.Operation, s.Progress = environment.OperationDone, environment.Progress{Done: 22, Total: 22}
			})},
		"operation forgotten": {operationID,
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING)}, "GetOperation": {err: status.Error(codes.NotFound, "Not found: operation.")}},
			seen(environment.CloudRunning)},
		"somebody else's name": {"",
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING, func(c *pb.Cluster) { c.ResourceLabels = nil })}},
			seen(environment.CloudRunning, func(s *environment.SeenCluster) { s.Mine, s.ClusterID = false, "" })},
		"another operation holds the lock": {"",
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RECONCILING)}, "ListOperations": list},
			seen(environment.CloudReconciling, func(s *environment.SeenCluster) { s.Busy = "operation-2-b" })},
		"stopping after the operation was forgotten": {operationID,
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_STOPPING)}, "ListOperations": list, "GetOperation": {err: status.Error(codes.NotFound, "Not found.")}},
			seen(environment.CloudStopping, func(s *environment.SeenCluster) { s.Busy = "operation-2-b" })},
		"stocked out while it is still tried": {operationID,
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_PROVISIONING, condition(pb.StatusCondition_GCE_STOCKOUT, stockoutText))}, "GetOperation": {reply: running()}},
			seen(environment.CloudProvisioning, func(s *environment.SeenCluster) {
				s.Operation, s.Busy = environment.OperationRunning, operationID
				s.Failure = &environment.Error{Code: environment.CodeUnavailable, Stockout: true}
			})},
		"a cluster that works keeps its conditions to itself": {"",
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING, condition(pb.StatusCondition_GCE_STOCKOUT, stockoutText))}},
			seen(environment.CloudRunning)},
		"quota, found out late": {operationID,
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_ERROR)}, "GetOperation": {reply: running(
				failed(codes.ResourceExhausted, "Instance 'gke-1' creation failed: Quota 'IN_USE_ADDRESSES' exceeded. Limit: 8.0 in region europe-west1."))}},
			seen(environment.CloudError, func(s *environment.SeenCluster) {
				s.Operation, s.Failure = environment.OperationFailed, &environment.Error{Code: environment.CodeQuota}
			})},
		"failed and already gone": {operationID,
			map[string]answer{"GetCluster": {err: notFound()}, "GetOperation": {reply: running(failed(codes.Unknown, stockoutText))}},
			environment.SeenCluster{State: environment.CloudAbsent, Operation: environment.OperationFailed,
				Failure: &environment.Error{Code: environment.CodeUnavailable, Stockout: true}}},
		"in error, nobody knows the operation": {"",
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_ERROR, condition(pb.StatusCondition_GCE_QUOTA_EXCEEDED, "Quota 'CPUS' exceeded.  Limit: 8.0 in region europe-west1."))}},
			seen(environment.CloudError, func(s *environment.SeenCluster) { s.Failure = &environment.Error{Code: environment.CodeQuota} })},
		"a state of a later GKE": {"",
			map[string]answer{"GetCluster": {reply: shown(pb.Cluster_Status(99))}}, seen(environment.CloudUnknown)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, test.answers)
			got, err := c.Observe(t.Context(), "p", here(), test.operation)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(environment.Error{}, "Message", "Err")); diff != "" {
				t.Errorf("got a different observation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObserveAsksForTheFullNames(t *testing.T) {
	c, s := connect(t, map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING)}, "GetOperation": {reply: running(done)}})
	if _, err := c.Observe(t.Context(), "p", here(), operationID); err != nil {
		t.Fatal(err)
	}
	if got, want := request[*pb.GetOperationRequest](t, s).GetName(), "projects/p/locations/europe-west1-b/operations/"+operationID; got != want {
		t.Errorf("got operation %q; want %q", got, want)
	}
	if got, want := request[*pb.GetClusterRequest](t, s).GetName(), "projects/p/locations/europe-west1-b/clusters/dask-7f3a"; got != want {
		t.Errorf("got cluster %q; want %q", got, want)
	}
}

func TestObserveThatFailsIsUnknownNotAbsent(t *testing.T) {
	for name, err := range map[string]error{
		"unavailable":     status.Error(codes.Unavailable, "The service is currently unavailable."),
		"denied":          status.Error(codes.PermissionDenied, "Permission denied on resource project p."),
		"missing project": status.Error(codes.NotFound, "Not found: projects/p."),
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, map[string]answer{"GetCluster": {err: err}})
			got, err := c.Observe(t.Context(), "p", here(), "")
			if err == nil || got.State != environment.CloudUnknown {
				t.Errorf("got %+v, %v; want an error and nothing observed", got, err)
			}
		})
	}
}

func TestReadsAreNotRepeatedInHiding(t *testing.T) {
	c, s := connect(t, map[string]answer{"GetCluster": {err: status.Error(codes.Unavailable, "The service is currently unavailable.")}})
	_, err := c.Observe(t.Context(), "p", here(), "")
	if environment.CodeOf(err) != environment.CodeUnavailable || len(s.asked) != 1 {
		t.Errorf("got %v after %d calls; want unavailable after 1", err, len(s.asked))
	}
}

func TestMaxNodes(t *testing.T) {
	three := []string{"a", "b", "c"}
	tests := map[string]struct {
		pools []*pb.NodePool
		want  int
	}{
		"fixed":          {[]*pb.NodePool{{Name: poolName}}, 3},
		"per zone":       {[]*pb.NodePool{{Name: poolName, Locations: three, Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, MaxNodeCount: 4}}}, 12},
		"whole pool":     {[]*pb.NodePool{{Name: poolName, Locations: three, Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, TotalMaxNodeCount: 4}}}, 4},
		"another's pool": {[]*pb.NodePool{{Name: "gpu", Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, MaxNodeCount: 4}}}, 3},
	}
	for name, test := range tests {
		if got := maxNodes(&pb.Cluster{NodePools: test.pools}, 3); got != test.want {
			t.Errorf("%s: got %d; want %d", name, got, test.want)
		}
	}
}
