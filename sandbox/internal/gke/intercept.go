package gke

import (
	"context"
	"fmt"
	"path"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// intercept stands before every method, over gRPC and over REST alike: who
// calls, may he, and what was scripted to go wrong.
func (s *Server) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	if err := s.authenticate(ctx); err != nil {
		return nil, err
	}
	message, ok := request.(proto.Message)
	if !ok {
		return nil, status.Error(codes.Internal, "the request is no message")
	}
	t := targetOf(message)
	p, err := s.authorize(t.Project, method)
	if err != nil {
		return nil, rpcError(err)
	}
	o := cloud.Occasion{Method: method, Project: p.ID, Location: t.Location, Cluster: t.Cluster}
	if o.Cluster == "" {
		o.Cluster = newClusterName(message)
	}
	if err := s.misbehave(ctx, o); err != nil {
		return nil, err
	}
	answer, err := handle(ctx, request)
	if err != nil {
		return nil, rpcError(err)
	}
	if f := s.world.Take("lost-reply", o); f != nil {
		return nil, lostReply(f)
	}
	return answer, nil
}

// newClusterName is the name in a request to create a cluster.
func newClusterName(m proto.Message) string {
	if c, ok := m.(interface{ GetCluster() *containerpb.Cluster }); ok {
		return c.GetCluster().GetName()
	}
	return ""
}

func lostReply(f *cloud.Fault) error {
	if f.Value == string(cloud.DeadlineExceeded) {
		return status.Error(codes.DeadlineExceeded, "Deadline exceeded while waiting for the reply.")
	}
	return status.Error(codes.Unavailable, "The connection was reset before the reply arrived.")
}

// authenticate accepts the sandbox's token, and callers that send none.
func (s *Server) authenticate(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, header := range md.Get("authorization") {
		if header != "Bearer "+s.token {
			return status.Error(codes.Unauthenticated, "Request had invalid authentication credentials. Expected OAuth 2 access token, "+
				"login cookie or other valid authentication credential.")
		}
	}
	return nil
}

// permissions names what a method needs, for the text of a refusal.
var permissions = map[string]string{
	"CreateCluster": "container.clusters.create", "DeleteCluster": "container.clusters.delete",
	"GetCluster": "container.clusters.get", "ListClusters": "container.clusters.list",
	"GetOperation": "container.operations.get", "ListOperations": "container.operations.list",
	"GetServerConfig": "container.clusters.list", "ListNodePools": "container.clusters.get", "GetNodePool": "container.clusters.get",
}

func (s *Server) authorize(project, method string) (cloud.Project, error) {
	p, err := s.world.Project(project)
	if err != nil {
		return p, cloud.Errorf(cloud.PermissionDenied, "Permission denied on resource project %s.", project)
	}
	if p.Forbidden {
		permission := permissions[method]
		if permission == "" {
			permission = "container.clusters.update"
		}
		return p, cloud.Errorf(cloud.PermissionDenied, "Required %q permission(s) for %q.", permission, "projects/"+p.ID)
	}
	if p.Disabled {
		page := fmt.Sprintf("https://console.developers.google.com/apis/api/container.googleapis.com/overview?project=%d", p.Number)
		return p, cloud.Errorf(cloud.PermissionDenied, "Kubernetes Engine API has not been used in project %d before or it is disabled. "+
			"Enable it by visiting %s then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.", p.Number, page)
	}
	return p, nil
}

// misbehave applies the faults that fit any method.
func (s *Server) misbehave(ctx context.Context, o cloud.Occasion) error {
	if f := s.world.Take("slow", o); f != nil {
		if err := wait(ctx, time.Now().Add(f.Wait(time.Second))); err != nil {
			return status.FromContextError(err).Err()
		}
	}
	if s.world.Take("unavailable", o) != nil {
		return status.Error(codes.Unavailable, "The service is currently unavailable.")
	}
	if s.world.Take("rate-limit", o) != nil {
		return status.Error(codes.ResourceExhausted, "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' "+
			"of service 'container.googleapis.com' for consumer 'project:"+o.Project+"'.")
	}
	if s.world.Take("permission-denied", o) != nil {
		return status.Errorf(codes.PermissionDenied, "Required %q permission(s) for %q.", permissions[o.Method], "projects/"+o.Project)
	}
	return s.upgradeUnasked(o)
}

// upgradeUnasked lets GKE's own upgrade of the control plane take the lock of
// a cluster just before the caller would.
func (s *Server) upgradeUnasked(o cloud.Occasion) error {
	c, err := s.world.Cluster(o.Project, o.Location, o.Cluster)
	if err != nil || c.Status != cloud.Running {
		return nil
	}
	f := s.world.Take("spontaneous-upgrade", o)
	if f == nil {
		return nil
	}
	op := cloud.Lasting(upgradeMaster, f.Wait(s.world.Latency(cloud.ControlPlaneChange).Draw()))
	op.ClusterID = c.Spec.ID
	if _, err = s.world.Begin(op, nil); err == nil {
		s.begun()
	}
	return nil // a lock that is held already serves the script as well
}
