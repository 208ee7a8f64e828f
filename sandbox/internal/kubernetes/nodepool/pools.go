package nodepool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/latency"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/machine"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

// Node is one machine of a pool, from the moment it is asked for.
type Node struct {
	Name     string    `json:"name"`
	Pool     string    `json:"pool"`
	Zone     string    `json:"zone"`
	Admitted bool      `json:"admitted"` // the cloud granted the instance
	Asked    time.Time `json:"asked"`
	Boots    time.Time `json:"boots"` // when it has booted
}

// State is what must survive a restart.
type State struct {
	Pools []cloud.NodePool `json:"pools"`
	Nodes []Node           `json:"nodes"`
}

// Config is what Pools need.
type Config struct {
	Cluster cloud.ClusterSpec
	Compute cloud.Compute
	Client  kubernetes.Interface
	Pods    corelisters.PodLister
	State   State
	Save    func(State) error // called before anything outside changes
	Log     *slog.Logger

	// Machines run the nodes for real; nil when KWOK plays them.
	Machines Machines
	// Kubelet is where the API server finds the kubelets of nodes that KWOK
	// plays: one answers for all of them.
	Kubelet netip.AddrPort
}

// Machines boots and shuts down what is behind the nodes. Both find it done
// when they are called again.
type Machines interface {
	Boot(ctx context.Context, m machine.Machine) error
	Shut(ctx context.Context, name string) error
}

// Pools are the node pools of one cluster. Safe for concurrent use.
type Pools struct {
	Config
	latency latency.Source
	loop    *reconcile.Loop
	asking  sync.Mutex // held while sizes change, so that changes do not mix

	mu         sync.Mutex
	state      State
	registered map[string]chan struct{} // closed when the node object exists
}

// New prepares the pools as State says; nothing happens until Run.
func New(cfg Config) *Pools {
	p := &Pools{
		Config: cfg, state: cfg.State,
		latency:    latency.Source{Compute: cfg.Compute, ClusterID: cfg.Cluster.ID},
		registered: map[string]chan struct{}{},
	}
	p.loop = reconcile.New("nodes", cfg.Log, p.reconcile)
	for _, node := range cfg.State.Nodes {
		p.registered[node.Name] = make(chan struct{})
	}
	return p
}

// Run registers nodes that have booted and removes those given up, until ctx
// is done.
func (p *Pools) Run(ctx context.Context) {
	for _, node := range p.Snapshot().Nodes {
		p.loop.Add(node.Name)
	}
	p.loop.Run(ctx, 2)
}

// Snapshot is a copy of pools and nodes, with each pool's Count the number of
// its nodes.
func (p *Pools) Snapshot() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := State{Pools: slices.Clone(p.state.Pools), Nodes: slices.Clone(p.state.Nodes)}
	for i := range state.Pools {
		state.Pools[i].Count = count(state.Nodes, state.Pools[i].Name)
	}
	return state
}

// Set makes the pools those given and returns when their nodes are registered.
// An autoscaled pool keeps the size the autoscaler gave it, within its limits,
// unless its Count is another than last time. When the cloud refuses nodes
// (quota), the pools that came before keep theirs and the cloud's error is
// returned.
func (p *Pools) Set(ctx context.Context, pools []cloud.NodePool) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	before, err := p.replacePools(pools)
	if err != nil {
		return err
	}
	var errs []error
	for _, pool := range pools {
		if err := p.resize(ctx, pool, wanted(pool, before, p.size(pool.Name))); err != nil {
			errs = append(errs, err)
		}
	}
	for _, node := range p.Snapshot().Nodes {
		if !slices.ContainsFunc(pools, named(node.Pool)) {
			if err := p.remove(ctx, node); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return p.wait(ctx)
}

// wanted is the size a pool should have now.
func wanted(pool cloud.NodePool, before []cloud.NodePool, size int) int {
	i := slices.IndexFunc(before, named(pool.Name))
	if !pool.Autoscaling {
		return pool.Count
	}
	if i < 0 || before[i].Count != pool.Count {
		size = pool.Count
	}
	return min(max(size, pool.Min), max(pool.Max, pool.Min))
}

// Grow adds n nodes to a pool and returns without waiting for them to boot.
// The cloud's refusal comes back as it is.
func (p *Pools) Grow(ctx context.Context, pool string, n int) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	i := slices.IndexFunc(p.Snapshot().Pools, named(pool))
	if i < 0 {
		return fmt.Errorf("node pool %s is gone", pool)
	}
	return p.add(ctx, p.Snapshot().Pools[i], n)
}

// Shrink takes one node away, with the pods on it. A node that is gone is
// fine.
func (p *Pools) Shrink(ctx context.Context, name string) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	node, ok := p.find(name)
	if !ok {
		return nil
	}
	return p.remove(ctx, node)
}

// Release gives every node of a state back to the cloud without touching
// Kubernetes, for a cluster that ends.
func Release(ctx context.Context, compute cloud.Compute, clusterID string, state State) error {
	var errs []error
	for pool, nodes := range byPool(state.Nodes) {
		errs = append(errs, compute.RemoveNodes(ctx, clusterID, pool, nodes))
	}
	return errors.Join(errs...)
}

// resize brings a pool to a size.
func (p *Pools) resize(ctx context.Context, pool cloud.NodePool, size int) error {
	nodes := p.nodesOf(pool.Name)
	if missing := size - len(nodes); missing > 0 {
		return p.add(ctx, pool, missing)
	}
	for _, node := range nodes[size:] {
		if err := p.remove(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// add records n nodes, asks the cloud for them and lets them boot.
func (p *Pools) add(ctx context.Context, pool cloud.NodePool, n int) error {
	nodes, names := p.draft(pool, n)
	if err := p.change(func(s *State) { s.Nodes = append(s.Nodes, nodes...) }); err != nil {
		return err
	}
	if err := p.Compute.AddNodes(ctx, p.Cluster.ID, pool.Name, names); err != nil {
		forget := p.change(func(s *State) { s.Nodes = slices.DeleteFunc(s.Nodes, among(names)) })
		return errors.Join(fmt.Errorf("add %d nodes to pool %s: %w", n, pool.Name, err), forget)
	}
	err := p.change(func(s *State) {
		for i := range s.Nodes {
			s.Nodes[i].Admitted = s.Nodes[i].Admitted || slices.Contains(names, s.Nodes[i].Name)
		}
	})
	for _, name := range names {
		p.loop.Add(name)
	}
	return err
}

// draft names n new nodes, each in the zone that has fewest of the pool.
func (p *Pools) draft(pool cloud.NodePool, n int) (nodes []Node, names []string) {
	perZone := map[string]int{}
	for _, node := range p.nodesOf(pool.Name) {
		perZone[node.Zone]++
	}
	zones := pool.Zones
	if len(zones) == 0 {
		zones = []string{p.Cluster.Location}
	}
	now := time.Now()
	for range n {
		zone := slices.MinFunc(zones, func(a, b string) int { return perZone[a] - perZone[b] })
		perZone[zone]++
		name := Name(p.Cluster, pool.Name, zone)
		nodes = append(nodes, Node{Name: name, Pool: pool.Name, Zone: zone, Asked: now, Boots: now.Add(p.latency.Draw(cloud.NodeBoot))})
		names = append(names, name)
	}
	return nodes, names
}
