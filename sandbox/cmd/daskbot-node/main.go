//go:build node

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/guest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: daskbot-node init SPEC | guest SPEC | kubelet [FLAG]... | kube-proxy [FLAG]...")
		os.Exit(2)
	}
	component := os.Args[1]
	os.Args = append([]string{component}, os.Args[2:]...)
	os.Exit(become(component, os.Args[1:]))
}

// become runs a component and returns its exit status.
func become(component string, args []string) int {
	switch component {
	case "kubelet":
		return cli.Run(kubeletCommand())
	case "kube-proxy":
		return cli.Run(proxy.NewProxyCommand())
	case "init", "guest":
		if len(args) != 1 {
			fmt.Fprintf(os.Stderr, "usage: daskbot-node %s SPEC\n", component)
			return 2
		}
		if err := node(component, args[0]); err != nil {
			fmt.Fprintln(os.Stderr, "daskbot-node:", err)
			return 1
		}
		return 0
	}
	fmt.Fprintf(os.Stderr, "daskbot-node: there is no component %q\n", component)
	return 2
}

// node runs the first process of a node, or the second, which supervises.
func node(component, path string) error {
	spec, err := guest.Load(path)
	if err != nil {
		return err
	}
	if component == "init" {
		// The second process cannot see the path any more: the node's file
		// system hides the host's state. So it is told by a file of its own.
		return guest.Init(spec, "guest", guest.SpecFile)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	const self = "/proc/self/exe"
	return guest.Supervise(ctx, spec, guest.Programs{
		Containerd: []string{"containerd"}, Kubelet: []string{self, "kubelet"}, Proxy: []string{self, "kube-proxy"},
	}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}
