package chaos

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

const installation = "test"

// cloud is what outlives every replica: clusters, what runs in them, and what
// costs money beside them.
type cloud struct {
	w        *world
	clusters map[string]*cluster // by name
	disks    map[string]string   // by name, the cluster's
	rules    map[string]string
	made     map[string]int // how often a cluster of this name was made
}

type cluster struct {
	row       environment.Cluster // as it was asked for
	readyAt   time.Time
	gone      time.Time // zero: it is not going
	spaces    map[string]bool
	releases  map[string]environment.SeenRelease
	exposed   map[string]time.Time // non-zero: going at
	lastNodes int
}

func newCloud(w *world) *cloud {
	return &cloud{w: w, clusters: map[string]*cluster{}, disks: map[string]string{}, rules: map[string]string{}, made: map[string]int{}}
}

// alive finds a cluster that has not gone meanwhile.
func (c *cloud) alive(name string) *cluster {
	f := c.clusters[name]
	if f != nil && !f.gone.IsZero() && !c.w.now.Before(f.gone) {
		delete(c.clusters, name)
		return nil
	}
	return f
}

func (c *cloud) Create(_ context.Context, row environment.Cluster) (op string, err error) {
	err = c.w.point("create", func() error {
		if c.alive(row.Name) != nil {
			return nil
		}
		c.made[row.Name]++
		c.clusters[row.Name] = &cluster{row: row, readyAt: c.w.now.Add(time.Minute), spaces: map[string]bool{},
			releases: map[string]environment.SeenRelease{}, exposed: map[string]time.Time{}, lastNodes: row.MaxNodes}
		op = "operation-" + row.Name
		return nil
	})
	return op, err
}

func (c *cloud) Observe(_ context.Context, _ string, at environment.ClusterAttempt, _ string) (s environment.SeenCluster, err error) {
	err = c.w.point("observe cluster", func() error {
		f := c.alive(at.Name)
		switch {
		case f == nil:
			s.State = environment.CloudAbsent
			return nil
		case !f.gone.IsZero():
			s.State = environment.CloudStopping
		case c.w.now.Before(f.readyAt):
			s.State, s.Busy = environment.CloudProvisioning, "operation-1"
		default:
			s.State = environment.CloudRunning
		}
		s.Mine, s.ClusterID, s.Nodes, s.MaxNodes = true, f.row.ID, 1, f.lastNodes
		return nil
	})
	return s, err
}

func (c *cloud) Delete(_ context.Context, _ string, at environment.ClusterAttempt) (string, error) {
	return "", c.w.point("delete cluster", func() error {
		f := c.alive(at.Name)
		switch {
		case f == nil:
			return nil
		case c.w.now.Before(f.readyAt):
			return &environment.Error{Code: environment.CodeUnavailable, Busy: "operation-1", Message: "Busy."}
		case f.gone.IsZero():
			c.w.clusterMayGo(f.row)
			f.gone = c.w.now.Add(time.Minute)
		}
		return nil
	})
}

func (c *cloud) Resize(_ context.Context, row environment.Cluster) (string, error) {
	return "", c.w.point("resize", func() error {
		if f := c.alive(row.Name); f != nil {
			f.lastNodes = row.MaxNodes
		}
		return nil
	})
}

func (c *cloud) Check(context.Context, string, environment.ClusterShape) error { return nil }
func (c *cloud) Allowed(context.Context, string) error                         { return nil }

func (c *cloud) Owned(context.Context, string) (items []environment.OwnedCluster, complete bool, err error) {
	switch c.w.survey {
	case surveyFails:
		return nil, false, environment.Errorf(environment.CodeUnavailable, "It does not answer.")
	case surveyEmpty:
		return nil, true, nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.clusters)) {
		f := c.alive(name)
		if f == nil {
			continue
		}
		state := environment.CloudRunning
		if !f.gone.IsZero() {
			state = environment.CloudStopping
		}
		labels := map[string]string{environment.LabelInstallation: installation, environment.LabelClusterID: f.row.ID}
		if f.row.Environment != "" {
			labels[environment.LabelEnvironment] = f.row.Environment
		}
		items = append(items, environment.OwnedCluster{ClusterAttempt: f.row.At(), Project: f.row.Project, State: state, Labels: labels, DeleteAfter: f.row.DeleteAfter})
	}
	if c.w.survey == surveyHalf {
		return items[:len(items)/2], false, nil
	}
	return items, true, nil
}

