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
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/machine"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/pki"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/process"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/proxy"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/volume"
)

const (
	clientPort = 443
	// Where clients connect when the sandbox may not listen on 443.
	unprivilegedClientPort = 8443
)

// cluster is one control plane, from claim to drop.
type cluster struct {
	planes *Planes
	files  files
	log    *slog.Logger
	ready  chan struct{} // closed when Start may answer
	done   chan struct{} // closed when run has returned
	asked  chan struct{} // closed by stop
	once   sync.Once

	machines  *machine.Cluster    // the real nodes; nil when they are simulated
	pools     *nodepool.Pools     // set before ready
	volumes   *volume.Provisioner // set before ready
	ca        []byte              // set before ready
	processes []*process.Process  // set before ready

	mu     sync.Mutex
	record record
	err    error // why run returned
}

func newCluster(p *Planes, r record) *cluster {
	c := &cluster{
		planes: p, record: r, files: filesIn(filepath.Join(p.clustersDir(), r.Spec.ID)),
		log:   p.cfg.Log.With("cluster", r.Spec.Name),
		ready: make(chan struct{}), done: make(chan struct{}), asked: make(chan struct{}),
	}
	if host := p.cfg.Machines; host != nil {
		c.machines = host.Cluster(machine.ClusterConfig{
			Name: r.Spec.Name, Index: r.Index, Dir: filepath.Join(c.files.dir, "nodes"), Kubeconfig: c.files.kubeconfig, ClientCA: c.files.pki.CACert,
			ServiceDNS: serviceDNS, Discard: p.trash.Throw, Log: c.log,
		})
	}
	return c
}

// claim finds the cluster of a spec or records a new one. A cluster whose run
// has ended is forgotten first; that is Start's retry after a failure.
func (p *Planes) claim(spec cloud.ClusterSpec) (c *cluster, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.clusters[spec.ID]; c != nil {
		return c, false, nil
	}
	r := record{Spec: spec, Real: p.cfg.Machines != nil}
	if r.IP, r.Port, err = p.address(); err != nil {
		return nil, false, err
	}
	if r.Index, err = p.index(); err != nil {
		return nil, false, err
	}
	c = newCluster(p, r)
	if err := os.MkdirAll(c.files.dir, 0o700); err != nil {
		return nil, false, err
	}
	if err := r.save(c.files.dir); err != nil {
		return nil, false, err
	}
	p.clusters[spec.ID] = c
	return c, true, nil
}

// address picks a loopback address that no cluster has and that can be
// listened on. The caller holds mu.
func (p *Planes) address() (ip string, port int, err error) {
	taken := map[string]bool{}
	for _, c := range p.clusters {
		taken[c.record.IP] = true
	}
	for n := 2; n < 255; n++ {
		ip := fmt.Sprintf("%s.0.%d", p.cfg.Network, n)
		if taken[ip] || !free(ip, apiserverPort) {
			continue
		}
		if free(ip, clientPort) {
			return ip, clientPort, nil
		}
		if free(ip, unprivilegedClientPort) {
			return ip, unprivilegedClientPort, nil
		}
	}
	return "", 0, fmt.Errorf("no address is free in %s.0.0/24", p.cfg.Network)
}

// index picks the number of a cluster with real nodes. The caller holds mu.
func (p *Planes) index() (int, error) {
	if p.cfg.Machines == nil {
		return 0, nil
	}
	taken := map[int]bool{}
	for _, c := range p.clusters {
		taken[c.record.Index] = true
	}
	for i := range machine.Clusters {
		if !taken[i] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("a sandbox has room for %d clusters with real nodes and these exist", machine.Clusters)
}

func free(ip string, port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", ip, port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func (c *cluster) ip() string { return c.record.IP }

// apiIP is where the API server listens: where the nodes can reach it.
func (c *cluster) apiIP() string {
	if c.machines != nil {
		return c.machines.Gateway()
	}
	return c.record.IP
}

func (c *cluster) prefix() string { return "/" + c.record.Spec.ID }

func (c *cluster) endpoint() cloud.Endpoint {
	address := c.record.IP
	if c.record.Port != clientPort {
		address = fmt.Sprintf("%s:%d", c.record.IP, c.record.Port)
	}
	return cloud.Endpoint{Address: address, CACertificate: c.ca}
}

// stop asks run to end.
func (c *cluster) stop() { c.once.Do(func() { close(c.asked) }) }

// cause is why run has returned.
func (c *cluster) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// run brings the control plane up and keeps it up until ctx is done, stop is
// called or something fails that a restart cannot mend. Everything it started
// is gone when it returns.
func (c *cluster) run(ctx context.Context) {
	defer close(c.done)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := &parts{cancel: cancel}
	parts.run(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-c.asked:
			return ErrStopped
		}
	})
	began := time.Now()
	if err := c.bringUp(ctx, parts); err != nil {
		cancel(err)
	} else {
		c.log.Info("control plane is ready", "address", c.endpoint().Address, "took", time.Since(began).Round(time.Millisecond))
		close(c.ready)
	}
	<-ctx.Done()
	parts.wait()
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		err = ErrStopped
	}
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	if !errors.Is(err, ErrStopped) {
		c.log.Error("control plane ended", "error", err)
	}
}

