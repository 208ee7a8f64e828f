package cloud

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Statuses of a cluster, as GKE names them.
const (
	Provisioning = "PROVISIONING"
	Running      = "RUNNING"
	Reconciling  = "RECONCILING"
	Stopping     = "STOPPING"
	Errored      = "ERROR"
)

// Cluster is one GKE cluster: what the control plane is made from, how far it
// is, and what its creator asked for in the API's own terms.
type Cluster struct {
	Spec          ClusterSpec     `json:"spec"`
	Status        string          `json:"status"`
	StatusMessage string          `json:"statusMessage,omitempty"`
	Created       time.Time       `json:"created"`
	Endpoint      string          `json:"endpoint,omitempty"`
	Condition     string          `json:"condition,omitempty"`     // GCE_STOCKOUT, … when Status is ERROR
	CACertificate []byte          `json:"caCertificate,omitempty"` // PEM
	PrivateNodes  bool            `json:"privateNodes,omitempty"`
	Asked         json.RawMessage `json:"asked,omitempty"` // opaque here
}

// clone is a copy that shares nothing that is ever changed in place. The
// labels and taints of a pool are replaced as a whole, never edited.
func (c *Cluster) clone() Cluster {
	d := *c
	d.Spec.Labels = maps.Clone(c.Spec.Labels)
	d.Spec.Pools = slices.Clone(c.Spec.Pools)
	return d
}

// Path is the cluster's name in messages: by zone when it is zonal.
func (c *Cluster) Path() string {
	return ClusterPath(c.Spec.Project, c.Spec.Location, c.Spec.Name)
}

// ClusterPath is how GKE's messages name a cluster.
func ClusterPath(project, location, name string) string {
	scope := "locations"
	if IsZone(location) {
		scope = "zones"
	}
	return fmt.Sprintf("projects/%s/%s/%s/clusters/%s", project, scope, location, name)
}

// Pool finds a node pool of the cluster; nil when it has none of that name.
func (c *Cluster) Pool(name string) *NodePool {
	for i := range c.Spec.Pools {
		if c.Spec.Pools[i].Name == name {
			return &c.Spec.Pools[i]
		}
	}
	return nil
}

// AddCluster records a new cluster in PROVISIONING with the operation that
// creates it. A cluster of that name, whatever its status, is AlreadyExists.
func (w *World) AddCluster(c Cluster, op Operation) (Operation, error) {
	err := w.change(func(s *state) error {
		if old := s.cluster(c.Spec.Project, c.Spec.Location, c.Spec.Name); old != nil {
			return Errorf(AlreadyExists, "Already exists: %s.", old.Path())
		}
		c.Spec.ID = "c" + token(11)
		c.Created = now()
		c.Status = Provisioning
		s.Clusters[c.Spec.ID] = &c
		op = s.begin(op, &c)
		return nil
	})
	return op, err
}

// Cluster finds one cluster; NotFound when there is none.
func (w *World) Cluster(project, location, name string) (Cluster, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.state.cluster(project, location, name)
	if c == nil {
		return Cluster{}, Errorf(NotFound, "Not found: %s.", ClusterPath(project, location, name))
	}
	return c.clone(), nil
}

// ClusterByID finds a cluster by its id; NotFound when it is gone.
func (w *World) ClusterByID(id string) (Cluster, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.state.Clusters[id]
	if c == nil {
		return Cluster{}, Errorf(NotFound, "Not found: cluster %s.", id)
	}
	return c.clone(), nil
}

// Clusters lists the clusters of a project (of all when empty) in a location
// (in all when empty or "-"), by project, location and name.
func (w *World) Clusters(project, location string) []Cluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Cluster
	for _, c := range w.state.Clusters {
		if (project == "" || c.Spec.Project == project) && inLocation(c.Spec.Location, location) {
			all = append(all, c.clone())
		}
	}
	slices.SortFunc(all, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(a.Spec.Project, b.Spec.Project),
			cmp.Compare(a.Spec.Location, b.Spec.Location), cmp.Compare(a.Spec.Name, b.Spec.Name))
	})
	return all
}

// ChangeCluster applies f to a cluster. A cluster that is gone is NotFound.
func (w *World) ChangeCluster(id string, f func(*Cluster)) error {
	return w.change(func(s *state) error {
		c := s.Clusters[id]
		if c == nil {
			return Errorf(NotFound, "Not found: cluster %s.", id)
		}
		f(c)
		return nil
	})
}

func (s *state) cluster(project, location, name string) *Cluster {
	for _, c := range s.Clusters {
		if c.Spec.Project == project && c.Spec.Location == location && c.Spec.Name == name {
			return c
		}
	}
	return nil
}

// inLocation says whether a list of wanted shows what is in location.
func inLocation(location, wanted string) bool {
	return wanted == "" || wanted == "-" || location == wanted
}

// FinishDeletion ends the operation that deletes a cluster and forgets the
// cluster, both or neither.
func (w *World) FinishDeletion(operation string) error {
	return w.change(func(s *state) error {
		op := s.Operations[operation]
		if op == nil || op.Done() {
			return nil
		}
		op.End = now()
		s.forget(op.ClusterID)
		return nil
	})
}

// forget removes a cluster with its instances and their boot disks. Disks of
// volume claims and load balancers stay, as on GKE.
func (s *state) forget(clusterID string) {
	for _, r := range s.of(KindInstance) {
		if r.ClusterID == clusterID {
			s.removeInstance(r)
		}
	}
	delete(s.Clusters, clusterID)
}

// PoolsNow are the pools with the counts that hold now: an autoscaled pool
// keeps the nodes it has, save the one named asked, whose count was just set.
func (w *World) PoolsNow(c Cluster, asked string) []NodePool {
	pools := slices.Clone(c.Spec.Pools)
	for i := range pools {
		p := &pools[i]
		if p.Autoscaling && p.Name != asked {
			p.Count = max(w.NodeCount(c.Spec.ID, p.Name), p.Min)
		}
	}
	return pools
}
