package cloud

import (
	"context"
	"slices"
)

// AddNodes records nodes as instances with their boot disks. Names it knows
// are left as they are. A QuotaError or a Stockout means that none of the new
// ones was made; a cluster or pool that is gone is NotFound.
func (w *World) AddNodes(_ context.Context, clusterID, pool string, nodes []string) error {
	if c, err := w.ClusterByID(clusterID); err == nil && c.Status != Provisioning {
		o := Occasion{Method: "AddNodes", Project: c.Spec.Project, Location: c.Spec.Location, Cluster: c.Spec.Name}
		if f := w.Take("stockout", o); f != nil {
			return StockoutError(c.Spec.Project, c.Spec.Location)
		}
	}
	return w.change(func(s *state) error {
		c := s.Clusters[clusterID]
		if c == nil {
			return Errorf(NotFound, "Not found: cluster %s.", clusterID)
		}
		p := c.Pool(pool)
		if p == nil {
			return Errorf(NotFound, "Not found: %s/nodePools/%s.", c.Path(), pool)
		}
		var fresh []string
		for _, name := range nodes {
			if s.instance(c, name) == nil {
				fresh = append(fresh, name)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		wanted := Needs{}
		wanted.Add(NodeNeeds(*p, c.PrivateNodes), len(fresh))
		if err := s.checkQuota(c.Spec.Project, c.Spec.Region, fresh[0], wanted); err != nil {
			return err
		}
		for _, name := range fresh {
			s.addInstance(c, p, name)
		}
		s.refreshTargetPools(c)
		return nil
	})
}

// StockoutError is Compute's answer when a zone has no machines left.
func StockoutError(project, location string) *Error {
	return Errorf(Stockout, "[GCE_STOCKOUT]: Instance creation failed: The zone 'projects/%s/zones/%s' does not have enough "+
		"resources available to fulfill the request. Try a different zone, or try again later. (ZONE_RESOURCE_POOL_EXHAUSTED)", project, location)
}

// RemoveNodes forgets nodes and their boot disks and takes them off the disks
// they used. Unknown names are gone already.
func (w *World) RemoveNodes(_ context.Context, clusterID, _ string, nodes []string) error {
	return w.change(func(s *state) error {
		for _, r := range s.of(KindInstance) {
			if r.ClusterID == clusterID && slices.Contains(nodes, r.Name) {
				s.removeInstance(r)
			}
		}
		if c := s.Clusters[clusterID]; c != nil {
			s.refreshTargetPools(c)
		}
		return nil
	})
}

// NodeCount is how many nodes a pool has now, booting ones included.
func (w *World) NodeCount(clusterID, pool string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.state.of(KindInstance) {
		if r.ClusterID == clusterID && (pool == "" || r.Pool == pool) {
			n++
		}
	}
	return n
}

func (s *state) instance(c *Cluster, name string) *Resource {
	for _, r := range s.of(KindInstance) {
		if r.ClusterID == c.Spec.ID && r.Name == name {
			return r
		}
	}
	return nil
}

// addInstance makes a node in the zone of the pool that has the fewest.
func (s *state) addInstance(c *Cluster, p *NodePool, name string) {
	perZone := map[string]int{}
	for _, r := range s.of(KindInstance) {
		if r.ClusterID == c.Spec.ID && r.Pool == p.Name {
			perZone[r.Location]++
		}
	}
	zone := c.Spec.Location
	for i, z := range p.Zones {
		if i == 0 || perZone[z] < perZone[zone] {
			zone = z
		}
	}
	labels := map[string]string{"goog-k8s-cluster-name": c.Spec.Name, "goog-k8s-node-pool-name": p.Name, "goog-k8s-cluster-location": c.Spec.Location}
	for k, v := range c.Spec.Labels {
		labels[k] = v
	}
	base := Resource{Project: c.Spec.Project, Location: zone, Name: name, Created: now(), Labels: labels, ClusterID: c.Spec.ID}
	vm, disk := base, base
	vm.Kind, vm.ID, vm.Status = KindInstance, numericID(), "RUNNING"
	vm.Type, vm.Pool, vm.Spot, vm.External = p.MachineType, p.Name, p.Spot, !c.PrivateNodes
	disk.Kind, disk.ID, disk.Status = KindDisk, numericID(), "READY"
	disk.Type, disk.SizeGB, disk.Users, disk.LastAttached = p.DiskType, p.DiskGB, []string{name}, now()
	s.Resources[vm.key()] = &vm
	s.Resources[disk.key()] = &disk
}

// removeInstance removes a node with the boot disk of its name, detaches the
// others, and takes it out of endpoint groups.
func (s *state) removeInstance(vm *Resource) {
	delete(s.Resources, vm.key())
	delete(s.Resources, resourceKey(KindDisk, vm.Project, vm.Location, vm.Name))
	for _, d := range s.of(KindDisk) {
		if d.Project == vm.Project && slices.Contains(d.Users, vm.Name) {
			d.detach()
		}
	}
	for _, g := range s.of(KindEndpointGroup) {
		if g.Project == vm.Project {
			g.Instances = slices.DeleteFunc(g.Instances, func(member string) bool { return member == vm.Location+"/"+vm.Name })
		}
	}
}

func (r *Resource) detach() { r.Users, r.LastDetached = nil, now() }

// refreshTargetPools makes the cluster's load balancers point at its nodes.
func (s *state) refreshTargetPools(c *Cluster) {
	var members []string
	for _, r := range s.of(KindInstance) {
		if r.ClusterID == c.Spec.ID {
			members = append(members, r.Location+"/"+r.Name)
		}
	}
	for _, tp := range s.of(KindTargetPool) {
		if tp.ClusterID == c.Spec.ID {
			tp.Instances = members
		}
	}
}
