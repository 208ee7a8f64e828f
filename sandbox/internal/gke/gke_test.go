package gke

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

const (
	inProject = "projects/sandbox-project"
	inZone    = inProject + "/locations/europe-west1-b"
)

// planes is a cloud.ControlPlanes that starts nothing and keeps the nodes of
// the clusters in the world.
type planes struct {
	world *cloud.World
	mu    sync.Mutex
	up    map[string]bool
	fails error
}

func (p *planes) Start(ctx context.Context, spec cloud.ClusterSpec) (cloud.Endpoint, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails != nil {
		return cloud.Endpoint{}, p.fails
	}
	p.up[spec.ID] = true
	return cloud.Endpoint{Address: "127.0.0.9", CACertificate: []byte("PEM")}, p.setNodes(ctx, spec.ID, spec.Pools)
}

func (p *planes) SetNodePools(ctx context.Context, id string, pools []cloud.NodePool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.setNodes(ctx, id, pools)
}

func (p *planes) setNodes(ctx context.Context, id string, pools []cloud.NodePool) error {
	wanted := map[string]bool{}
	for _, pool := range pools {
		wanted[pool.Name] = true
	}
	for _, r := range p.world.Resources(cloud.KindInstance, "") {
		if r.ClusterID == id && !wanted[r.Pool] {
			if err := p.world.RemoveNodes(ctx, id, r.Pool, []string{r.Name}); err != nil {
				return err
			}
		}
	}
	for _, pool := range pools {
		var have, extra []string
		for i := range p.world.NodeCount(id, pool.Name) + pool.Count {
			name := fmt.Sprintf("%s-%d", pool.Name, i)
			if i < pool.Count {
				have = append(have, name)
			} else {
				extra = append(extra, name)
			}
		}
		if err := p.world.AddNodes(ctx, id, pool.Name, have); err != nil {
			return fmt.Errorf("pool %s: %w", pool.Name, err)
		}
		if err := p.world.RemoveNodes(ctx, id, pool.Name, extra); err != nil {
			return err
		}
	}
	return nil
}

func (p *planes) Stop(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.up, id)
	return nil
}

// fixture is a running Server behind Google's own client. It is made to live
// in a synctest bubble, where the real times of GKE pass at once.
type fixture struct {
	*container.ClusterManagerClient
	t      *testing.T
	world  *cloud.World
	planes *planes
	stop   func()
}

func start(t *testing.T) *fixture {
	t.Helper()
	world, err := cloud.Open(cloud.Config{Dir: t.TempDir(), Network: "127.202"})
	if err != nil {
		t.Fatal(err)
	}
	if err := world.SetLatencies("gke", nil); err != nil {
		t.Fatal(err)
	}
	return serve(t, world)
}

// serve runs a new Server on a world, as after a restart.
func serve(t *testing.T, world *cloud.World) *fixture {
	t.Helper()
	p := &planes{world: world, up: map[string]bool{}}
	s := New(Config{World: world, Planes: p, Token: "secret"})
	ctx, cancel := context.WithCancel(t.Context())
	listener := bufconn.Listen(1 << 20)
	g := s.GRPC()
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	running.Go(func() { _ = g.Serve(listener) })
	conn, err := grpc.NewClient("passthrough:///sandbox", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClusterManagerClient(ctx, option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = conn.Close()
		cancel()
		g.Stop()
		running.Wait()
	})
	t.Cleanup(stop)
	return &fixture{ClusterManagerClient: client, t: t, world: world, planes: p, stop: stop}
}

// cluster is a small valid one.
func newTestCluster(name string) *containerpb.Cluster {
	return &containerpb.Cluster{Name: name, NodePools: []*containerpb.NodePool{{
		Name: "default-pool", InitialNodeCount: 1,
		Config:      &containerpb.NodeConfig{MachineType: "n1-standard-4", DiskSizeGb: 50, DiskType: "pd-standard"},
		Autoscaling: &containerpb.NodePoolAutoscaling{Enabled: true, MinNodeCount: 1, MaxNodeCount: 10},
	}}}
}

func (f *fixture) create(c *containerpb.Cluster) (*containerpb.Operation, error) {
	return f.CreateCluster(f.t.Context(), &containerpb.CreateClusterRequest{Parent: inZone, Cluster: c})
}

func (f *fixture) get(name string) (*containerpb.Cluster, error) {
	return f.GetCluster(f.t.Context(), &containerpb.GetClusterRequest{Name: inZone + "/clusters/" + name})
}

// await lets time pass until the operation is done and returns it.
func (f *fixture) await(op *containerpb.Operation, err error) *containerpb.Operation {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
	for range 2000 {
		op, err := f.GetOperation(f.t.Context(), &containerpb.GetOperationRequest{Name: inZone + "/operations/" + op.GetName()})
		if err != nil {
			f.t.Fatal(err)
		}
		if op.GetStatus() == containerpb.Operation_DONE {
			return op
		}
		<-time.After(5 * time.Second)
	}
	f.t.Fatalf("operation %s never ends", op.GetName())
	return nil
}

// up makes a cluster and waits until it runs.
func (f *fixture) up(name string) {
	f.t.Helper()
	if op := f.await(f.create(newTestCluster(name))); op.GetError() != nil {
		f.t.Fatalf("create: %v", op.GetError())
	}
}

func (f *fixture) fault(fault cloud.Fault) {
	f.t.Helper()
	if _, err := f.world.AddFault(fault); err != nil {
		f.t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: got %v (%v); want %v", what, got, err, want)
	}
}
