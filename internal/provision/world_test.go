package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// killed is what a port panics with when the process is to die there.
var killed = errors.New("kill -9")

// world is a whole cloud in memory: enough of GKE, Kubernetes, Helm and
// Compute to be wrong about in interesting ways.
type world struct {
	now      time.Time
	clusters map[string]*fakeCluster // by name
	disks    map[string]bool
	rules    map[string]bool
	// chance decides what goes wrong at a point: "", "before" or "after" for
	// the process dying around it, "error" for a failing call, "lost" for a
	// call that works and whose answer is lost.
	chance func(point string) string
	store  *memory
	peak   int // most clusters at once
	broken bool
	// refuse is what Helm's actions are answered with when it is set.
	refuse func(point string) error
	quota  string
	stock  map[string]bool // locations without machines
	// cloud stands in front of the world's own when it is set.
	cloud environment.Clusters
	// between comes once, right before the row of one that is gone is written.
	between func(id string)
}

type fakeCluster struct {
	at        environment.ClusterAttempt
	id        string
	readyAt   time.Time
	gone      time.Time
	failed    bool
	namespace map[string]bool
	releases  map[string]environment.SeenRelease
	exposed   map[string]time.Time // load balancers; non-zero: going at
	maxNodes  int
}

// point runs do with whatever chance decides around it.
func (w *world) point(name string, do func() error) error {
	switch w.chance(name) {
	case "before":
		panic(killed)
	case "after":
		_ = do()
		panic(killed)
	case "error":
		return environment.Errorf(environment.CodeUnavailable, "The cloud does not answer.")
	case "conflict":
		return environment.Errorf(environment.CodeConflict, "Somebody else is at it.")
	case "lost":
		_ = do()
		return &environment.Error{Code: environment.CodeUnavailable, Ambiguous: true, Message: "The answer was lost."}
	default:
		return do()
	}
}

func (w *world) Create(_ context.Context, c environment.Cluster) (op string, err error) {
	err = w.point("create", func() error {
		if _, ok := w.clusters[c.Name]; ok {
			return nil
		}
		w.clusters[c.Name] = &fakeCluster{at: c.At(), id: c.ID, readyAt: w.now.Add(time.Minute), failed: w.stock[c.Location],
			namespace: map[string]bool{}, releases: map[string]environment.SeenRelease{}, exposed: map[string]time.Time{}, maxNodes: c.MaxNodes}
		w.peak = max(w.peak, len(w.clusters))
		op = "operation-" + c.Name
		return nil
	})
	return op, err
}

func (w *world) Observe(_ context.Context, _ string, at environment.ClusterAttempt, _ string) (s environment.SeenCluster, err error) {
	err = w.point("observe-cluster", func() error {
		f, ok := w.clusters[at.Name]
		if ok && !f.gone.IsZero() && !w.now.Before(f.gone) {
			delete(w.clusters, at.Name)
			ok = false
		}
		switch {
		case !ok:
			s.State = environment.CloudAbsent
			return nil
		case !f.gone.IsZero():
			s.State = environment.CloudStopping
		case w.now.Before(f.readyAt):
			s.State, s.Busy = environment.CloudProvisioning, "operation-1"
		case f.failed:
			s.State = environment.CloudError
			s.Failure = &environment.Error{Code: environment.CodeUnavailable, Stockout: true, Message: "No machines left."}
		default:
			s.State = environment.CloudRunning
		}
		s.Mine, s.ClusterID, s.Nodes, s.MaxNodes = true, f.id, 1, f.maxNodes
		return nil
	})
	return s, err
}

func (w *world) Delete(_ context.Context, _ string, at environment.ClusterAttempt) (string, error) {
	return "", w.point("delete", func() error {
		f, ok := w.clusters[at.Name]
		switch {
		case !ok:
			return nil
		case w.now.Before(f.readyAt):
			return &environment.Error{Code: environment.CodeUnavailable, Busy: "operation-1", Message: "Busy."}
		case f.gone.IsZero():
			f.gone = w.now.Add(time.Minute)
		}
		return nil
	})
}

func (w *world) Resize(_ context.Context, c environment.Cluster) (string, error) {
	return "", w.point("resize", func() error { w.clusters[c.Name].maxNodes = c.MaxNodes; return nil })
}
func (w *world) Check(context.Context, string, environment.ClusterShape) error { return nil }
func (w *world) Allowed(context.Context, string) error                         { return nil }
func (w *world) Owned(context.Context, string) ([]environment.OwnedCluster, bool, error) {
	return nil, true, nil
}
func (w *world) Target(_ context.Context, c environment.Cluster) (environment.Target, error) {
	return environment.Target{Host: c.Name}, nil
}

