package nodepool

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/machine"
)

// reconcile registers a node that has booted.
func (p *Pools) reconcile(ctx context.Context, name string) (time.Duration, error) {
	node, ok := p.find(name)
	if !ok {
		return 0, nil
	}
	if !node.Admitted {
		// A crash came between asking and noting the answer; asking again
		// finds the same instance.
		if err := p.Compute.AddNodes(ctx, p.Cluster.ID, node.Pool, []string{name}); err != nil {
			return 0, err
		}
	}
	if left := time.Until(node.Boots); left > 0 {
		return left, nil
	}
	state := p.Snapshot()
	i := slices.IndexFunc(state.Pools, named(node.Pool))
	if i < 0 {
		return 0, nil // the pool is being deleted, Set removes the node
	}
	object := Build(p.Cluster, state.Pools[i], name, node.Zone)
	if p.Machines != nil {
		// The kubelet says what the node is like.
		object.Status = corev1.NodeStatus{}
		delete(object.Annotations, playedByKWOK)
	} else {
		advertise(object, p.Kubelet)
	}
	_, err := p.Client.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{})
	switch {
	case err == nil:
		p.latency.Record(cloud.NodeBoot, name, node.Asked)
		p.Log.Info("node registered", "node", name, "pool", node.Pool)
	case !apierrors.IsAlreadyExists(err):
		return 0, fmt.Errorf("register node: %w", err)
	}
	if err := p.boot(ctx, state.Pools[i], node); err != nil {
		return 0, err
	}
	p.markRegistered(name)
	return 0, nil
}

// advertise says where a node's kubelet is. Its internal address, where clients
// look for the node, leads nowhere.
func advertise(node *corev1.Node, kubelet netip.AddrPort) {
	node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalDNS, Address: kubelet.Addr().String()})
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(kubelet.Port())
}

// boot starts the machine behind a node.
func (p *Pools) boot(ctx context.Context, pool cloud.NodePool, node Node) error {
	if p.Machines == nil {
		return nil
	}
	return p.Machines.Boot(ctx, machine.Machine{
		Name: node.Name, Zone: node.Zone, MilliCPU: pool.MilliCPU, MemoryBytes: pool.MemoryBytes,
		AllocatableCPU: AllocatableCPU(pool.MilliCPU), AllocatableBytes: AllocatableMemory(pool.MemoryBytes),
	})
}

// remove takes a node's pods, its object and its instance away, in that order:
// pods that nobody plays any more would be stuck in deletion.
func (p *Pools) remove(ctx context.Context, node Node) error {
	err := p.change(func(s *State) { s.Nodes = slices.DeleteFunc(s.Nodes, among([]string{node.Name})) })
	if err != nil {
		return err
	}
	if err := p.evict(ctx, node.Name); err != nil {
		return fmt.Errorf("empty node %s: %w", node.Name, err)
	}
	err = p.Client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete node %s: %w", node.Name, err)
	}
	if p.Machines != nil {
		if err := p.Machines.Shut(ctx, node.Name); err != nil {
			return err
		}
	}
	if err := p.Compute.RemoveNodes(ctx, p.Cluster.ID, node.Pool, []string{node.Name}); err != nil {
		return fmt.Errorf("give back node %s: %w", node.Name, err)
	}
	p.Log.Info("node removed", "node", node.Name, "pool", node.Pool)
	return nil
}

func (p *Pools) evict(ctx context.Context, node string) error {
	pods, err := p.Pods.List(labels.Everything())
	if err != nil {
		return err
	}
	now := int64(0)
	for _, pod := range pods {
		if pod.Spec.NodeName != node {
			continue
		}
		err := p.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

// wait returns when every node that is recorded now is registered.
func (p *Pools) wait(ctx context.Context) error {
	for _, node := range p.Snapshot().Nodes {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.registration(node.Name):
		}
	}
	return nil
}

func (p *Pools) registration(name string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done, ok := p.registered[name]; ok {
		return done
	}
	gone := make(chan struct{})
	close(gone)
	return gone
}

func (p *Pools) markRegistered(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done, ok := p.registered[name]; ok {
		close(done)
		delete(p.registered, name)
	}
}

// change edits the state and saves it. It keeps the old state when saving
// fails.
func (p *Pools) change(edit func(*State)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := State{Pools: slices.Clone(p.state.Pools), Nodes: slices.Clone(p.state.Nodes)}
	edit(&next)
	if err := p.Save(next); err != nil {
		return fmt.Errorf("save node pools: %w", err)
	}
	known := p.state.Nodes
	p.state = next
	for _, node := range next.Nodes {
		if !slices.ContainsFunc(known, among([]string{node.Name})) {
			p.registered[node.Name] = make(chan struct{})
		}
	}
	for _, node := range known {
		done, waiting := p.registered[node.Name]
		if waiting && !slices.ContainsFunc(next.Nodes, among([]string{node.Name})) {
			close(done)
			delete(p.registered, node.Name)
		}
	}
	return nil
}

// replacePools takes over new pools and returns those from before.
func (p *Pools) replacePools(pools []cloud.NodePool) (before []cloud.NodePool, err error) {
	err = p.change(func(s *State) {
		before = s.Pools
		s.Pools = slices.Clone(pools)
	})
	return before, err
}

func (p *Pools) find(name string) (Node, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.state.Nodes, among([]string{name}))
	if i < 0 {
		return Node{}, false
	}
	return p.state.Nodes[i], true
}

func (p *Pools) nodesOf(pool string) []Node {
	nodes := p.Snapshot().Nodes
	return slices.DeleteFunc(nodes, func(n Node) bool { return n.Pool != pool })
}

func (p *Pools) size(pool string) int { return len(p.nodesOf(pool)) }

func count(nodes []Node, pool string) (n int) {
	for _, node := range nodes {
		if node.Pool == pool {
			n++
		}
	}
	return n
}

func byPool(nodes []Node) map[string][]string {
	names := map[string][]string{}
	for _, node := range nodes {
		names[node.Pool] = append(names[node.Pool], node.Name)
	}
	return names
}

func named(name string) func(cloud.NodePool) bool {
	return func(pool cloud.NodePool) bool { return pool.Name == name }
}

func among(names []string) func(Node) bool {
	return func(node Node) bool { return slices.Contains(names, node.Name) }
}
