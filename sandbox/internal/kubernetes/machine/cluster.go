package machine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/cgroup"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/process"
)

// Clusters is how many clusters with real nodes one sandbox can have.
const Clusters = 16

// ClusterConfig is what a Cluster needs.
type ClusterConfig struct {
	Name       string                  // for people who look at this machine
	Index      int                     // below Clusters, and no other cluster's
	Dir        string                  // below which the nodes' files lie
	Kubeconfig string                  // by which nodes and DNS reach the API server
	ClientCA   string                  // who signs those that may call kubelets
	ServiceDNS string                  // address of the cluster's DNS service
	Discard    func(path string) error // takes a node's files away; gone ones are fine
	Log        *slog.Logger
}

// Cluster is the nodes of one cluster and the network between them. Safe for
// concurrent use.
type Cluster struct {
	ClusterConfig
	host  *Host
	boots chan *node
	over  chan struct{} // closed when Run has returned

	mu    sync.Mutex
	nodes map[string]*node
}

// Cluster prepares a cluster; it begins to exist with Up.
func (h *Host) Cluster(cfg ClusterConfig) *Cluster {
	return &Cluster{ClusterConfig: cfg, host: h, boots: make(chan *node), over: make(chan struct{}), nodes: map[string]*node{}}
}

// Gateway is the host's address in the cluster, where nodes and pods reach the
// API server.
func (c *Cluster) Gateway() string { return fmt.Sprintf("%s.%d.1", c.host.cfg.Network, c.Index*16) }

// ranges of the cluster: a /20, of which the first 256 addresses are the
// nodes' and each node has 128 of the rest for its pods.
const nodesPerCluster = 30

func (c *Cluster) network() string { return fmt.Sprintf("%s.%d.0/20", c.host.cfg.Network, c.Index*16) }

func (c *Cluster) nodeAddress(n int) string {
	return fmt.Sprintf("%s.%d.%d", c.host.cfg.Network, c.Index*16, n+2)
}

func (c *Cluster) podRange(n int) string {
	return fmt.Sprintf("%s.%d.%d/25", c.host.cfg.Network, c.Index*16+1+n/2, n%2*128)
}

func (c *Cluster) bridgeName() string { return fmt.Sprintf("%s-%x", c.host.prefix(), c.Index) }

func (c *Cluster) plugName(n int) string {
	return fmt.Sprintf("%s-%x%02x", c.host.prefix(), c.Index, n)
}

// Up makes the bridge that nodes are plugged into, with the host's address on
// it. A bridge that exists is fine.
func (c *Cluster) Up() error {
	// Another sandbox may have turned it off when it was the last with clusters.
	if err := forwarding.on(); err != nil {
		return fmt.Errorf("let packets through to the nodes: %w", err)
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
	bridge.Name = c.bridgeName()
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("make bridge %s: %w", bridge.Name, err)
	}
	link, err := netlink.LinkByName(bridge.Name)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", bridge.Name, err)
	}
	address, err := netlink.ParseAddr(c.Gateway() + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("set address of bridge %s: %w", bridge.Name, err)
	}
	if err := netlink.LinkSetAlias(link, c.Name); err != nil {
		return fmt.Errorf("name bridge %s: %w", bridge.Name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up bridge %s: %w", bridge.Name, err)
	}
	// Nodes send each other's pods through us on purpose.
	return os.WriteFile("/proc/sys/net/ipv4/conf/"+bridge.Name+"/send_redirects", []byte("0"), 0o644)
}

// Down removes the bridge. Run must have returned. No bridge is fine.
func (c *Cluster) Down() error {
	link, err := netlink.LinkByName(c.bridgeName())
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	return netlink.LinkDel(link)
}

// Run serves the cluster's DNS and runs its nodes until ctx is done. Every
// process of theirs is gone when it returns. The API server must run.
func (c *Cluster) Run(ctx context.Context) error {
	defer close(c.over)
	group, ctx := errgroup.WithContext(ctx)
	dns, err := c.dns()
	if err != nil {
		return err
	}
	group.Go(func() error { return dns.Run(ctx, c.Log) })
	if c.host.cfg.Registry != nil {
		group.Go(func() error { return c.serveImages(ctx) })
	}
	group.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case n := <-c.boots:
				group.Go(func() error { return n.run(ctx) })
			}
		}
	})
	return group.Wait()
}

// run keeps a node up until ctx is done or it is shut down.
func (n *node) run(ctx context.Context) error {
	defer close(n.gone)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.asked, cancel)()
	spec := filepath.Join(n.spec.Dir, specName)
	p := &process.Process{
		Name: n.spec.Name, Argv: append(append([]string{}, n.cluster.host.cfg.Node...), "init", spec),
		Log:        filepath.Join(n.spec.Dir, "console.log"),
		Namespaces: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Started:    n.plug,
	}
	err := p.Run(ctx, n.cluster.Log)
	if left := n.unplug(); left != nil {
		n.cluster.Log.Warn("network interface of a node stays", "node", n.spec.Name, "error", left)
	}
	if left := cgroup.Remove(context.WithoutCancel(ctx), n.spec.Cgroup); left != nil {
		// The other nodes go on: whoever clears up after the sandbox finds it.
		n.cluster.Log.Warn("control group of a node stays", "node", n.spec.Name, "error", left)
	}
	return err
}
