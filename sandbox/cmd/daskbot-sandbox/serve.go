package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/gke"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
	"github.com/daskbot/daskbot/sandbox/internal/lms"
	"github.com/daskbot/daskbot/sandbox/internal/slack"
)

// options are the flags of serve.
type options struct {
	addr          string
	state         string
	nodes         string
	latencies     string
	controlplane  string
	images        string
	slackApp      string
	slackPatience time.Duration
	lmsTool       string
	verbose       bool
}

func serveCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the emulated clouds until a signal ends them", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.addr, "addr", defaultSandboxAddr(), "where everything but gRPC listens (SANDBOX_ADDR)")
	f.StringVar(&o.state, "state", ".daskbot/sandbox", "directory for everything that survives a restart")
	f.StringVar(&o.nodes, "nodes", "simulated", "simulated (KWOK plays nodes and pods) or real")
	f.StringVar(&o.latencies, "latencies", "", "fast or gke: how long things take; empty keeps what was set before")
	f.StringVar(&o.controlplane, "controlplane", "", "the daskbot-controlplane binary (default: beside this program)")
	f.StringVar(&o.slackApp, "slack-app", "", "base URL of the app that the emulated Slack talks to; empty keeps what was set before")
	f.DurationVar(&o.slackPatience, "slack-patience", slack.Patience, "how long the emulated Slack waits for the app")
	f.StringVar(&o.lmsTool, "lms-tool", "", "base URL of the tool that the emulated LMS launches; empty keeps what was set before")
	f.StringVar(&o.images, "images", defaultImages, "directory of the built images that pods on real nodes run")
	f.BoolVar(&o.verbose, "verbose", false, "log every step")
	return cmd
}

// serve makes the parts and runs them. It returns nil when ctx ended it, and
// then every process and listener is gone.
func serve(ctx context.Context, o options, out, logs io.Writer) error {
	if o.nodes != "simulated" && o.nodes != "real" {
		return fmt.Errorf("--nodes %s: nodes are simulated or real", o.nodes)
	}
	state, err := filepath.Abs(o.state)
	if err != nil {
		return err
	}
	lock, err := lockState(state)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	kept, err := loadSettings(state)
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, o.addr, state, &kept)
	if err != nil {
		return err
	}
	defer listeners.close()
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: level}))
	s, err := assemble(o, state, kept, listeners, log)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "ready http://%s\n", listeners.http.Addr())
	return s.run(ctx)
}

// listeners are the two doors of the sandbox.
type listeners struct{ http, grpc net.Listener }

func (l listeners) close() {
	_ = l.http.Close()
	_ = l.grpc.Close()
}

// listen opens the doors. The gRPC port is chosen once and then kept.
func listen(ctx context.Context, addr, state string, kept *settings) (listeners, error) {
	var config net.ListenConfig
	web, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return listeners{}, fmt.Errorf("--addr %s: %w", addr, err)
	}
	host, _, err := net.SplitHostPort(web.Addr().String())
	if err != nil {
		return listeners{}, errors.Join(err, web.Close())
	}
	if kept.GRPCAddr != "" {
		if rpc, err := config.Listen(ctx, "tcp", kept.GRPCAddr); err == nil {
			return listeners{http: web, grpc: rpc}, nil
		}
	}
	rpc, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return listeners{}, errors.Join(fmt.Errorf("listen for gRPC: %w", err), web.Close())
	}
	kept.GRPCAddr = rpc.Addr().String()
	return listeners{http: web, grpc: rpc}, kept.save(state)
}

// sandbox is everything that runs.
type sandbox struct {
	listeners listeners
	planes    *kubernetes.Planes
	gke       *gke.Server
	slack     *slack.Emulator
	lms       *lms.Platform
	handler   http.Handler
	log       *slog.Logger
}

// run serves until ctx ends or one part fails, and waits for all to stop.
func (s *sandbox) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.planes.Run(ctx) })
	group.Go(func() error { return s.gke.Run(ctx) })
	group.Go(func() error { return s.slack.Run(ctx) })
	group.Go(func() error { return s.lms.Run(ctx) })
	group.Go(func() error { return serveHTTP(ctx, s.listeners.http, s.handler) })
	group.Go(func() error { return serveGRPC(ctx, s.listeners.grpc, s.gke.GRPC()) })
	err := group.Wait()
	s.log.Info("sandbox stopped")
	return err
}

// drain is how long requests may still take when the sandbox is told to stop.
const drain = 2 * time.Second

func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		// Requests that wait, such as those for an operation, end with the sandbox.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(last), server.Close())
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	<-stopped //nolint:errcheck // slow requests were cut off; that is no failure
	return nil
}

func serveGRPC(ctx context.Context, l net.Listener, server *grpc.Server) error {
	stop := context.AfterFunc(ctx, func() {
		cut := time.AfterFunc(drain, server.Stop)
		defer cut.Stop()
		server.GracefulStop()
	})
	defer stop()
	if err := server.Serve(l); err != nil {
		return fmt.Errorf("serve gRPC: %w", err)
	}
	return nil
}

// binaries says which program plays each component: the one that
// KUBEBUILDER_ASSETS has, or else the multi-call binary.
func binaries(controlplane string) (map[string][]string, error) {
	if controlplane == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		controlplane = filepath.Join(filepath.Dir(self), "daskbot-controlplane")
	}
	controlplane, err := filepath.Abs(controlplane)
	if err != nil {
		return nil, err
	}
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	all := map[string][]string{}
	for _, component := range kubernetes.Components {
		own := filepath.Join(assets, component)
		if _, err := os.Stat(own); assets != "" && err == nil {
			all[component] = []string{own}
			continue
		}
		if _, err := os.Stat(controlplane); err != nil {
			return nil, fmt.Errorf("no program for %s: %s is missing (build it with make build, or set KUBEBUILDER_ASSETS or --controlplane)", component, controlplane)
		}
		all[component] = []string{controlplane, component}
	}
	return all, nil
}

// openWorld opens the emulated cloud's state with the latencies asked for.
func openWorld(o options, state string, kept settings, log *slog.Logger) (*cloud.World, error) {
	world, err := cloud.Open(cloud.Config{Dir: state, Network: kept.Network, Log: log})
	if err != nil {
		return nil, err
	}
	if o.latencies != "" {
		if err := world.SetLatencies(o.latencies, nil); err != nil {
			return nil, fmt.Errorf("--latencies: %w", err)
		}
	}
	return world, nil
}
