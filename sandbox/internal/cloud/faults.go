package cloud

import (
	"errors"
	"os"
	"slices"
	"time"
)

// faultPoints says, for each kind of fault, where it happens when the script
// names no method. Points of the controllers inside a cluster are lower case.
var faultPoints = map[string][]string{
	"stockout":            {"CreateCluster", "CreateNodePool", "SetNodePoolSize", "AddNodes"},
	"quota":               {"CreateCluster", "CreateNodePool", "SetNodePoolSize"},
	"quota-late":          {"CreateCluster", "CreateNodePool"},
	"create-fails":        {"CreateCluster", "CreateNodePool"},
	"delete-fails":        {"DeleteCluster", "disks.delete", "forwardingRules.delete", "targetPools.delete", "firewalls.delete", "addresses.delete"},
	"lost-reply":          {"CreateCluster", "DeleteCluster", "CreateNodePool", "DeleteNodePool"},
	"permission-denied":   nil, // any call
	"rate-limit":          nil,
	"unavailable":         nil,
	"slow":                nil,
	"missing-zones":       {"ListClusters", "ListOperations"},
	"empty-list":          {"ListClusters"},
	"spontaneous-upgrade": {"DeleteCluster", "CreateNodePool", "DeleteNodePool", "SetNodePoolSize", "SetNodePoolAutoscaling", "SetLabels", "UpdateCluster"},
	"no-address":          {"load-balancer"},
	"never-ready":         {"pod", "pod-start"},
	"slow-api":            {"api"},
	"api-down":            {"api"},
	"disk-fails":          {"disk"},
	"hub-down":            {"hub"},       // answers 503, also to those who are past the proxy
	"scheduler-down":      {"scheduler"}, // refuses connections
	"slack-429":           nil,           // any method of the Web API, or response_url; project is a workspace's domain
	"slack-500":           nil,
	"slack-hang":          nil,
	"slack-lost":          nil, // carried out, and not answered
}

// FaultKinds lists the kinds of fault that can be scripted, sorted.
func FaultKinds() []string {
	kinds := make([]string, 0, len(faultPoints))
	for k := range faultPoints {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}

// Occasion is a moment at which a fault may strike.
type Occasion struct {
	Method   string
	Project  string
	Location string
	Cluster  string
}

// AddFault scripts a fault and returns it with its id. An unknown kind or a
// delay that is no duration is InvalidArgument.
func (w *World) AddFault(f Fault) (Fault, error) {
	if _, ok := faultPoints[f.Kind]; !ok {
		return f, Errorf(InvalidArgument, "there is no fault of kind %q; there are %v", f.Kind, FaultKinds())
	}
	if f.Delay != "" {
		if _, err := time.ParseDuration(f.Delay); err != nil {
			return f, Errorf(InvalidArgument, "delay %q: %v", f.Delay, err)
		}
	}
	if f.Times < 0 {
		return f, Errorf(InvalidArgument, "times must not be negative")
	}
	f.ID = "f" + token(7)
	err := w.change(func(s *state) error {
		kept := f
		s.Faults = append(s.Faults, &kept)
		return nil
	})
	return f, err
}

// Faults lists the scripted faults that have uses left.
func (w *World) Faults() []Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]Fault, 0, len(w.state.Faults))
	for _, f := range w.state.Faults {
		all = append(all, *f)
	}
	return all
}

// DeleteFaults deletes the fault of that id, or all of them when id is empty.
// A fault that is not there is NotFound.
func (w *World) DeleteFaults(id string) error {
	return w.change(func(s *state) error {
		kept := slices.DeleteFunc(slices.Clone(s.Faults), func(f *Fault) bool { return id == "" || f.ID == id })
		if id != "" && len(kept) == len(s.Faults) {
			return Errorf(NotFound, "there is no fault %q", id)
		}
		s.Faults = kept
		return nil
	})
}

// Take returns the first fault of a kind that fits the occasion and uses it
// up once; nil when there is none.
func (w *World) Take(kind string, o Occasion) *Fault {
	return w.take(func(f *Fault) bool { return f.Kind == kind && f.fits(o) })
}

// Fault is Take for controllers inside a cluster: point is a kind of fault or
// one of its points, cluster an id or a name.
func (w *World) Fault(point, cluster string) *Fault {
	o := Occasion{Cluster: cluster}
	if c, err := w.ClusterByID(cluster); err == nil {
		o = Occasion{Cluster: c.Spec.Name, Project: c.Spec.Project, Location: c.Spec.Location}
	}
	return w.take(func(f *Fault) bool {
		if f.Kind != point && f.Method != point && !slices.Contains(faultPoints[f.Kind], point) {
			return false
		}
		o := o
		if o.Method = f.Method; o.Method == "" && len(faultPoints[f.Kind]) > 0 {
			o.Method = faultPoints[f.Kind][0]
		}
		return f.fits(o)
	})
}

func (w *World) take(fits func(*Fault) bool) *Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.state.Faults, fits)
	if i < 0 {
		return nil
	}
	f := w.state.Faults[i]
	taken := *f
	if f.Times == 0 {
		return &taken
	}
	if f.Times--; f.Times == 0 {
		w.state.Faults = slices.Delete(w.state.Faults, i, i+1)
	}
	if err := w.save(); err != nil {
		w.log.Error("a used fault is not written down", "reason", err)
	}
	return &taken
}

// fits says whether the fault strikes on the occasion.
func (f *Fault) fits(o Occasion) bool {
	points := faultPoints[f.Kind]
	if f.Method != "" {
		points = []string{f.Method}
	}
	return (points == nil || slices.Contains(points, o.Method)) &&
		(f.Cluster == "" || f.Cluster == o.Cluster) &&
		(f.Project == "" || f.Project == o.Project) &&
		(f.Zone == "" || f.Zone == o.Location || f.Zone == RegionOf(o.Location))
}

// Wait is the fault's delay, or otherwise when the script gave none.
func (f *Fault) Wait(otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(f.Delay); err == nil {
		return d
	}
	return otherwise
}

func isPermission(err error) bool { return errors.Is(err, os.ErrPermission) }