// kube and charts share the world under other method names.
type (
	kube    struct{ *world }
	charts  struct{ *world }
	compute struct{ *world }
	door    struct{ *world }
	given   struct{}
)

func (given) Target(string) (environment.Target, error) {
	return environment.Target{Host: "given"}, nil
}

func (k kube) in(t environment.Target, do func(*fakeCluster) error) error {
	f, ok := k.clusters[t.Host]
	if !ok || !f.gone.IsZero() || k.now.Before(f.readyAt) || f.failed {
		return environment.Errorf(environment.CodeUnavailable, "The cluster does not answer.")
	}
	return do(f)
}

func (k kube) Prepare(_ context.Context, t environment.Target, p environment.Plan) error {
	return k.point("prepare", func() error {
		return k.in(t, func(f *fakeCluster) error { f.namespace[p.Namespace] = true; return nil })
	})
}
func (k kube) Apply(_ context.Context, t environment.Target, _, _ string) error {
	return k.point("apply", func() error { return k.in(t, func(*fakeCluster) error { return nil }) })
}
func (k kube) Remove(_ context.Context, t environment.Target, _, _ string) error {
	return k.point("remove", func() error { return k.in(t, func(*fakeCluster) error { return nil }) })
}

func (k kube) Observe(_ context.Context, t environment.Target, p environment.Plan) (s environment.SeenWorkloads, err error) {
	err = k.point("observe-workloads", func() error {
		return k.in(t, func(f *fakeCluster) error {
			s.Prepared = f.namespace[p.Namespace]
			s.Wanted = 3
			if !k.broken {
				s.Ready = 3
			}
			if gone, ok := f.exposed[p.Namespace]; ok && gone.IsZero() {
				s.Address = "http://" + p.Namespace + "." + t.Host
			}
			return nil
		})
	})
	return s, err
}

func (k kube) Inventory(_ context.Context, t environment.Target, p environment.Plan) (found []environment.Resource, err error) {
	err = k.point("inventory", func() error {
		return k.in(t, func(f *fakeCluster) error {
			if _, ok := f.exposed[p.Namespace]; ok {
				found = []environment.Resource{
					{Kind: environment.KindForwardingRule, Name: f.at.Name + "/" + p.Namespace},
					{Kind: environment.KindDisk, Name: f.at.Name + "/" + p.Namespace},
				}
			}
			return nil
		})
	})
	return found, err
}

func (k kube) Unexpose(_ context.Context, t environment.Target, p environment.Plan) error {
	return k.point("unexpose", func() error {
		return k.in(t, func(f *fakeCluster) error {
			if gone, ok := f.exposed[p.Namespace]; ok && gone.IsZero() {
				f.exposed[p.Namespace] = k.now.Add(20 * time.Second)
			}
			delete(f.namespace, p.Namespace)
			return nil
		})
	})
}

func (k kube) Exposed(_ context.Context, t environment.Target, p environment.Plan) (n int, err error) {
	err = k.point("exposed", func() error {
		return k.in(t, func(f *fakeCluster) error {
			gone, ok := f.exposed[p.Namespace]
			if ok && !gone.IsZero() && !k.now.Before(gone) {
				delete(f.exposed, p.Namespace)
				delete(k.rules, f.at.Name+"/"+p.Namespace)
				delete(k.disks, f.at.Name+"/"+p.Namespace)
				ok = false
			}
			if ok {
				n = 2
			}
			return nil
		})
	})
	return n, err
}
func (k kube) Logs(context.Context, environment.Target, environment.Plan, string, int, io.Writer) error {
	return nil
}
func (k kube) Kubeconfig(context.Context, environment.Target, environment.Plan) ([]byte, error) {
	return nil, nil
}

func (c charts) Resolve(_ context.Context, r environment.Release) (v string, err error) {
	return "1.0.0", c.point("resolve", func() error { return nil })
}
func (c charts) Check(context.Context, environment.Release) error { return nil }

func (c charts) Observe(_ context.Context, t environment.Target, ns, name string) (s environment.SeenRelease, err error) {
	err = c.point("observe-release", func() error {
		return kube(c).in(t, func(f *fakeCluster) error {
			s = f.releases[ns+"/"+name]
			if s.Status == "" {
				s.Status = environment.ReleaseAbsent
			}
			return nil
		})
	})
	return s, err
}

func (c charts) Converge(_ context.Context, t environment.Target, ns string, r environment.Release, hash string) error {
	return c.point("converge", func() error {
		return kube(c).in(t, func(f *fakeCluster) error {
			f.releases[ns+"/"+r.Name] = environment.SeenRelease{Status: environment.ReleaseDeployed, Hash: hash}
			f.exposed[ns] = time.Time{}
			c.rules[f.at.Name+"/"+ns], c.disks[f.at.Name+"/"+ns] = true, true
			return nil
		})
	})
}

