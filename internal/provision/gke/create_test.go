package gke

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestCreateSendsTheWholeCluster(t *testing.T) {
	c, s := connect(t, map[string]answer{"CreateCluster": {reply: running()}})
	op, err := c.Create(t.Context(), aCluster())
	if err != nil || op != operationID {
		t.Fatalf("got %q, %v; want %q", op, err, operationID)
	}
	want := &pb.CreateClusterRequest{Parent: "projects/p/locations/europe-west1-b", Cluster: &pb.Cluster{
		Name: "dask-7f3a",
		ResourceLabels: map[string]string{"daskbot-installation": "cs101", "daskbot-cluster-id": "c7f3a",
			"daskbot-environment": "e7f3a", "daskbot-delete-after": "1800000000"},
		ReleaseChannel:         &pb.ReleaseChannel{Channel: pb.ReleaseChannel_REGULAR},
		IpAllocationPolicy:     &pb.IPAllocationPolicy{UseIpAliases: true, ClusterIpv4CidrBlock: "/20"},
		WorkloadIdentityConfig: &pb.WorkloadIdentityConfig{WorkloadPool: "p.svc.id.goog"},
		CostManagementConfig:   &pb.CostManagementConfig{Enabled: true},
		NodePools: []*pb.NodePool{{
			Name: "default-pool", InitialNodeCount: 2,
			Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, MinNodeCount: 1, MaxNodeCount: 10},
			Management:  &pb.NodeManagement{AutoUpgrade: true, AutoRepair: true},
			Config: &pb.NodeConfig{MachineType: "n1-standard-4", DiskSizeGb: 50, DiskType: "pd-standard",
				OauthScopes: []string{"https://www.googleapis.com/auth/cloud-platform"}},
		}},
	}}
	if diff := cmp.Diff(want, request[*pb.CreateClusterRequest](t, s), protocmp.Transform()); diff != "" {
		t.Errorf("the request differs from what is wanted (-want +got):\n%s", diff)
	}
	if want := []string{"Bearer t0ken"}; !cmp.Equal(s.tokens, want) {
		t.Errorf("got authorization %q; want %q", s.tokens, want)
	}
}

func TestCreateFollowsTheShape(t *testing.T) {
	tests := map[string]struct {
		change func(*environment.Cluster)
		look   func(*pb.Cluster) any
		want   any
	}{
		"fixed size has no autoscaler": {
			func(c *environment.Cluster) { c.Shape.MinNodes, c.Shape.MaxNodes, c.MaxNodes = 3, 3, 3 },
			func(c *pb.Cluster) any { return c.GetNodePools()[0].GetAutoscaling() == nil }, true},
		"spot takes any zone": {
			func(c *environment.Cluster) { c.Shape.Spot = true },
			func(c *pb.Cluster) any {
				p := c.GetNodePools()[0]
				return p.GetConfig().GetSpot() && p.GetAutoscaling().GetLocationPolicy() == pb.NodePoolAutoscaling_ANY
			}, true},
		"a region spreads the start": {
			func(c *environment.Cluster) { c.Location, c.Shape.Nodes = "europe-west1", 4 },
			func(c *pb.Cluster) any { return c.GetNodePools()[0].GetInitialNodeCount() }, int32(2)},
		"a region bounds the whole pool": {
			func(c *environment.Cluster) { c.Location = "europe-west1" },
			func(c *pb.Cluster) any {
				a := c.GetNodePools()[0].GetAutoscaling()
				return [4]int32{a.GetMinNodeCount(), a.GetMaxNodeCount(), a.GetTotalMinNodeCount(), a.GetTotalMaxNodeCount()}
			}, [4]int32{0, 0, 1, 10}},
		"a ceiling moved before the create": {
			func(c *environment.Cluster) { c.MaxNodes = 12 },
			func(c *pb.Cluster) any { return c.GetNodePools()[0].GetAutoscaling().GetMaxNodeCount() }, int32(12)},
		"version and channel": {
			func(c *environment.Cluster) { c.Shape.Version, c.Shape.Channel = "1.35", "stable" },
			func(c *pb.Cluster) any {
				return c.GetInitialClusterVersion() + " " + c.GetReleaseChannel().GetChannel().String()
			}, "1.35 STABLE"},
		"the DNS endpoint is opened when asked": {
			func(c *environment.Cluster) { c.Shape.DNSEndpoint = true },
			func(c *pb.Cluster) any {
				return c.GetControlPlaneEndpointsConfig().GetDnsEndpointConfig().GetAllowExternalTraffic()
			}, true},
		"many nodes need more addresses": {
			func(c *environment.Cluster) { c.Shape.MaxNodes = 16 },
			func(c *pb.Cluster) any { return c.GetIpAllocationPolicy().GetClusterIpv4CidrBlock() }, "/19"},
		"so does what scale may ask for later": {
			func(c *environment.Cluster) { c.Room = 20 },
			func(c *pb.Cluster) any { return c.GetIpAllocationPolicy().GetClusterIpv4CidrBlock() }, "/19"},
		"a course's cluster names the course": {
			func(c *environment.Cluster) { c.Environment, c.Course = "", "CS 101/α" },
			func(c *pb.Cluster) any { return c.GetResourceLabels()["daskbot-course"] }, "cs-101--"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, s := connect(t, map[string]answer{"CreateCluster": {reply: running()}})
			cl := aCluster()
			test.change(&cl)
			if _, err := c.Create(t.Context(), cl); err != nil {
				t.Fatal(err)
			}
			if got := test.look(request[*pb.CreateClusterRequest](t, s).GetCluster()); !cmp.Equal(got, test.want) {
				t.Errorf("got %v; want %v", got, test.want)
			}
		})
	}
}

