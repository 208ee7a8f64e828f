package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when the program is linked.
var version = "dev"

const defaultAddr = "127.0.0.1:8090"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: the first one's handler is gone.
	context.AfterFunc(ctx, stop)
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "daskbot-sandbox:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use: "daskbot-sandbox", Short: "Google Kubernetes Engine and its neighbours, emulated on loopback",
		SilenceErrors: true, SilenceUsage: true,
	}
	cmd.AddCommand(serveCommand(), envCommand(), leaksCommand(), imagesCommand(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), versionString()) },
	})
	return cmd
}

// versionString is the linked version, or else the one the build recorded.
func versionString() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "dev" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return "dev-" + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return version
}

// defaultSandboxAddr is SANDBOX_ADDR, or the usual one.
func defaultSandboxAddr() string {
	if addr := os.Getenv("SANDBOX_ADDR"); addr != "" {
		return addr
	}
	return defaultAddr
}