func (c charts) Uninstall(_ context.Context, t environment.Target, ns, name string) error {
	return c.point("uninstall", func() error {
		if c.refuse != nil {
			if err := c.refuse("uninstall"); err != nil {
				return err
			}
		}
		return kube(c).in(t, func(f *fakeCluster) error { delete(f.releases, ns+"/"+name); return nil })
	})
}

func (c compute) Shortfall(context.Context, string, string, environment.ClusterShape) (string, error) {
	return c.quota, c.point("quota", func() error { return nil })
}

func (c compute) Leftovers(_ context.Context, _, cluster string, recorded []environment.Resource) (left []environment.Resource, err error) {
	err = c.point("leftovers", func() error {
		for _, r := range recorded {
			if r.Kind == environment.KindDisk && c.disks[r.Name] || r.Kind == environment.KindForwardingRule && c.rules[r.Name] {
				left = append(left, r)
			}
		}
		for d := range maps.Keys(c.disks) {
			r := environment.Resource{Kind: environment.KindDisk, Name: d}
			if cluster != "" && strings.HasPrefix(d, cluster+"/") && !slices.Contains(left, r) {
				left = append(left, r)
			}
		}
		return nil
	})
	return left, err
}

func (c compute) Delete(_ context.Context, r environment.Resource) error {
	return c.point("delete-leftover", func() error {
		if r.Kind == environment.KindDisk {
			delete(c.disks, r.Name)
		} else {
			delete(c.rules, r.Name)
		}
		return nil
	})
}

func (d door) Open(context.Context, environment.AccessKind, environment.Credentials) error {
	return d.point("door", func() error { return nil })
}

// memory is the part of the store that the runner uses, in memory, with
// compare-and-set; other calls meet the nil interface and panic.
type memory struct {
	environment.Store
	mu       sync.Mutex // a long step looks while a command writes
	envs     map[string]environment.Environment
	clusters map[string]environment.Cluster
	events   []environment.Event
	due      map[environment.Job]time.Time
	now      func() time.Time
	chance   func(string) string
}

func (m *memory) Commit(_ context.Context, ch environment.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	how := m.chance("commit")
	if how == "before" {
		panic(killed)
	}
	conflict := environment.Errorf(environment.CodeConflict, "It changed meanwhile.")
	if e := ch.Environment; e != nil && m.envs[e.ID].Version != e.Version {
		return conflict
	}
	if c := ch.Cluster; c != nil && m.clusters[c.ID].Version != c.Version {
		return conflict
	}
	if e := ch.Environment; e != nil {
		if old, ok := m.envs[e.ID]; ok && !old.State.CanBecome(e.State) {
			panic(fmt.Sprintf("%s became %s", old.State, e.State))
		}
		next := *e
		next.Version++
		m.envs[e.ID] = next
	}
	if c := ch.Cluster; c != nil {
		next := *c
		next.Version++
		m.clusters[c.ID] = next
	}
	m.events = append(m.events, ch.Events...)
	for _, j := range ch.Wake {
		m.due[environment.Job{Kind: j.Kind, ID: j.ID}] = m.now()
	}
	if how == "after" {
		panic(killed)
	}
	return nil
}

func (m *memory) Environment(_ context.Context, id string) (environment.Environment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.envs[id]
	if !ok {
		return e, environment.Errorf(environment.CodeNotFound, "no environment")
	}
	return e, nil
}

func (m *memory) Cluster(_ context.Context, id string) (environment.Cluster, error) {
	c, ok := m.clusters[id]
	if !ok {
		return c, environment.Errorf(environment.CodeNotFound, "no cluster")
	}
	return c, nil
}

func (m *memory) LiveCluster(_ context.Context, key string) (environment.Cluster, error) {
	for _, c := range m.clusters {
		if c.Key == key && c.Desired == environment.Present {
			return c, nil
		}
	}
	return environment.Cluster{}, environment.Errorf(environment.CodeNotFound, "no cluster")
}

func (m *memory) Tenants(_ context.Context, id string) (out []environment.Environment, _ error) {
	for _, e := range m.envs {
		if e.ClusterID == id && e.Phase != environment.PhaseGone {
			out = append(out, e)
		}
	}
	return out, nil
}

func (m *memory) Person(context.Context, string) (environment.Person, error) {
	return environment.Person{}, environment.Errorf(environment.CodeNotFound, "none")
}
func (m *memory) Took(context.Context, string) ([]time.Duration, error) { return nil, nil }

func (m *memory) Uses(context.Context, []string) (map[string]environment.Use, error) { return nil, nil }
