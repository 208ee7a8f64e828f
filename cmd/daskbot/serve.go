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
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

func newServeCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the daemon: REST API, runner and reaper",
		Long: "Run the daemon in the foreground. The first SIGINT or SIGTERM stops it in good order:\n" +
			"not ready, no new work, the step at hand finished, out. A second one stops it at once;\n" +
			"nothing is lost either way, since every step is recorded before and after it is done.",
		Example: "  daskbot serve --config /etc/daskbot/daskbot.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // the second signal gets its default effect
			return serve(ctx, cfg, newLogger(cfg.Log, cmd.ErrOrStderr()), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (see configs/example.yaml)")
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

// serve runs the daemon until ctx ends or a part of it fails.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger, out io.Writer) error {
	for _, sentence := range cfg.Idle() {
		log.Warn("configured without effect", "reason", sentence)
	}
	d, err := wire(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer d.close()
	if err := keepAdminToken(ctx, d.service, cfg.Auth.AdminTokenFile); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Server.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Server.Addr, err)
	}
	log.Info("ready", "url", cfg.Server.ExternalURL, "version", version())
	_, _ = fmt.Fprintf(out, "daskbot is ready at %s\n", cfg.Server.ExternalURL)

	// Requests end first, then the runner: what a request recorded is in the
	// store, and the next process carries it out.
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveHTTP(groupCtx, listener, d.handler, cfg.Server.ShutdownGrace) })
	group.Go(func() error { return d.store.Run(groupCtx, d.runner.Work) })
	group.Go(func() error { return d.reaper.Run(groupCtx) })
	group.Go(func() error { return d.orphans.Run(groupCtx) })
	if d.prices != nil {
		group.Go(func() error {
			return d.prices.Keep(groupCtx, cfg.PriceRegion(), cfg.Pricing.Prices, d.service.SetPrices)
		})
	}
	if d.bot != nil {
		group.Go(func() error { return d.bot.Run(groupCtx) })
		group.Go(func() error { return d.outbox.Run(groupCtx) })
	}
	err = group.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	log.Info("stopped")
	return err
}

// serveHTTP answers until ctx ends, then lets requests finish for grace.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, grace time.Duration) error {
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return streams }}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	endStreams() // event streams would outlast any grace; their readers reconnect
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("some requests were cut off: %w", err), srv.Close())
	}
	return nil
}

// keepAdminToken makes the first admin token, or makes the one in the file
// valid again in a new store. An empty path means: no file, no token.
func keepAdminToken(ctx context.Context, service *environment.Service, path string) error {
	if path == "" {
		return nil
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the admin token: %w", err)
	}
	was := environment.NewSecret(strings.TrimSpace(string(old)))
	token, err := service.EnsureAdminToken(ctx, was)
	if err != nil || token.Reveal() == was.Reveal() {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write the admin token: %w", err)
	}
	if err := os.WriteFile(path, []byte(token.Reveal()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the admin token: %w", err)
	}
	return nil
}

// newLogger logs JSON, or text for a person at a terminal.
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked when the configuration was loaded
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "text" || c.Format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
