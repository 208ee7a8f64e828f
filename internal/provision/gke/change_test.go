package gke

import (
	"errors"
	"testing"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestDelete(t *testing.T) {
	ours := answer{reply: shown(pb.Cluster_RUNNING)}
	deleting := &pb.Operation{Name: operationID}
	tests := map[string]struct {
		answers map[string]answer
		want    string
		code    environment.Code
		busy    string
	}{
		"asked":            {map[string]answer{"GetCluster": ours, "DeleteCluster": {reply: deleting}}, operationID, "", ""},
		"absent":           {map[string]answer{"GetCluster": {err: notFound()}}, "", "", ""},
		"gone in between":  {map[string]answer{"GetCluster": ours, "DeleteCluster": {err: notFound()}}, "", "", ""},
		"already stopping": {map[string]answer{"GetCluster": {reply: shown(pb.Cluster_STOPPING)}}, "", "", ""},
		"not ours": {map[string]answer{"GetCluster": {reply: shown(pb.Cluster_RUNNING, func(c *pb.Cluster) { c.ResourceLabels = nil })}},
			"", environment.CodeForbidden, ""},
		"busy, 2024 text": {map[string]answer{"GetCluster": ours, "DeleteCluster": {err: status.Error(codes.FailedPrecondition,
			"Cluster is running incompatible operation "+operationID+".")}}, "", environment.CodeUnavailable, operationID},
		"busy, older text": {map[string]answer{"GetCluster": ours, "DeleteCluster": {err: status.Error(codes.FailedPrecondition,
			"Operation "+operationID+" is currently creating a node pool for cluster dask-7f3a. Please wait and try again once it is done.")}},
			"", environment.CodeUnavailable, operationID},
		"busy, no name in the text": {map[string]answer{"GetCluster": ours,
			"DeleteCluster":  {err: status.Error(codes.FailedPrecondition, "The cluster is busy.")},
			"ListOperations": {reply: &pb.ListOperationsResponse{Operations: []*pb.Operation{running()}}}},
			"", environment.CodeUnavailable, operationID},
		"unknown whether it exists": {map[string]answer{"GetCluster": {err: status.Error(codes.Unavailable, "try again")}}, "", environment.CodeUnavailable, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, test.answers)
			got, err := c.Delete(t.Context(), "p", here())
			var e *environment.Error
			errors.As(err, &e)
			if got != test.want || environment.CodeOf(err) != test.code || (e != nil && e.Busy != test.busy) {
				t.Errorf("got %q, %+v; want %q, code %q, busy %q", got, err, test.want, test.code, test.busy)
			}
			if err != nil && test.busy != "" && !environment.Retryable(err) {
				t.Errorf("got %v; want a retryable error", err)
			}
		})
	}
}

func TestResize(t *testing.T) {
	const pool = "projects/p/locations/europe-west1-b/clusters/dask-7f3a/nodePools/default-pool"
	const regionalPool = "projects/p/locations/europe-west1/clusters/dask-7f3a/nodePools/default-pool"
	fixed := func(c *environment.Cluster) { c.Shape.MinNodes, c.Shape.MaxNodes = 2, 2 }
	tests := map[string]struct {
		change func(*environment.Cluster)
		want   proto.Message
	}{
		"autoscaled moves the ceiling": {func(c *environment.Cluster) { c.MaxNodes = 5 },
			&pb.SetNodePoolAutoscalingRequest{Name: pool, Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, MinNodeCount: 1, MaxNodeCount: 5}}},
		"not below the floor": {func(c *environment.Cluster) { c.Shape.MinNodes, c.MaxNodes = 3, 2 },
			&pb.SetNodePoolAutoscalingRequest{Name: pool, Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, MinNodeCount: 3, MaxNodeCount: 3}}},
		"fixed changes the size": {func(c *environment.Cluster) { fixed(c); c.MaxNodes = 4 },
			&pb.SetNodePoolSizeRequest{Name: pool, NodeCount: 4}},
		"fixed in a region counts per zone": {func(c *environment.Cluster) { fixed(c); c.Location, c.MaxNodes = "europe-west1", 4 },
			&pb.SetNodePoolSizeRequest{Name: regionalPool, NodeCount: 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			op := answer{reply: &pb.Operation{Name: operationID}}
			c, s := connect(t, map[string]answer{"SetNodePoolAutoscaling": op, "SetNodePoolSize": op,
				"GetNodePool": {reply: &pb.NodePool{Name: poolName, Locations: []string{"a", "b"}}}})
			cl := aCluster()
			test.change(&cl)
			got, err := c.Resize(t.Context(), cl)
			if err != nil || got != operationID {
				t.Fatalf("got %q, %v; want %q", got, err, operationID)
			}
			if diff := cmp.Diff(test.want, s.asked[len(s.asked)-1], protocmp.Transform()); diff != "" {
				t.Errorf("the request differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResizeOfABusyClusterNamesTheHolder(t *testing.T) {
	c, _ := connect(t, map[string]answer{"SetNodePoolAutoscaling": {err: status.Error(codes.FailedPrecondition,
		"Cluster is running incompatible operation "+operationID)}})
	_, err := c.Resize(t.Context(), aCluster())
	var e *environment.Error
	if !errors.As(err, &e) || e.Busy != operationID || e.Ambiguous {
		t.Errorf("got %+v; want busy with %s", err, operationID)
	}
}
