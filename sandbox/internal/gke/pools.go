package gke

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/encoding/protojson"
	corev1 "k8s.io/api/core/v1"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// newPool checks a node pool that was asked for, fills in GKE's defaults in
// it, and makes the record of it.
func newPool(asked *containerpb.NodePool, locations []string) (cloud.NodePool, error) {
	if !nameRule.MatchString(asked.GetName()) {
		return cloud.NodePool{}, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field \"nodePool.name\": %q. Node pool name must start with a "+
			"lowercase letter followed by up to 39 lowercase letters, numbers, or hyphens, and cannot end with a hyphen.", asked.GetName())
	}
	if asked.Config == nil {
		asked.Config = &containerpb.NodeConfig{}
	}
	cfg := asked.Config
	setDefault(&cfg.MachineType, "e2-medium")
	setDefault(&cfg.DiskType, "pd-balanced")
	setDefault(&cfg.ImageType, "COS_CONTAINERD")
	setDefault(&cfg.ServiceAccount, "default")
	if cfg.DiskSizeGb == 0 {
		cfg.DiskSizeGb = 100
	}
	if len(asked.Locations) == 0 {
		asked.Locations = slices.Clone(locations)
	}
	machine, ok := cloud.LookupMachineType(cfg.MachineType)
	switch {
	case !ok:
		return cloud.NodePool{}, cloud.Errorf(cloud.InvalidArgument, "Machine type with name %q does not exist in zone %q.", cfg.MachineType, asked.Locations[0])
	case cfg.DiskSizeGb < 10:
		return cloud.NodePool{}, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field \"node_config.disk_size_gb\": \"%d\". Disk size must be at least 10 GB.", cfg.DiskSizeGb)
	case cfg.DiskType != "pd-standard" && cfg.DiskType != "pd-balanced" && cfg.DiskType != "pd-ssd":
		return cloud.NodePool{}, cloud.Errorf(cloud.InvalidArgument, "Disk type with name %q does not exist in zone %q.", cfg.DiskType, asked.Locations[0])
	case asked.GetInitialNodeCount() < 0:
		return cloud.NodePool{}, cloud.Errorf(cloud.InvalidArgument, "Node pool initial_node_count must not be negative.")
	}
	p := cloud.NodePool{
		Name: asked.GetName(), MachineType: machine.Name, MilliCPU: machine.MilliCPU, MemoryBytes: machine.MemoryBytes,
		DiskGB: int64(cfg.DiskSizeGb), DiskType: cfg.DiskType, Spot: cfg.GetSpot() || cfg.GetPreemptible(),
		Labels: cfg.GetLabels(), Taints: taints(cfg.GetTaints()),
		Zones: asked.Locations, Count: int(asked.GetInitialNodeCount()) * len(asked.Locations),
	}
	return p, scale(&p, asked.GetAutoscaling())
}

func taints(asked []*containerpb.NodeTaint) []corev1.Taint {
	effects := map[containerpb.NodeTaint_Effect]corev1.TaintEffect{
		containerpb.NodeTaint_NO_SCHEDULE:        corev1.TaintEffectNoSchedule,
		containerpb.NodeTaint_PREFER_NO_SCHEDULE: corev1.TaintEffectPreferNoSchedule,
		containerpb.NodeTaint_NO_EXECUTE:         corev1.TaintEffectNoExecute,
	}
	var all []corev1.Taint
	for _, t := range asked {
		all = append(all, corev1.Taint{Key: t.GetKey(), Value: t.GetValue(), Effect: effects[t.GetEffect()]})
	}
	return all
}

// scale sets the limits of a pool's autoscaler: per zone, or in total.
func scale(p *cloud.NodePool, a *containerpb.NodePoolAutoscaling) error {
	p.Autoscaling = a.GetEnabled()
	if !p.Autoscaling {
		p.Min, p.Max = 0, 0
		return nil
	}
	p.Min, p.Max = int(a.GetMinNodeCount())*len(p.Zones), int(a.GetMaxNodeCount())*len(p.Zones)
	if a.GetTotalMaxNodeCount() > 0 {
		p.Min, p.Max = int(a.GetTotalMinNodeCount()), int(a.GetTotalMaxNodeCount())
	}
	if p.Max < 1 || p.Min > p.Max {
		return cloud.Errorf(cloud.InvalidArgument, "Autoscaling of node pool %q: max_node_count must be at least 1 and not below min_node_count.", p.Name)
	}
	return nil
}