func (c *cloud) Target(_ context.Context, row environment.Cluster) (environment.Target, error) {
	return environment.Target{Host: row.Name}, nil
}

// The other ports share the cloud under method names of their own.
type (
	inside  struct{ *cloud }
	charts  struct{ *cloud }
	compute struct{ *cloud }
	door    struct{ *cloud }
	given   struct{}
)

func (given) Target(string) (environment.Target, error) {
	return environment.Target{Host: "given"}, nil
}

func (k inside) in(t environment.Target, do func(*cluster) error) error {
	f := k.alive(t.Host)
	if f == nil || !f.gone.IsZero() || k.w.now.Before(f.readyAt) {
		return environment.Errorf(environment.CodeUnavailable, "The cluster does not answer.")
	}
	return do(f)
}

func (k inside) at(name string, t environment.Target, do func(*cluster)) error {
	return k.w.point(name, func() error { return k.in(t, func(f *cluster) error { do(f); return nil }) })
}

func (k inside) Prepare(_ context.Context, t environment.Target, p environment.Plan) error {
	return k.at("prepare", t, func(f *cluster) { f.spaces[p.Namespace] = true })
}

func (k inside) Apply(_ context.Context, t environment.Target, _, _ string) error {
	return k.at("apply", t, func(*cluster) {})
}

func (k inside) Remove(_ context.Context, t environment.Target, ns, _ string) error {
	return k.at("remove", t, func(f *cluster) { k.w.spaceMayGo(f.row, ns) })
}

func (k inside) Observe(_ context.Context, t environment.Target, p environment.Plan) (s environment.SeenWorkloads, err error) {
	err = k.at("observe workloads", t, func(f *cluster) {
		s.Prepared, s.Wanted, s.Ready = f.spaces[p.Namespace], 3, 3
		if gone, ok := f.exposed[p.Namespace]; ok && gone.IsZero() {
			s.Address = "http://" + p.Namespace + "." + t.Host
		}
	})
	return s, err
}

func (k inside) held(f *cluster, ns string) []environment.Resource {
	if _, ok := f.exposed[ns]; !ok {
		return nil
	}
	name := f.row.Name + "/" + ns
	return []environment.Resource{resource(environment.KindForwardingRule, name), resource(environment.KindDisk, name)}
}

func (k inside) Inventory(_ context.Context, t environment.Target, p environment.Plan) (found []environment.Resource, err error) {
	err = k.at("inventory", t, func(f *cluster) { found = k.held(f, p.Namespace) })
	return found, err
}

func (k inside) Unexpose(_ context.Context, t environment.Target, p environment.Plan) error {
	return k.at("unexpose", t, func(f *cluster) {
		k.w.spaceMayGo(f.row, p.Namespace)
		if gone, ok := f.exposed[p.Namespace]; ok && gone.IsZero() {
			f.exposed[p.Namespace] = k.w.now.Add(20 * time.Second)
		}
		delete(f.spaces, p.Namespace)
	})
}

func (k inside) Exposed(_ context.Context, t environment.Target, p environment.Plan) (n int, err error) {
	err = k.at("exposed", t, func(f *cluster) {
		gone, ok := f.exposed[p.Namespace]
		if ok && !gone.IsZero() && !k.w.now.Before(gone) {
			delete(f.exposed, p.Namespace)
			delete(k.rules, f.row.Name+"/"+p.Namespace)
			delete(k.disks, f.row.Name+"/"+p.Namespace)
			ok = false
		}
		if ok {
			n = 2
		}
	})
	return n, err
}

func (k inside) Logs(context.Context, environment.Target, environment.Plan, string, int, io.Writer) error {
	return nil
}

