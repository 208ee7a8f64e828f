package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/sandbox/internal/images"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/machine"
	"github.com/daskbot/daskbot/sandbox/internal/registry"
)

// realNodes is what runs the nodes of --nodes real, nil otherwise. The nodes'
// network has the number of the sandbox's loopback network, so that two
// sandboxes never share one.
func realNodes(o options, state string, kept settings, disks string, log *slog.Logger) (*machine.Host, error) {
	if o.nodes != "real" {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	beside := func(name string) []string { return []string{filepath.Join(filepath.Dir(self), name)} }
	built, err := filepath.Abs(o.images)
	if err != nil {
		return nil, err
	}
	return machine.New(machine.Config{
		Dir: state, Network: "10." + strings.TrimPrefix(kept.Network, "127."), Services: kubernetes.ServiceRange,
		Node: beside("daskbot-node"), DNS: beside("daskbot-dns"), Disks: disks,
		Registry: registry.New(registry.Config{Store: images.Open(built), Log: log}), Log: log,
	})
}

func leaksCommand() *cobra.Command {
	var state string
	var remove bool
	cmd := &cobra.Command{
		Use: "leaks", Short: "List what a sandbox with real nodes has left on this machine; fail when there is something", Args: cobra.NoArgs,
		Long: "List processes, mounts, network interfaces, packet filter tables and control groups that a sandbox with real nodes\n" +
			"has left outside its state directory. A sandbox that was stopped leaves nothing; what a killed one left, the next\n" +
			"serve with the same state directory removes, and so does --remove.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(state)
			if err != nil {
				return err
			}
			if remove {
				if err := removeLeaks(cmd, dir); err != nil {
					return err
				}
			}
			found, err := machine.Leftovers(cmd.Context(), dir)
			if err != nil {
				return err
			}
			for _, line := range found {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if len(found) > 0 {
				return fmt.Errorf("%d things are left of the sandbox in %s", len(found), dir)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&state, "state", ".daskbot/sandbox", "state directory of the sandbox")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove what is left first")
	return cmd
}

// removeLeaks clears away what a sandbox that does not run has left.
func removeLeaks(cmd *cobra.Command, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		lock, err := lockState(dir)
		if err != nil {
			return err // it runs: what would be removed is in use
		}
		defer func() { _ = lock.Close() }()
	}
	return machine.Clear(cmd.Context(), dir)
}
