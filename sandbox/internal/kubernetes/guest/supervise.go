package guest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/csi"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/process"
)

// Programs are how a node starts the programs it supervises.
type Programs struct {
	Containerd []string
	Kubelet    []string
	Proxy      []string
}

// Supervise connects the node to its network and keeps its programs and its
// disk driver running until ctx is done. An error means that one of them
// cannot be started at all.
func Supervise(ctx context.Context, spec Spec, programs Programs, log *slog.Logger) error {
	if err := connect(ctx, spec); err != nil {
		return fmt.Errorf("connect the node: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	keep := func(name string, argv []string, flags ...string) {
		p := &process.Process{Name: name, Argv: append(append([]string{}, argv...), flags...), Log: logDir + "/" + name + ".log", Env: []string{"GOGC=50"}}
		group.Go(func() error { return p.Run(ctx, log) })
	}
	keep("containerd", programs.Containerd, "--config="+containerdSettings)
	keep("kube-proxy", programs.Proxy, "--config="+proxySettings)
	driver := csi.New(csi.Config{Node: spec.Name, Zone: spec.Zone, Disks: disksDir, KubeletDir: kubeletDir, Log: log})
	group.Go(func() error { return driver.Run(ctx) })
	group.Go(func() error {
		// A kubelet that finds no runtime gives up, and is slow about it.
		if awaitSocket(ctx, socket) == nil {
			keep("kubelet", programs.Kubelet, kubeletFlags(spec)...)
		}
		return nil
	})
	return group.Wait()
}

func kubeletFlags(spec Spec) []string {
	address, _, err := net.ParseCIDR(spec.Address)
	if err != nil {
		address = nil // connect has parsed it before
	}
	return []string{
		"--config=" + kubeletSettings, "--kubeconfig=" + kubeconfigFile, "--root-dir=" + kubeletDir, "--cert-dir=" + kubeletDir + "/pki",
		"--hostname-override=" + spec.Name, "--node-ip=" + address.String(),
		fmt.Sprintf("--machine-cpus=%d", spec.CPUs), fmt.Sprintf("--machine-memory=%d", spec.MemoryBytes),
	}
}

func awaitSocket(ctx context.Context, path string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var dialer net.Dialer
		if c, err := dialer.DialContext(ctx, "unix", path); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