// ListNodePools lists the node pools of a cluster.
func (s *Server) ListNodePools(_ context.Context, r *containerpb.ListNodePoolsRequest) (*containerpb.ListNodePoolsResponse, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	shown, err := s.show(c)
	return &containerpb.ListNodePoolsResponse{NodePools: shown.GetNodePools()}, err
}

// GetNodePool shows one node pool.
func (s *Server) GetNodePool(_ context.Context, r *containerpb.GetNodePoolRequest) (*containerpb.NodePool, error) {
	t, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	shown, err := s.show(c)
	if err != nil {
		return nil, err
	}
	for _, p := range shown.GetNodePools() {
		if p.GetName() == t.Pool {
			return p, nil
		}
	}
	return nil, noPool(c, t.Pool)
}

func noPool(c cloud.Cluster, pool string) error {
	return cloud.Errorf(cloud.NotFound, "Not found: %s/nodePools/%s.", c.Path(), pool)
}

// CreateNodePool begins to add a node pool.
func (s *Server) CreateNodePool(_ context.Context, r *containerpb.CreateNodePoolRequest) (*containerpb.Operation, error) {
	_, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	if r.GetNodePool() == nil {
		return nil, cloud.Errorf(cloud.InvalidArgument, "NodePool must be specified.")
	}
	asked, err := askedOf(c)
	if err != nil {
		return nil, err
	}
	p, err := newPool(r.GetNodePool(), asked.GetLocations())
	if err != nil {
		return nil, err
	}
	if c.Pool(p.Name) != nil {
		return nil, cloud.Errorf(cloud.AlreadyExists, "Already exists: %s/nodePools/%s.", c.Path(), p.Name)
	}
	o := cloud.Occasion{Method: "CreateNodePool", Project: c.Spec.Project, Location: c.Spec.Location, Cluster: c.Spec.Name}
	if err := s.admit(o, c, []cloud.NodePool{p}); err != nil {
		return nil, err
	}
	op := s.doomed(o, cloud.Lasting(createNodePool, s.world.Latency(cloud.NodePoolCreate).Draw()))
	op.Pool = p.Name
	return s.begin(op, c, func(c *cloud.Cluster) error {
		c.Spec.Pools = append(c.Spec.Pools, p)
		return changeAsked(c, func(m *containerpb.Cluster) { m.NodePools = append(m.NodePools, r.GetNodePool()) })
	})
}

// DeleteNodePool begins to remove a node pool with its nodes.
func (s *Server) DeleteNodePool(_ context.Context, r *containerpb.DeleteNodePoolRequest) (*containerpb.Operation, error) {
	t, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	if c.Pool(t.Pool) == nil {
		return nil, noPool(c, t.Pool)
	}
	op := cloud.Lasting(deleteNodePool, s.world.Latency(cloud.NodePoolDelete).Draw())
	op.Pool = t.Pool
	return s.begin(op, c, func(c *cloud.Cluster) error {
		c.Spec.Pools = slices.DeleteFunc(c.Spec.Pools, func(p cloud.NodePool) bool { return p.Name == t.Pool })
		return changeAsked(c, func(m *containerpb.Cluster) {
			m.NodePools = slices.DeleteFunc(m.NodePools, func(p *containerpb.NodePool) bool { return p.GetName() == t.Pool })
		})
	})
}

