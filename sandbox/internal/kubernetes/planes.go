package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/machine"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/trash"
)

// Config is what Planes need.
type Config struct {
	StateDir string              // everything on disk is below it
	Binaries map[string][]string // program and first arguments of each of Components
	Network  string              // first two bytes of the loopback addresses, such as "127.77"
	Token    string              // bearer token that every cluster accepts as system:masters
	Nodes    string              // "simulated" or "real"
	Machines *machine.Host       // runs real nodes; nil when they are simulated
	Compute  cloud.Compute
	Backends cloud.Backends
	Log      *slog.Logger
}

// Planes are the control planes of all clusters.
type Planes struct {
	cfg    Config
	trash  *trash.Bin
	starts chan *cluster
	up     chan struct{} // closed when the store answers
	over   chan struct{} // closed when Run returns

	mu       sync.Mutex
	clusters map[string]*cluster
}

var _ cloud.ControlPlanes = (*Planes)(nil)

// ErrStopped is what Start answers for a cluster that was stopped while it
// started, or when Run has ended. The caller asked for both.
var ErrStopped = errors.New("the control plane was stopped")

// New checks the configuration and reads the records of clusters from before.
// It starts nothing. An error names the setting or the file that is wrong.
func New(cfg Config) (*Planes, error) { //nolint:gocyclo // one case after the other
	if cfg.Nodes != "" && cfg.Nodes != "simulated" && cfg.Nodes != "real" || (cfg.Nodes == "real") != (cfg.Machines != nil) {
		return nil, fmt.Errorf("nodes %q: they are simulated, or real and have machines", cfg.Nodes)
	}
	if net.ParseIP(cfg.Network+".0.1") == nil {
		return nil, fmt.Errorf("network %q is not the first two bytes of an address", cfg.Network)
	}
	for _, name := range Components {
		if len(cfg.Binaries[name]) == 0 {
			return nil, fmt.Errorf("no program is given for %s", name)
		}
	}
	p := &Planes{cfg: cfg, starts: make(chan *cluster), up: make(chan struct{}), over: make(chan struct{}), clusters: map[string]*cluster{}}
	// Processes are given absolute paths: they do not share our idea of where
	// we are.
	dir, err := filepath.Abs(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	p.cfg.StateDir = dir
	if err := os.MkdirAll(p.clustersDir(), 0o700); err != nil {
		return nil, err
	}
	if p.trash, err = trash.New(filepath.Join(p.cfg.StateDir, "trash"), cfg.Log); err != nil {
		return nil, err
	}
	records, err := loadRecords(p.clustersDir())
	if err != nil {
		return nil, fmt.Errorf("read control planes: %w", err)
	}
	for _, r := range records {
		if r.Real != (cfg.Machines != nil) {
			return nil, fmt.Errorf("cluster %s was made with other nodes than --nodes %s: delete it first, or use another state directory", r.Spec.Name, cfg.Nodes)
		}
		p.clusters[r.Spec.ID] = newCluster(p, r)
	}
	return p, nil
}

func (p *Planes) clustersDir() string { return filepath.Join(p.cfg.StateDir, "clusters") }

// Run keeps the store and every cluster running until ctx is done, and returns
// when every process it started is gone. It fails when the store cannot be
// started at all, for example because another sandbox uses the same network.
// It runs once.
func (p *Planes) Run(ctx context.Context) (err error) {
	defer close(p.over)
	if err := p.claimNetwork(ctx); err != nil {
		return err
	}
	if host := p.cfg.Machines; host != nil {
		if err := host.Open(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, host.Close(context.WithoutCancel(ctx))) }()
	}
	// The store outlives the clusters that write to it, which makes for a
	// quieter end; both end before Run returns.
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStore()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var store, clusters sync.WaitGroup
	clusters.Go(func() { p.trash.Run(ctx) })
	store.Go(func() {
		if err := p.etcd().Run(storeCtx, p.cfg.Log); err != nil {
			cancel(err)
		}
	})
	if err := p.awaitEtcd(ctx); err == nil {
		close(p.up)
		p.dispatch(ctx, &clusters)
	}
	clusters.Wait()
	stopStore()
	store.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// claimNetwork fails when another sandbox has its store on our address.
func (p *Planes) claimNetwork(ctx context.Context) error {
	return retry(ctx, func() error {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", fmt.Sprintf("%s:%d", p.etcdIP(), etcdPort))
		if err != nil {
			return fmt.Errorf("the sandbox's network %s is in use: %w", p.cfg.Network, err)
		}
		return listener.Close()
	})
}

// dispatch runs the clusters from before and those that are asked for.
func (p *Planes) dispatch(ctx context.Context, clusters *sync.WaitGroup) {
	p.mu.Lock()
	for _, c := range p.clusters {
		clusters.Go(func() { c.run(ctx) })
	}
	p.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-p.starts:
			clusters.Go(func() { c.run(ctx) })
		}
	}
}

