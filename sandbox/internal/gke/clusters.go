package gke

import (
	"context"
	"slices"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/proto"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// GetCluster shows one cluster.
func (s *Server) GetCluster(_ context.Context, r *containerpb.GetClusterRequest) (*containerpb.Cluster, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	return s.show(c)
}

// ListClusters lists the clusters of a location, or of all. When zones were
// scripted to be missing it leaves theirs out and names the zones; when the
// list was scripted to be empty it is, and does not say that anything is amiss.
func (s *Server) ListClusters(_ context.Context, r *containerpb.ListClustersRequest) (*containerpb.ListClustersResponse, error) {
	t, err := s.target(r)
	if err != nil {
		return nil, err
	}
	if s.world.Take("empty-list", cloud.Occasion{Method: "ListClusters", Project: t.Project, Location: t.Location}) != nil {
		return &containerpb.ListClustersResponse{}, nil
	}
	answer := &containerpb.ListClustersResponse{MissingZones: s.missing("ListClusters", t)}
	for _, c := range s.world.Clusters(t.Project, t.Location) {
		if slices.Contains(answer.MissingZones, c.Spec.Location) {
			continue
		}
		shown, err := s.show(c)
		if err != nil {
			return nil, err
		}
		answer.Clusters = append(answer.Clusters, shown)
	}
	return answer, nil
}

// missing are the zones that were scripted not to answer.
func (s *Server) missing(method string, t target) []string {
	f := s.world.Take("missing-zones", cloud.Occasion{Method: method, Project: t.Project, Location: t.Location})
	if f == nil && t.Location == "-" {
		for _, scripted := range s.world.Faults() {
			if scripted.Kind == "missing-zones" && scripted.Zone != "" {
				f = s.world.Take("missing-zones", cloud.Occasion{Method: method, Project: t.Project, Location: scripted.Zone})
				break
			}
		}
	}
	switch {
	case f == nil:
		return nil
	case f.Zone != "":
		return []string{f.Zone}
	}
	var zones []string
	for _, c := range s.world.Clusters(t.Project, t.Location) {
		zones = append(zones, c.Spec.Location)
	}
	if zones == nil {
		zones = cloud.ZonesOf("us-central1")
	}
	return slices.Compact(zones)
}

// DeleteCluster begins to delete a cluster. It does not wait for another
// operation: it answers FAILED_PRECONDITION, as GKE does.
func (s *Server) DeleteCluster(_ context.Context, r *containerpb.DeleteClusterRequest) (*containerpb.Operation, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	op := cloud.Lasting(deleteCluster, s.world.Latency(cloud.ClusterDelete).Draw())
	op.ClusterID = c.Spec.ID
	op.Project, op.Location, op.Cluster = c.Spec.Project, c.Spec.Location, c.Spec.Name
	o := cloud.Occasion{Method: "DeleteCluster", Project: c.Spec.Project, Location: c.Spec.Location, Cluster: c.Spec.Name}
	if !s.world.Busy(c.Spec.ID) && s.world.Take("delete-fails", o) != nil {
		op.Doom = &cloud.OperationError{Code: cloud.Internal, Message: "Internal error: the cluster could not be deleted."}
	}
	op, err = s.world.Begin(op, func(c *cloud.Cluster) error {
		c.Status, c.StatusMessage, c.Condition = cloud.Stopping, "", ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.begun()
	return s.operation(op), nil
}

// SetLabels replaces a cluster's labels when the fingerprint is that of the
// labels it has now.
func (s *Server) SetLabels(_ context.Context, r *containerpb.SetLabelsRequest) (*containerpb.Operation, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	if err := checkLabels(r.GetResourceLabels()); err != nil {
		return nil, err
	}
	return s.begin(cloud.Lasting(updateCluster, s.world.Latency(cloud.ClusterUpdate).Draw()), c, func(c *cloud.Cluster) error {
		if r.GetLabelFingerprint() != cloud.Fingerprint(c.Spec.Labels) {
			return cloud.Errorf(cloud.FailedPrecondition, "Labels could not be set due to fingerprint mismatch.")
		}
		c.Spec.Labels = r.GetResourceLabels()
		return nil
	})
}

// UpdateCluster changes settings of a cluster: the limits of a node pool's
// autoscaler, the control plane's version, and whatever else has a field of
// the same name and type in Cluster. Other updates are INVALID_ARGUMENT.
func (s *Server) UpdateCluster(_ context.Context, r *containerpb.UpdateClusterRequest) (*containerpb.Operation, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	u := r.GetUpdate()
	if a := u.GetDesiredNodePoolAutoscaling(); a != nil {
		return s.autoscale(c, u.GetDesiredNodePoolId(), a)
	}
	if wanted := u.GetDesiredMasterVersion(); wanted != "" {
		return s.upgrade(c, wanted)
	}
	trial, err := askedOf(c)
	if err != nil {
		return nil, err
	}
	if err := apply(u, trial); err != nil {
		return nil, err
	}
	return s.begin(cloud.Lasting(updateCluster, s.world.Latency(cloud.ClusterUpdate).Draw()), c, func(c *cloud.Cluster) error {
		var failed error
		err := changeAsked(c, func(m *containerpb.Cluster) { failed = apply(u, m) })
		if failed != nil {
			return failed
		}
		return err
	})
}

// UpdateMaster upgrades the control plane.
func (s *Server) UpdateMaster(_ context.Context, r *containerpb.UpdateMasterRequest) (*containerpb.Operation, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	return s.upgrade(c, r.GetMasterVersion())
}

func (s *Server) upgrade(c cloud.Cluster, wanted string) (*containerpb.Operation, error) {
	asked, err := askedOf(c)
	if err != nil {
		return nil, err
	}
	version, err := resolveVersion(asked.GetReleaseChannel().GetChannel(), wanted)
	if err != nil {
		return nil, err
	}
	return s.begin(cloud.Lasting(upgradeMaster, s.world.Latency(cloud.ControlPlaneChange).Draw()), c, func(c *cloud.Cluster) error {
		c.Spec.Version = version
		return nil
	})
}

// apply copies each desired_X of an update to the cluster's field X.
func apply(u *containerpb.ClusterUpdate, c *containerpb.Cluster) error {
	const prefix = "desired_"
	from, to := proto.CloneOf(u).ProtoReflect(), c.ProtoReflect()
	fields, applied := from.Descriptor().Fields(), 0
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !from.Has(fd) {
			continue
		}
		name := fd.Name()
		if len(name) > len(prefix) {
			name = name[len(prefix):]
		}
		into := to.Descriptor().Fields().ByName(name)
		if into == nil || into.Kind() != fd.Kind() || into.Cardinality() != fd.Cardinality() || into.Message() != fd.Message() {
			return cloud.Errorf(cloud.InvalidArgument, "The update %q is not available in this sandbox.", fd.Name())
		}
		to.Set(into, from.Get(fd))
		applied++
	}
	if applied == 0 {
		return cloud.Errorf(cloud.InvalidArgument, "Must specify a field to update.")
	}
	return nil
}

// GetServerConfig shows the versions that can be had.
func (s *Server) GetServerConfig(_ context.Context, r *containerpb.GetServerConfigRequest) (*containerpb.ServerConfig, error) {
	if _, err := s.target(r); err != nil {
		return nil, err
	}
	return serverConfig(), nil
}
