package gke

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/daskbot/daskbot/internal/environment"
)

// server is a ClusterManager at the other end of a real connection. It
// answers what a test scripted, by method, and keeps what it was asked.
type server struct {
	pb.UnimplementedClusterManagerServer
	answers map[string]answer

	mu     sync.Mutex
	asked  []proto.Message
	tokens []string
}

// answer is a reply, or an error.
type answer struct {
	reply proto.Message
	err   error
}

// reply looks up the answer to method; methods without one are Unimplemented,
// so that a test sees calls it did not expect.
func reply[T proto.Message](ctx context.Context, s *server, method string, request proto.Message) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, request)
	md, _ := metadata.FromIncomingContext(ctx)
	s.tokens = append(s.tokens, md.Get("authorization")...)
	var none T
	a, ok := s.answers[method]
	switch {
	case !ok:
		return none, status.Errorf(codes.Unimplemented, "the test did not expect %s", method)
	case a.err != nil:
		return none, a.err
	default:
		return a.reply.(T), nil
	}
}

// request is the last one of its type that the server was asked.
func request[T proto.Message](t *testing.T, s *server) T {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.asked) - 1; i >= 0; i-- {
		if r, ok := s.asked[i].(T); ok {
			return r
		}
	}
	var none T
	t.Fatalf("got no %T among %d requests", none, len(s.asked))
	return none
}

func (s *server) CreateCluster(ctx context.Context, r *pb.CreateClusterRequest) (*pb.Operation, error) {
	return reply[*pb.Operation](ctx, s, "CreateCluster", r)
}

func (s *server) GetCluster(ctx context.Context, r *pb.GetClusterRequest) (*pb.Cluster, error) {
	return reply[*pb.Cluster](ctx, s, "GetCluster", r)
}

func (s *server) ListClusters(ctx context.Context, r *pb.ListClustersRequest) (*pb.ListClustersResponse, error) {
	return reply[*pb.ListClustersResponse](ctx, s, "ListClusters", r)
}

func (s *server) DeleteCluster(ctx context.Context, r *pb.DeleteClusterRequest) (*pb.Operation, error) {
	return reply[*pb.Operation](ctx, s, "DeleteCluster", r)
}

func (s *server) GetOperation(ctx context.Context, r *pb.GetOperationRequest) (*pb.Operation, error) {
	return reply[*pb.Operation](ctx, s, "GetOperation", r)
}

func (s *server) ListOperations(ctx context.Context, r *pb.ListOperationsRequest) (*pb.ListOperationsResponse, error) {
	return reply[*pb.ListOperationsResponse](ctx, s, "ListOperations", r)
}

func (s *server) GetNodePool(ctx context.Context, r *pb.GetNodePoolRequest) (*pb.NodePool, error) {
	return reply[*pb.NodePool](ctx, s, "GetNodePool", r)
}

func (s *server) SetNodePoolSize(ctx context.Context, r *pb.SetNodePoolSizeRequest) (*pb.Operation, error) {
	return reply[*pb.Operation](ctx, s, "SetNodePoolSize", r)
}

func (s *server) SetNodePoolAutoscaling(ctx context.Context, r *pb.SetNodePoolAutoscalingRequest) (*pb.Operation, error) {
	return reply[*pb.Operation](ctx, s, "SetNodePoolAutoscaling", r)
}

func (s *server) GetServerConfig(ctx context.Context, r *pb.GetServerConfigRequest) (*pb.ServerConfig, error) {
	return reply[*pb.ServerConfig](ctx, s, "GetServerConfig", r)
}

// connect starts the server on loopback and a Client that talks to it.
func connect(t *testing.T, answers map[string]answer) (*Client, *server) {
	t.Helper()
	s := &server{answers: answers}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := grpc.NewServer()
	pb.RegisterClusterManagerServer(rpc, s)
	go func() { _ = rpc.Serve(listener) }()
	t.Cleanup(rpc.Stop)
	return dial(t, listener.Addr().String()), s
}

func dial(t *testing.T, endpoint string) *Client {
	t.Helper()
	c, err := New(t.Context(), Config{
		Endpoint: endpoint, Insecure: true, StaticToken: environment.NewSecret("t0ken"),
		Installation: "cs101", ServiceAccount: "daskbot@host-project.iam.gserviceaccount.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const operationID = "operation-1790000000000-7f3a1c2e-0b1d-4c5e-8f90-a1b2c3d4e5f6"

// aCluster is a row as the runner passes it, with nothing unusual.
func aCluster() environment.Cluster {
	return environment.Cluster{
		ID: "c7f3a", Placement: environment.Dedicated, Environment: "e7f3a", Project: "p", Name: "dask-7f3a", Location: "europe-west1-b",
		DeleteAfter: time.Unix(1800000000, 0),
		MaxNodes:    10,
		Shape: environment.ClusterShape{MachineType: "n1-standard-4", Nodes: 2, MinNodes: 1, MaxNodes: 10,
			DiskGB: 50, DiskType: "pd-standard", Locations: []string{"europe-west1-b"}},
	}
}

func here() environment.ClusterAttempt {
	return environment.ClusterAttempt{Name: "dask-7f3a", Location: "europe-west1-b"}
}

// shown is that cluster as GKE shows it.
func shown(state pb.Cluster_Status, change ...func(*pb.Cluster)) *pb.Cluster {
	c := &pb.Cluster{
		Name: "dask-7f3a", Location: "europe-west1-b", Status: state, CurrentNodeCount: 3,
		ResourceLabels: map[string]string{environment.LabelInstallation: "cs101", environment.LabelClusterID: "c7f3a",
			environment.LabelDeleteAfter: "1800000000"},
		NodePools: []*pb.NodePool{{Name: poolName, Locations: []string{"europe-west1-b"},
			Autoscaling: &pb.NodePoolAutoscaling{Enabled: true, MinNodeCount: 1, MaxNodeCount: 10}}},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func notFound() error {
	return status.Error(codes.NotFound, "Not found: projects/100000000001/zones/europe-west1-b/clusters/dask-7f3a.")
}

func running(change ...func(*pb.Operation)) *pb.Operation {
	op := &pb.Operation{Name: operationID, Status: pb.Operation_RUNNING, OperationType: pb.Operation_CREATE_CLUSTER,
		TargetLink: "https://container.googleapis.com/v1/projects/100000000001/zones/europe-west1-b/clusters/dask-7f3a"}
	for _, f := range change {
		f(op)
	}
	return op
}