func (k inside) Kubeconfig(context.Context, environment.Target, environment.Plan) ([]byte, error) {
	return nil, nil
}

func (c charts) Resolve(context.Context, environment.Release) (string, error) {
	return "1.0.0", c.w.point("resolve", func() error { return nil })
}

func (c charts) Check(context.Context, environment.Release) error { return nil }

func (c charts) Observe(_ context.Context, t environment.Target, ns, name string) (s environment.SeenRelease, err error) {
	err = inside(c).at("observe release", t, func(f *cluster) {
		if s = f.releases[ns+"/"+name]; s.Status == "" {
			s.Status = environment.ReleaseAbsent
		}
	})
	return s, err
}

func (c charts) Converge(_ context.Context, t environment.Target, ns string, r environment.Release, hash string) error {
	return inside(c).at("converge", t, func(f *cluster) {
		f.releases[ns+"/"+r.Name] = environment.SeenRelease{Status: environment.ReleaseDeployed, Hash: hash}
		f.exposed[ns] = time.Time{}
		c.rules[f.row.Name+"/"+ns], c.disks[f.row.Name+"/"+ns] = f.row.Name, f.row.Name
	})
}

func (c charts) Uninstall(_ context.Context, t environment.Target, ns, name string) error {
	return inside(c).at("uninstall", t, func(f *cluster) {
		c.w.spaceMayGo(f.row, ns)
		delete(f.releases, ns+"/"+name)
	})
}

func (c compute) Shortfall(context.Context, string, string, environment.ClusterShape) (string, error) {
	return "", c.w.point("quota", func() error { return nil })
}

func (c compute) Leftovers(_ context.Context, _, name string, recorded []environment.Resource) (left []environment.Resource, err error) {
	err = c.w.point("leftovers", func() error {
		for _, r := range recorded {
			if r.Kind == environment.KindDisk && c.disks[r.Name] != "" || r.Kind == environment.KindForwardingRule && c.rules[r.Name] != "" {
				left = append(left, r)
			}
		}
		for d := range c.disks {
			r := resource(environment.KindDisk, d)
			if name != "" && strings.HasPrefix(d, name+"/") && !slices.Contains(left, r) {
				left = append(left, r)
			}
		}
		return nil
	})
	return left, err
}

func (c compute) Delete(_ context.Context, r environment.Resource) error {
	return c.w.point("delete leftover", func() error {
		c.w.leftoverMayGo(r.Name)
		if r.Kind == environment.KindDisk {
			delete(c.disks, r.Name)
		} else {
			delete(c.rules, r.Name)
		}
		return nil
	})
}

// Standing is what the orphan sweep sees of disks and load balancers: disks
// have a label, of the others only the machines' names tell whose they are, as
// long as there are machines.
func (c compute) Standing(context.Context, string) (all []environment.Standing, err error) {
	if c.w.survey == surveyBlind {
		return nil, environment.Errorf(environment.CodeUnavailable, "A region does not answer.")
	}
	for _, d := range slices.Sorted(maps.Keys(c.disks)) {
		all = append(all, environment.Standing{Resource: resource(environment.KindDisk, d), Ours: true, Cluster: c.disks[d]})
	}
	for _, name := range slices.Sorted(maps.Keys(c.rules)) {
		pool := environment.Standing{Resource: resource(environment.KindTargetPool, name)}
		if c.alive(c.rules[name]) != nil {
			pool.Instances = []string{"gke-" + c.rules[name] + "-default-pool-1a2b-3c4d"}
		}
		rule := environment.Standing{Resource: resource(environment.KindForwardingRule, name), Target: name, Service: "ns/proxy"}
		all = append(all, pool, rule)
	}
	return all, nil
}

func resource(kind environment.ResourceKind, name string) environment.Resource {
	return environment.Resource{Kind: kind, Project: project, Location: "europe-west1", Name: name}
}

func (d door) Open(context.Context, environment.AccessKind, environment.Credentials) error {
	return d.w.point("door", func() error { return nil })
}
