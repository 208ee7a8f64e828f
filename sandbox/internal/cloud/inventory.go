package cloud

import (
	"cmp"
	"math"
	"slices"
)

// Item is one line of what would be on the bill, or lie around for nothing.
type Item struct {
	Kind       string  `json:"kind"`
	Name       string  `json:"name"`
	Project    string  `json:"project"`
	Location   string  `json:"location"`
	Cluster    string  `json:"cluster,omitempty"`   // name of the cluster it was made for
	ClusterID  string  `json:"clusterId,omitempty"` // it may be gone already
	Status     string  `json:"status,omitempty"`
	Detail     string  `json:"detail,omitempty"`
	USDPerHour float64 `json:"usdPerHour"`
}

// Inventory lists everything there is, with list prices. It is empty when
// nothing is left.
func (w *World) Inventory() []Item {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := []Item{}
	for _, c := range w.state.Clusters {
		all = append(all, Item{
			Kind: "cluster", Name: c.Spec.Name, Project: c.Spec.Project, Location: c.Spec.Location,
			Cluster: c.Spec.Name, ClusterID: c.Spec.ID, Status: c.Status, USDPerHour: clusterFee,
		})
	}
	for _, r := range w.state.Resources {
		all = append(all, w.state.item(r))
	}
	slices.SortFunc(all, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Location, b.Location), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (s *state) item(r *Resource) Item {
	item := Item{
		Kind: string(r.Kind), Name: r.Name, Project: r.Project, Location: r.Location, ClusterID: r.ClusterID,
		Cluster: r.Labels["goog-k8s-cluster-name"], Status: r.Status, Detail: r.Type,
		USDPerHour: math.Round(hourly(r)*1e6) / 1e6,
	}
	if c := s.Clusters[r.ClusterID]; c != nil {
		item.Cluster = c.Spec.Name
	}
	if r.Kind == KindInstance {
		item.Kind = "node"
	}
	if item.Detail == "" {
		item.Detail = r.Description
	}
	return item
}