func TestCreateMeetsErrors(t *testing.T) {
	tests := map[string]struct {
		err       error
		code      environment.Code
		ambiguous bool
	}{
		"exists":           {status.Error(codes.AlreadyExists, "Already exists: projects/1/zones/z/clusters/dask-7f3a."), "", false},
		"unavailable":      {status.Error(codes.Unavailable, "The service is currently unavailable."), environment.CodeUnavailable, true},
		"deadline":         {status.Error(codes.DeadlineExceeded, "Deadline exceeded."), environment.CodeUnavailable, true},
		"internal":         {status.Error(codes.Internal, "Internal error."), environment.CodeUnavailable, true},
		"quota":            {status.Error(codes.PermissionDenied, `Insufficient regional quota to satisfy request: resource "CPUS": request requires '12.0' and is short '4.0'.`), environment.CodeQuota, false},
		"denied":           {status.Error(codes.PermissionDenied, `Required "container.clusters.create" permission(s) for "projects/p".`), environment.CodeForbidden, false},
		"rate":             {status.Error(codes.ResourceExhausted, "Quota exceeded for quota metric 'Requests'"), environment.CodeUnavailable, false},
		"invalid argument": {status.Error(codes.InvalidArgument, `Master version "1.23" is unsupported.`), environment.CodeInvalid, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, map[string]answer{"CreateCluster": {err: test.err}})
			op, err := c.Create(t.Context(), aCluster())
			var e *environment.Error
			errors.As(err, &e)
			if op != "" || environment.CodeOf(err) != test.code || (e != nil && e.Ambiguous != test.ambiguous) {
				t.Errorf("got %q, %+v; want code %q, ambiguous %v", op, err, test.code, test.ambiguous)
			}
		})
	}
}

func TestCreateThatWasNeverSentIsNotAmbiguous(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = dial(t, address).Create(t.Context(), aCluster())
	var e *environment.Error
	if !errors.As(err, &e) || e.Code != environment.CodeUnavailable || e.Ambiguous {
		t.Errorf("got %+v; want unavailable and not ambiguous", err)
	}
}

func TestCreateWithoutAnAnswerIsAmbiguous(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = dial(t, listener.Addr().String()).Create(ctx, aCluster())
	var e *environment.Error
	if !errors.As(err, &e) || e.Code != environment.CodeUnavailable || !e.Ambiguous {
		t.Errorf("got %+v; want unavailable and ambiguous", err)
	}
}

func TestCreateRefusesAnUnknownChannel(t *testing.T) {
	c, s := connect(t, nil)
	cl := aCluster()
	cl.Shape.Channel = "unspecified"
	if _, err := c.Create(t.Context(), cl); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want invalid", err)
	}
	if len(s.asked) != 0 {
		t.Errorf("got %d calls; want none", len(s.asked))
	}
}

func TestPodRangeHoldsTheNodes(t *testing.T) {
	for nodes, want := range map[int]string{0: "/20", 1: "/20", 15: "/20", 16: "/19", 31: "/19", 32: "/18", 1000: "/14", 5000: "/14"} {
		if got := podRange(nodes); got != want {
			t.Errorf("podRange(%d): got %s; want %s", nodes, got, want)
		}
	}
}