// parts are the goroutines of a running cluster. The first error ends all.
type parts struct {
	group  sync.WaitGroup
	cancel context.CancelCauseFunc
}

func (p *parts) run(f func() error) {
	p.group.Go(func() {
		if err := f(); err != nil {
			p.cancel(err)
		}
	})
}

func (p *parts) wait() { p.group.Wait() }

// bringUp starts the parts in order and returns when Start may answer.
func (c *cluster) bringUp(ctx context.Context, parts *parts) error {
	if err := c.prepare(); err != nil {
		return err
	}
	if err := c.serve(ctx, parts); err != nil {
		return err
	}
	c.keep(ctx, parts, c.apiserver())
	if err := c.awaitAPI(ctx); err != nil {
		return err
	}
	c.keep(ctx, parts, c.controllerManager())
	c.keep(ctx, parts, c.scheduler())
	if err := c.playCloud(ctx, parts); err != nil {
		return err
	}
	return c.populate(ctx)
}

// prepare writes keys, certificates, tokens and kubeconfig.
func (c *cluster) prepare() error {
	if c.machines != nil {
		if err := c.machines.Up(); err != nil {
			return err
		}
	}
	addresses := []net.IP{net.ParseIP(c.ip()), net.ParseIP(c.apiIP()), net.ParseIP("127.0.0.1"), net.ParseIP(serviceFirstIP)}
	_, ca, err := pki.Ensure(filepath.Join(c.files.dir, "pki"), c.record.Spec.ID, addresses)
	if err != nil {
		return err
	}
	c.ca = ca
	return c.files.write(c.apiIP(), c.planes.cfg.Token)
}

// keep runs a process for as long as the cluster.
func (c *cluster) keep(ctx context.Context, parts *parts, process *process.Process) {
	c.processes = append(c.processes, process)
	parts.run(func() error { return process.Run(ctx, c.log) })
}

// serve listens where clients connect.
func (c *cluster) serve(ctx context.Context, parts *parts) error {
	listener, err := c.listen(ctx, c.record.Port)
	if err != nil {
		return err
	}
	p := &proxy.Proxy{Target: fmt.Sprintf("%s:%d", c.apiIP(), apiserverPort), Weather: c.weather, Log: c.log}
	parts.run(func() error { return p.Run(ctx, listener) })
	return nil
}

// listen takes a port of the cluster's own address, which a predecessor may
// still be letting go of.
func (c *cluster) listen(ctx context.Context, port int) (listener net.Listener, err error) {
	err = retry(ctx, func() (err error) {
		var config net.ListenConfig
		listener, err = config.Listen(ctx, "tcp", fmt.Sprintf("%s:%d", c.ip(), port))
		return err
	})
	return listener, err
}

// weather is what the faults scripted for this cluster do to its clients. A
// slow API without a delay of its own is slow by two seconds.
func (c *cluster) weather() (w proxy.Weather) {
	compute, id := c.planes.cfg.Compute, c.record.Spec.ID
	w.Down = compute.Fault("api-down", id) != nil
	if fault := compute.Fault("slow-api", id); fault != nil {
		w.Delay = 2 * time.Second
		if d, err := time.ParseDuration(fault.Delay); err == nil {
			w.Delay = d
		}
	}
	return w
}

// release gives back what only a running cluster uses. Failures are logged:
// the cluster is gone either way, and the cloud counts by its own records.
func (c *cluster) release(ctx context.Context) {
	if c.volumes != nil {
		c.volumes.Detach(ctx)
	}
	c.mu.Lock()
	state := c.record.Nodes
	c.mu.Unlock()
	if err := nodepool.Release(ctx, c.planes.cfg.Compute, c.record.Spec.ID, state); err != nil {
		c.log.Warn("nodes are not given back", "error", err)
	}
}

// saveNodes puts the nodes into the record.
func (c *cluster) saveNodes(state nodepool.State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.record
	next.Nodes = state
	if err := next.save(c.files.dir); err != nil {
		return err
	}
	c.record = next
	return nil
}
