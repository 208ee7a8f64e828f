package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/vishvananda/netlink"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/cgroup"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/guest"
)

const specName = "node.json"

// ErrStopped is what Boot answers when the cluster has ended: nothing runs.
var ErrStopped = errors.New("the cluster's nodes were stopped")

// Machine is a node that is to be booted.
type Machine struct {
	Name, Zone            string
	MilliCPU, MemoryBytes int64 // of the machine type
	AllocatableCPU        int64 // what pods may use of them
	AllocatableBytes      int64
}

// node is one node, from Boot to Shut.
type node struct {
	cluster *Cluster
	index   int
	spec    guest.Spec
	asked   context.Context // done when the node is to be shut down
	ask     context.CancelFunc
	gone    chan struct{} // closed when nothing of it runs
}

// Boot starts a node and returns; the kubelet reports when it is ready. A node
// that runs is fine, and one from before a restart gets its addresses and files
// back. Boot waits for Run to be running.
func (c *Cluster) Boot(ctx context.Context, m Machine) error {
	n, fresh, err := c.claim(ctx, m)
	if err != nil {
		return fmt.Errorf("boot node %s: %w", m.Name, err)
	}
	if !fresh {
		return nil
	}
	select {
	case c.boots <- n:
		return nil
	case <-c.over:
		err = ErrStopped
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.nodes, m.Name)
	return err
}

// claim finds a node or prepares it.
func (c *Cluster) claim(ctx context.Context, m Machine) (n *node, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[m.Name]; n != nil {
		return n, false, nil
	}
	n = &node{cluster: c, gone: make(chan struct{})}
	if n.index, err = c.index(m.Name); err != nil {
		return nil, false, err
	}
	n.spec = c.spec(m, n.index)
	for _, dir := range []string{n.spec.Dir, n.spec.Disks} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, false, err
		}
	}
	if err := n.spec.Save(filepath.Join(n.spec.Dir, specName)); err != nil {
		return nil, false, err
	}
	if err := cgroup.Create(n.spec.Cgroup); err != nil {
		return nil, false, err
	}
	n.asked, n.ask = context.WithCancel(context.WithoutCancel(ctx))
	c.nodes[m.Name] = n
	return n, true, nil
}

// index is the node's number in the cluster: the one it had, or the first that
// no other has. Its addresses follow from it. The caller holds mu.
func (c *Cluster) index(name string) (int, error) {
	taken := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(c.Dir, "*", specName))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		spec, err := guest.Load(file)
		if err != nil {
			return 0, err
		}
		taken[spec.PodRange] = spec.Name != name
	}
	for i := range nodesPerCluster {
		if other, known := taken[c.podRange(i)]; known && !other {
			return i, nil
		}
	}
	for i := range nodesPerCluster {
		if !taken[c.podRange(i)] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("a cluster can have %d real nodes and this one has them", nodesPerCluster)
}

func (c *Cluster) spec(m Machine, index int) guest.Spec {
	host := c.host.cfg
	spec := guest.Spec{
		Name: m.Name, Zone: m.Zone, Dir: filepath.Join(c.Dir, m.Name), Disks: host.Disks,
		Kubeconfig: c.Kubeconfig, ClientCA: c.ClientCA, Cgroup: group(c.host.id) + "/" + m.Name,
		Address: c.nodeAddress(index) + "/24", Gateway: c.Gateway(), PodRange: c.podRange(index), ClusterPods: c.network(),
		ServiceDNS: c.ServiceDNS, ContainerNetworks: c.host.networks,
		CPUs: int((m.MilliCPU + 999) / 1000), MemoryBytes: m.MemoryBytes,
		ReservedMilliCPU: m.MilliCPU - m.AllocatableCPU, ReservedBytes: m.MemoryBytes - m.AllocatableBytes - evictionBytes,
	}
	if host.Registry != nil {
		spec.Registry = net.JoinHostPort(c.Gateway(), registryPort)
	}
	return spec
}

// evictionBytes are what the kubelet keeps free besides what is reserved.
const evictionBytes = 100 << 20

// plug connects the node whose first process is pid: one end of a cable in the
// cluster's bridge, the other in the node, which waits for it.
func (n *node) plug(pid int) error {
	name := n.cluster.plugName(n.index)
	if err := n.unplug(); err != nil { // of a process that has ended
		return err
	}
	bridge, err := netlink.LinkByName(n.cluster.bridgeName())
	if err != nil {
		return fmt.Errorf("find the cluster's bridge: %w", err)
	}
	cable := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: guest.Interface, PeerNamespace: netlink.NsPid(pid)}
	cable.Name, cable.MasterIndex = name, bridge.Attrs().Index
	if err := netlink.LinkAdd(cable); err != nil {
		return fmt.Errorf("plug in node %s: %w", n.spec.Name, err)
	}
	if err := errors.Join(netlink.LinkSetAlias(cable, n.spec.Name), netlink.LinkSetUp(cable)); err != nil {
		return fmt.Errorf("plug in node %s: %w", n.spec.Name, err)
	}
	_, pods, err := net.ParseCIDR(n.spec.PodRange)
	if err != nil {
		return err
	}
	address := net.ParseIP(n.cluster.nodeAddress(n.index))
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: pods, Gw: address}); err != nil {
		return fmt.Errorf("route to the pods of node %s: %w", n.spec.Name, err)
	}
	return nil
}

// unplug takes the cable away. The kernel does that only once nothing of the
// node's network is left, and what a pod sent last to one that has gone waits
// there for minutes to be acknowledged. No cable is fine.
func (n *node) unplug() error {
	name := n.cluster.plugName(n.index)
	cable, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(cable)
	}
	if err == nil || errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, syscall.ENODEV) {
		return nil // the kernel may have done the same
	}
	return fmt.Errorf("unplug node %s: %w", n.spec.Name, err)
}

// Shut ends a node and removes its files. A node that does not exist is fine.
// It waits until nothing of the node runs.
func (c *Cluster) Shut(ctx context.Context, name string) error {
	c.mu.Lock()
	n := c.nodes[name]
	c.mu.Unlock()
	if n != nil {
		n.ask()
		select {
		case <-n.gone:
		case <-c.over:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.unroute(n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.nodes, name)
	if err := c.Discard(filepath.Join(c.Dir, name)); err != nil {
		return fmt.Errorf("remove the files of node %s: %w", name, err)
	}
	return nil
}

// unroute forgets the way to a node's pods. One that is gone is fine.
func (c *Cluster) unroute(n *node) {
	_, pods, err := net.ParseCIDR(n.spec.PodRange)
	if err != nil {
		return
	}
	err = netlink.RouteDel(&netlink.Route{Dst: pods})
	if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, fs.ErrNotExist) {
		c.Log.Warn("route stays", "range", n.spec.PodRange, "error", err)
	}
}
