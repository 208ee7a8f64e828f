package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/process"
)

// registryPort is where nodes, and pods, find the registry on their gateway.
const registryPort = "5000"

// dns is the cluster's CoreDNS. It runs on the gateway and not in a pod, so that
// a cluster needs no image of its own.
func (c *Cluster) dns() (*process.Process, error) {
	config := fmt.Sprintf(`.:53 {
	bind %s
	errors
	kubernetes cluster.local in-addr.arpa {
		kubeconfig %s
		pods insecure
		ttl 5
	}
	forward . /etc/resolv.conf
	cache 5
	loadbalance
}
`, c.Gateway(), c.Kubeconfig)
	path := filepath.Join(c.Dir, "Corefile")
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	argv := append(append([]string{}, c.host.cfg.DNS...), "-conf", path)
	return &process.Process{Name: "coredns", Argv: argv, Log: filepath.Join(c.Dir, "coredns.log"), Env: []string{"GOGC=50"}}, nil
}

// serveImages serves the registry on the gateway until ctx is done.
func (c *Cluster) serveImages(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(c.Gateway(), registryPort))
	if err != nil {
		return fmt.Errorf("serve images to nodes: %w", err)
	}
	server := &http.Server{Handler: c.host.cfg.Registry, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve images to nodes: %w", err)
	}
	return nil
}