// SetNodePoolSize begins to change the number of nodes, which is per zone.
func (s *Server) SetNodePoolSize(_ context.Context, r *containerpb.SetNodePoolSizeRequest) (*containerpb.Operation, error) {
	t, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	p := c.Pool(t.Pool)
	if p == nil {
		return nil, noPool(c, t.Pool)
	}
	if r.GetNodeCount() < 0 {
		return nil, cloud.Errorf(cloud.InvalidArgument, "Node count must not be negative.")
	}
	count := int(r.GetNodeCount()) * len(p.Zones)
	more := *p
	more.Count = max(0, count-s.world.NodeCount(c.Spec.ID, p.Name))
	o := cloud.Occasion{Method: "SetNodePoolSize", Project: c.Spec.Project, Location: c.Spec.Location, Cluster: c.Spec.Name}
	if err := s.admit(o, c, []cloud.NodePool{more}); err != nil {
		return nil, err
	}
	op := s.doomed(o, cloud.Lasting(setPoolSize, s.world.Latency(cloud.NodePoolResize).Draw()))
	op.Pool = t.Pool
	return s.begin(op, c, func(c *cloud.Cluster) error {
		if p := c.Pool(t.Pool); p != nil {
			p.Count = count
		}
		return nil
	})
}

// SetNodePoolAutoscaling begins to change the limits of a pool's autoscaler.
// Turning it on or off restarts the control plane, which takes its time.
func (s *Server) SetNodePoolAutoscaling(_ context.Context, r *containerpb.SetNodePoolAutoscalingRequest) (*containerpb.Operation, error) {
	t, c, err := s.cluster(r)
	if err != nil {
		return nil, err
	}
	return s.autoscale(c, t.Pool, r.GetAutoscaling())
}

func (s *Server) autoscale(c cloud.Cluster, pool string, a *containerpb.NodePoolAutoscaling) (*containerpb.Operation, error) {
	p := c.Pool(pool)
	if p == nil {
		return nil, noPool(c, pool)
	}
	changed := *p
	if err := scale(&changed, a); err != nil {
		return nil, err
	}
	kind := cloud.ClusterUpdate
	if changed.Autoscaling != p.Autoscaling {
		kind = cloud.ControlPlaneChange
	}
	op := cloud.Lasting(updateCluster, s.world.Latency(kind).Draw())
	op.Pool = pool
	nodes := s.world.NodeCount(c.Spec.ID, pool)
	return s.begin(op, c, func(c *cloud.Cluster) error {
		p := c.Pool(pool)
		if p == nil {
			return noPool(*c, pool)
		}
		p.Count = nodes // an autoscaler that is turned off leaves what there is
		if err := scale(p, a); err != nil {
			return err
		}
		return changeAsked(c, func(m *containerpb.Cluster) {
			for _, asked := range m.NodePools {
				if asked.GetName() == pool {
					asked.Autoscaling = a
				}
			}
		})
	})
}

// begin records an operation that changes a running cluster.
func (s *Server) begin(op cloud.Operation, c cloud.Cluster, change func(*cloud.Cluster) error) (*containerpb.Operation, error) {
	op.ClusterID = c.Spec.ID
	op.Project, op.Location, op.Cluster = c.Spec.Project, c.Spec.Location, c.Spec.Name
	op, err := s.world.Begin(op, func(c *cloud.Cluster) error {
		if c.Status != cloud.Running {
			return cloud.Errorf(cloud.FailedPrecondition, "Cluster %q is in status %s and cannot be changed.", c.Spec.Name, c.Status)
		}
		if err := change(c); err != nil {
			return err
		}
		c.Status = cloud.Reconciling
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.begun()
	return s.operation(op), nil
}

// askedOf is what the creator of a cluster asked for, in the API's terms.
func askedOf(c cloud.Cluster) (*containerpb.Cluster, error) {
	m := &containerpb.Cluster{}
	if err := protojson.Unmarshal(c.Asked, m); err != nil {
		return nil, fmt.Errorf("read what was asked for cluster %s: %w", c.Spec.ID, err)
	}
	return m, nil
}

func changeAsked(c *cloud.Cluster, f func(*containerpb.Cluster)) error {
	m, err := askedOf(*c)
	if err != nil {
		return err
	}
	f(m)
	c.Asked, err = protojson.Marshal(m)
	return err
}
