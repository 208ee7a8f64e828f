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
	"github.com/daskbot/daskbot/internal/telemetry"
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
	defer func() {
		if err := d.traces.Close(ctx); err != nil {
			log.Warn("the last traces were not sent", "reason", err.Error())
		}
	}()
	if err := d.reseal(ctx); err != nil {
		return err
	}
	if err := keepAdminToken(ctx, d.service, cfg.Auth.AdminTokenFile); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Server.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Server.Addr, err)
	}
	watched, err := d.watched(ctx, cfg.Server.MetricsAddr)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	log.Info("ready", "url", cfg.Server.ExternalURL, "version", version())
	_, _ = fmt.Fprintf(out, "daskbot is ready at %s\n", cfg.Server.ExternalURL)

	// What a request recorded is in the store; another replica, or the next
	// process, carries it out.
	group, groupCtx := errgroup.WithContext(ctx)
	context.AfterFunc(groupCtx, d.stop)
	group.Go(func() error { return serveHTTP(groupCtx, listener, d.handler, cfg.Server, d.closing) })
	if watched != nil {
		group.Go(func() error { return serveHTTP(groupCtx, watched, d.scraped, cfg.Server, make(chan struct{})) })
	}
	group.Go(func() error { return d.sight.Run(groupCtx) })
	group.Go(func() error { return d.store.Run(groupCtx, d.work) })
	group.Go(func() error { return d.store.Lead(groupCtx, d.lead) })
	group.Go(func() error { return d.store.Hear(groupCtx, d.feed.Publish) })
	if d.prices != nil {
		group.Go(func() error {
			return d.prices.Keep(groupCtx, cfg.PriceRegion(), cfg.Pricing.Prices, d.service.SetPrices)
		})
	}
	if d.bot != nil {
		group.Go(func() error { return d.bot.Run(groupCtx) })
	}
	err = group.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	log.Info("stopped")
	return err
}

// lead does what one replica at a time does, until ctx ends.
func (d *daemon) lead(ctx context.Context) error {
	d.flow.lead()
	d.counts.lead()
	defer d.flow.follow()
	defer d.counts.follow()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.reaper.Run(ctx) })
	if d.orphans != nil {
		group.Go(func() error { return d.orphans.Run(ctx) })
	}
	group.Go(func() error { return d.hooks.Run(ctx) })
	group.Go(func() error { return d.notices.Run(ctx) })
	group.Go(func() error { return d.rosters.Run(ctx) })
	group.Go(func() error { return d.store.Keep(ctx, d.keep) })
	if d.outbox != nil {
		group.Go(func() error { return d.outbox.Run(ctx) })
	}
	return group.Wait()
}

// serveHTTP answers until ctx ends and for as long after as whoever sends
// requests takes to notice, then ends event streams by closing closing and lets
// the other requests finish.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, c config.Server, closing chan<- struct{}) error {
	requests := context.WithoutCancel(ctx) // one under way outlives the signal
	srv := &http.Server{Handler: prompt(h), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return requests }}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-served:
		return err
	case <-time.After(c.DrainDelay):
	}
	close(closing)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("some requests were cut off: %w", err), srv.Close())
	}
	return nil
}

// keepAdminToken makes the first admin token and writes it to the file, unless
// the one in it is valid. A file that can only be read holds a token that an
// operator chose. An empty path means: no file, no token.
func keepAdminToken(ctx context.Context, service *environment.Service, path string) error {
	if path == "" {
		return nil
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the admin token: %w", err)
	}
	was := environment.NewSecret(strings.TrimSpace(string(old)))
	if !was.IsZero() && readOnly(path) {
		return service.AdmitAdminToken(ctx, was)
	}
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

// readOnly says whether a file can only be read, as those of a Secret that a
// cluster mounts: what is in it is then the operator's to choose.
func readOnly(path string) bool {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return true
	}
	_ = f.Close() // nothing was written
	return false
}

// newLogger logs JSON, or text for a person at a terminal.
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked when the configuration was loaded
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "text" || c.Format == "auto" && isTerminal(w) {
		return slog.New(telemetry.Joined(slog.NewTextHandler(w, opts)))
	}
	return slog.New(telemetry.Joined(slog.NewJSONHandler(w, opts)))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
