package gke

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// Config is what a Server needs.
type Config struct {
	World  *cloud.World
	Planes cloud.ControlPlanes
	Token  string // the one bearer token that is accepted; requests without any are too
	Log    *slog.Logger
}

// Server implements the ClusterManager service.
type Server struct {
	containerpb.UnimplementedClusterManagerServer
	world  *cloud.World
	planes cloud.ControlPlanes
	token  string
	log    *slog.Logger
	wake   chan struct{} // holds one: look for operations that have begun
}

// New makes a Server. Operations make no progress until Run is called.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{world: cfg.World, planes: cfg.Planes, token: cfg.Token, log: cfg.Log, wake: make(chan struct{}, 1)}
}

// GRPC is a gRPC server with the service registered.
func (s *Server) GRPC() *grpc.Server {
	g := grpc.NewServer(grpc.UnaryInterceptor(s.intercept))
	containerpb.RegisterClusterManagerServer(g, s)
	return g
}

// Run carries out operations until ctx is done and returns nil when all of
// its work has stopped. It first takes up what an earlier process left:
// unfinished operations, and the control planes of running clusters.
func (s *Server) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for _, c := range s.world.Clusters("", "") {
		if c.Status == cloud.Running || c.Status == cloud.Reconciling {
			work.Go(func() { s.bringBack(ctx, c) })
		}
	}
	claimed := map[string]bool{}
	for {
		for _, op := range s.world.Operations("", "") {
			if !op.Done() && !claimed[op.Name] {
				claimed[op.Name] = true
				work.Go(func() { s.carryOut(ctx, op) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
	}
}

// begun tells Run that an operation was recorded.
func (s *Server) begun() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// bringBack starts the control plane of a cluster that was running before.
func (s *Server) bringBack(ctx context.Context, c cloud.Cluster) {
	c.Spec.Pools = s.world.PoolsNow(c, "")
	s.persist(ctx, "start control plane", c.Spec.ID, func() error {
		endpoint, err := s.planes.Start(ctx, c.Spec)
		if err != nil {
			return err
		}
		return s.world.ChangeCluster(c.Spec.ID, func(c *cloud.Cluster) {
			c.Endpoint, c.CACertificate = endpoint.Address, endpoint.CACertificate
		})
	})
}

// persist calls f until it succeeds, with pauses that grow, or ctx is done.
func (s *Server) persist(ctx context.Context, step, clusterID string, f func() error) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := f()
		if err == nil || ctx.Err() != nil || cloud.CodeOf(err) == cloud.NotFound {
			return
		}
		s.log.Warn("will try again", "step", step, "cluster", clusterID, "reason", err, "dur", pause)
		if wait(ctx, time.Now().Add(pause)) != nil {
			return
		}
	}
}

// wait returns at the given time, or with ctx's error when that comes first.
func wait(ctx context.Context, until time.Time) error {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