// Start implements cloud.ControlPlanes. It waits for Run to be running. An
// error that wraps one of cloud.Compute's is the cloud's refusal of the nodes;
// nothing of the cluster is left then.
func (p *Planes) Start(ctx context.Context, spec cloud.ClusterSpec) (cloud.Endpoint, error) {
	select {
	case <-ctx.Done():
		return cloud.Endpoint{}, ctx.Err()
	case <-p.over:
		return cloud.Endpoint{}, ErrStopped
	case <-p.up:
	}
	c, fresh, err := p.claim(spec)
	if err != nil {
		return cloud.Endpoint{}, fmt.Errorf("start control plane of %s: %w", spec.Name, err)
	}
	if fresh {
		select {
		case <-ctx.Done():
			return cloud.Endpoint{}, errors.Join(ctx.Err(), p.drop(context.WithoutCancel(ctx), c))
		case <-p.over:
			return cloud.Endpoint{}, ErrStopped // the record stays: the next Run starts it
		case p.starts <- c:
		}
	}
	select {
	case <-ctx.Done():
		return cloud.Endpoint{}, ctx.Err()
	case <-c.ready:
		return c.endpoint(), nil
	case <-c.done:
		return cloud.Endpoint{}, p.failed(ctx, c)
	}
}

// failed explains why a cluster's run has ended, and forgets the cluster,
// unless it ended only because Run did: then it comes back with the next one.
func (p *Planes) failed(ctx context.Context, c *cluster) error {
	err := fmt.Errorf("start control plane of %s: %w", c.record.Spec.Name, c.cause())
	if errors.Is(err, ErrStopped) {
		return err
	}
	return errors.Join(err, p.drop(ctx, c))
}

// SetNodePools implements cloud.ControlPlanes.
func (p *Planes) SetNodePools(ctx context.Context, id string, pools []cloud.NodePool) error {
	c := p.find(id)
	if c == nil {
		return fmt.Errorf("set node pools: there is no control plane %s", id)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return ErrStopped
	case <-c.ready:
	}
	return c.pools.Set(ctx, pools)
}

// NodePools are the pools of a running cluster with the sizes they have now,
// which the autoscaler may have changed; nil for a cluster that is not there.
func (p *Planes) NodePools(id string) []cloud.NodePool {
	c := p.find(id)
	if c == nil {
		return nil
	}
	select {
	case <-c.ready:
		return c.pools.Snapshot().Pools
	default:
		return c.record.Nodes.Pools
	}
}

// Stop implements cloud.ControlPlanes. The nodes are given back and disks are
// detached, because the machines are gone.
func (p *Planes) Stop(ctx context.Context, id string) error {
	c := p.find(id)
	if c == nil {
		return nil
	}
	c.stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.over:
		return ErrStopped // the store is gone, too; the caller asks again after a restart
	case <-c.done:
	}
	if err := p.drop(ctx, c); err != nil {
		return fmt.Errorf("stop control plane %s: %w", id, err)
	}
	return nil
}

func (p *Planes) find(id string) *cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clusters[id]
}

// drop forgets a cluster that does not run: its objects, then its files, then
// that it ever was. Any prefix of that can be done again.
func (p *Planes) drop(ctx context.Context, c *cluster) error {
	c.release(ctx)
	if c.machines != nil {
		if err := c.machines.Down(); err != nil {
			return err
		}
	}
	if err := p.forget(ctx, c.prefix()); err != nil {
		return err
	}
	if err := p.trash.Throw(c.files.dir); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clusters[c.record.Spec.ID] == c {
		delete(p.clusters, c.record.Spec.ID)
	}
	return nil
}
