package gke

import (
	"context"
	"regexp"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

var (
	nameRule       = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)
	labelKeyRule   = regexp.MustCompile(`^\p{Ll}[\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValueRule = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
)

const maxLabels = 64

// CreateCluster checks a request as GKE does and begins the operation. Only
// its end shows whether machines were to be had.
func (s *Server) CreateCluster(_ context.Context, r *containerpb.CreateClusterRequest) (*containerpb.Operation, error) {
	t, err := s.target(r)
	if err != nil {
		return nil, err
	}
	asked := r.GetCluster()
	if asked == nil {
		return nil, cloud.Errorf(cloud.InvalidArgument, "Cluster must be specified.")
	}
	c, err := newCluster(t, asked)
	if err != nil {
		return nil, err
	}
	if old, err := s.world.Cluster(t.Project, t.Location, c.Spec.Name); err == nil {
		return nil, cloud.Errorf(cloud.AlreadyExists, "Already exists: %s.", old.Path())
	}
	o := cloud.Occasion{Method: "CreateCluster", Project: t.Project, Location: t.Location, Cluster: c.Spec.Name}
	if err := s.admit(o, c, c.Spec.Pools); err != nil {
		return nil, err
	}
	op := s.doomed(o, cloud.Lasting(createCluster, s.world.Latency(cloud.ClusterCreate).Draw()))
	if op, err = s.world.AddCluster(c, op); err != nil {
		return nil, err
	}
	s.begun()
	return s.operation(op), nil
}

// newCluster checks what was asked for and makes the record of it.
func newCluster(t target, asked *containerpb.Cluster) (cloud.Cluster, error) {
	if !nameRule.MatchString(asked.GetName()) {
		return cloud.Cluster{}, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field \"cluster.name\": %q. Cluster name must start with a "+
			"lowercase letter followed by up to 39 lowercase letters, numbers, or hyphens, and cannot end with a hyphen.", asked.GetName())
	}
	if err := checkLabels(asked.GetResourceLabels()); err != nil {
		return cloud.Cluster{}, err
	}
	version, err := resolveVersion(asked.GetReleaseChannel().GetChannel(), asked.GetInitialClusterVersion())
	if err != nil {
		return cloud.Cluster{}, err
	}
	asked = proto.CloneOf(asked)
	if err := normalize(t, asked, version); err != nil {
		return cloud.Cluster{}, err
	}
	c := cloud.Cluster{
		Spec: cloud.ClusterSpec{
			Project: t.Project, Location: t.Location, Region: cloud.RegionOf(t.Location),
			Name: asked.GetName(), Version: version, Labels: asked.GetResourceLabels(),
		},
		PrivateNodes: asked.GetPrivateClusterConfig().GetEnablePrivateNodes() || asked.GetNetworkConfig().GetDefaultEnablePrivateNodes(),
	}
	for _, pool := range asked.GetNodePools() {
		p, err := newPool(pool, asked.GetLocations())
		if err != nil {
			return cloud.Cluster{}, err
		}
		if c.Pool(p.Name) != nil {
			return cloud.Cluster{}, cloud.Errorf(cloud.InvalidArgument, "Node pool names must be unique: %q.", p.Name)
		}
		c.Spec.Pools = append(c.Spec.Pools, p)
	}
	c.Asked, err = protojson.Marshal(asked)
	return c, err
}

// normalize turns the old way of asking (a node count and a node config) into
// the new one (node pools) and fills in what GKE fills in.
func normalize(t target, c *containerpb.Cluster, version string) error {
	if c.GetAutopilot().GetEnabled() {
		return cloud.Errorf(cloud.InvalidArgument, "Autopilot clusters are not available in this sandbox; ask for a Standard cluster.")
	}
	if len(c.GetNodePools()) > 0 && (c.GetInitialNodeCount() != 0 || c.GetNodeConfig() != nil) {
		return cloud.Errorf(cloud.InvalidArgument, "Cluster.initial_node_count and Cluster.node_config are mutually exclusive with Cluster.node_pools.")
	}
	if len(c.GetNodePools()) == 0 {
		if c.GetInitialNodeCount() <= 0 {
			return cloud.Errorf(cloud.InvalidArgument, "Cluster.initial_node_count must be greater than zero.")
		}
		c.NodePools = []*containerpb.NodePool{{Name: "default-pool", InitialNodeCount: c.GetInitialNodeCount(), Config: c.GetNodeConfig()}}
	}
	c.InitialNodeCount, c.NodeConfig = 0, nil
	if len(c.GetLocations()) == 0 {
		c.Locations = zonesFor(t.Location)
	}
	for _, zone := range c.GetLocations() {
		if !cloud.IsZone(zone) || cloud.RegionOf(zone) != cloud.RegionOf(t.Location) {
			return cloud.Errorf(cloud.InvalidArgument, "Location %q is not a zone of the cluster's region.", zone)
		}
	}
	c.InitialClusterVersion = version
	setDefault(&c.Network, "default")
	setDefault(&c.Subnetwork, "default")
	setDefault(&c.LoggingService, "logging.googleapis.com/kubernetes")
	setDefault(&c.MonitoringService, "monitoring.googleapis.com/kubernetes")
	if c.ReleaseChannel == nil {
		c.ReleaseChannel = &containerpb.ReleaseChannel{Channel: containerpb.ReleaseChannel_REGULAR}
	}
	return nil
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// zonesFor are the zones nodes go to when none are named: the cluster's own,
// or the first three of its region.
func zonesFor(location string) []string {
	if cloud.IsZone(location) {
		return []string{location}
	}
	zones := cloud.ZonesOf(location)
	return zones[:min(3, len(zones))]
}

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return cloud.Errorf(cloud.InvalidArgument, "At most %d resource labels are allowed.", maxLabels)
	}
	for k, v := range labels {
		if !labelKeyRule.MatchString(k) || len(k) > 63 {
			return cloud.Errorf(cloud.InvalidArgument, "Invalid field 'resource_labels': Label key %q violates format constraints. The key must start "+
				"with a lowercase character, can only contain lowercase letters, numeric characters, underscores and dashes. The key can be at most 63 characters long.", k)
		}
		if !labelValueRule.MatchString(v) {
			return cloud.Errorf(cloud.InvalidArgument, "Invalid field 'resource_labels': Label value %q violates format constraints. The value can only "+
				"contain lowercase letters, numeric characters, underscores and dashes. The value can be at most 63 characters long.", v)
		}
	}
	return nil
}
