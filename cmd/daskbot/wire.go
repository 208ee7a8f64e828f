package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/daskbot/daskbot/internal/activity"
	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/bot"
	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/notify"
	"github.com/daskbot/daskbot/internal/provision"
	"github.com/daskbot/daskbot/internal/provision/billing"
	"github.com/daskbot/daskbot/internal/provision/compute"
	"github.com/daskbot/daskbot/internal/provision/gke"
	"github.com/daskbot/daskbot/internal/provision/helm"
	"github.com/daskbot/daskbot/internal/provision/kube"
	"github.com/daskbot/daskbot/internal/reaper"
	"github.com/daskbot/daskbot/internal/store"
)

// daemon is every part, wired. This file is the only place that knows them
// all.
type daemon struct {
	store   *store.Store
	service *environment.Service
	runner  *provision.Runner
	reaper  *reaper.Reaper
	orphans *reaper.Orphans
	handler http.Handler
	bot     *bot.Bot       // nil without a Slack application
	outbox  *notify.Outbox // nil without a Slack application
	cloud   *gke.Client
	compute *compute.Client
	kube    *kube.Client
	prices  *billing.Client // nil: prices stay as configured
	log     *slog.Logger
}

func wire(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{log: log}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.store, err = store.Open(ctx, store.Config{URL: cfg.Store.URL, Log: log, Workers: cfg.Limits.Workers, Key: cfg.Store.KeyBytes()}); err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ports, err := d.ports(ctx, cfg)
	if err != nil {
		return nil, err
	}
	feed := &environment.Feed{}
	ports.Store = environment.Announce(d.store, feed)
	d.service = environment.NewService(environment.ServiceConfig{Store: ports.Store, Feed: feed, Catalogue: cfg, Roster: cfg,
		Clusters: ports.Clusters, Given: cfg, Workloads: ports.Workloads,
		Prober: activity.New(activity.Config{Inside: d.kube, Log: log}), Installation: cfg.GKE.Installation, ExternalURL: cfg.Server.ExternalURL, Orphans: d.sweeping(cfg), Prices: cfg.Pricing.Prices})
	d.runner = provision.New(ports, provision.Config{Installation: cfg.GKE.Installation, Log: log, Limits: provision.Limits{
		Creates: cfg.Limits.ConcurrentCreates, Deletes: cfg.Limits.ConcurrentDeletes, Helm: cfg.Limits.ConcurrentHelm}})
	if d.reaper, err = reaper.New(reaper.Config{Commands: d.service, Schedule: cfg.Reaper.Schedule, Schedules: schedules(cfg), Classes: d.service,
		MaxPerRun: cfg.Reaper.MaxPerRun, MaxShare: cfg.Reaper.MaxShare, Probes: cfg.Reaper.Probes,
		Observe: newReaperMetrics(metrics).observe, Log: log}); err != nil {
		return nil, err
	}
	if d.orphans, err = reaper.NewOrphans(reaper.OrphanConfig{Sweeper: d.service, Schedule: cfg.Reaper.OrphanSchedule, Log: log}); err != nil {
		return nil, err
	}
	server, err := api.New(api.Config{Service: d.service, Ready: d.ready(cfg), Sweep: d.sweep, Metrics: promhttp.InstrumentMetricHandler(metrics, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})), Log: log,
		BodyLimit: cfg.Limits.BodyBytes, Version: version()})
	if err != nil {
		return nil, err
	}
	d.handler = server.Handler()
	if cfg.Slack.Configured() {
		return d, d.slack(cfg, ports.Store, feed)
	}
	return d, nil
}

// sweep runs the reaper for whoever asks over REST.
func (d *daemon) sweep(ctx context.Context, dry, confirmed bool) (api.Swept, error) {
	r, err := d.reaper.Sweep(ctx, reaper.Options{Dry: dry, Confirmed: confirmed})
	return api.Swept{Items: r.Items, Warned: r.Warned, Deleted: r.Deleted, Failed: r.Failed, Waiting: r.Waiting, Held: r.Held, Paused: r.Paused}, err
}

// sweeping is where leftovers are looked for. Without a project there is no
// cloud, and a daskbot that was given its clusters leaves nothing there.
func (d *daemon) sweeping(cfg *config.Config) environment.OrphanConfig {
	if len(cfg.Projects()) == 0 {
		return environment.OrphanConfig{}
	}
	return environment.OrphanConfig{Leavings: d.compute, Projects: cfg.Projects(), Linked: d.store.Linked,
		Grace: cfg.Reaper.OrphanGrace, MaxPerRun: cfg.Reaper.MaxPerRun}
}

// slack adds Slack's way in beside the API's, and its way out. Slack is not
// part of being ready: without it everything else works.
func (d *daemon) slack(cfg *config.Config, s environment.Store, feed *environment.Feed) (err error) {
	c := botConfig(cfg)
	c.Service, c.Log = d.service, d.log
	if d.bot, err = bot.New(c); err != nil {
		return err
	}
	holder := "" // an SQLite file has one daemon
	if !strings.HasPrefix(cfg.Store.URL, "sqlite:") {
		holder = environment.NewID()
	}
	d.outbox, err = notify.New(notify.Config{Store: s, Feed: feed, Notifier: d.bot, Log: d.log, Holder: holder})
	if err != nil {
		return err
	}
	d.handler = beside("/slack/", d.bot.Handler(), d.handler)
	return nil
}

// beside sends what is under prefix to one handler and leaves the rest to the
// other. A ServeMux would also rewrite paths, which the API reads as sent.
func beside(prefix string, one, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			one.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// ports makes the clients of everything outside.
func (d *daemon) ports(ctx context.Context, cfg *config.Config) (provision.Ports, error) {
	var err error
	d.cloud, err = gke.New(ctx, gke.Config{Endpoint: cfg.GKE.Endpoint, Insecure: cfg.GKE.Insecure, StaticToken: cfg.GKE.StaticToken,
		Installation: cfg.GKE.Installation, ServiceAccount: cfg.GKE.ServiceAccount, Log: d.log,
		Defaults: gke.Defaults{NodeServiceAccount: cfg.GKE.NodeServiceAccount}})
	if err != nil {
		return provision.Ports{}, err
	}
	d.compute, err = compute.New(ctx, compute.Config{Endpoint: cfg.GKE.ComputeEndpoint, StaticToken: cfg.GKE.StaticToken, Installation: cfg.GKE.Installation})
	if err != nil {
		return provision.Ports{}, err
	}
	if cfg.Pricing.Refresh {
		if d.prices, err = billing.New(ctx, billing.Config{Endpoint: cfg.Pricing.Endpoint, StaticToken: cfg.GKE.StaticToken, Log: d.log}); err != nil {
			return provision.Ports{}, err
		}
	}
	d.kube = kube.New(kube.Config{Log: d.log})
	return provision.Ports{Clusters: d.cloud, Given: cfg, Compute: d.compute,
		Workloads: d.kube,
		Charts:    helm.New(helm.Config{CacheDir: cacheDir(), Log: d.log}),
		Door:      activity.NewDoor(http.DefaultTransport, knock)}, nil
}

// knock bounds one look at whether a hub lets its owner in.
const knock = 10 * time.Second

// cacheDir is where charts are kept between runs; losing it costs a download.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "daskbot", "charts")
}

// ready says whether the store and the cloud answer.
func (d *daemon) ready(cfg *config.Config) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := d.store.CountLive(ctx, "", ""); err != nil {
			return err
		}
		if cfg.GKE.Project == "" {
			return nil // only given clusters: there is no cloud to reach
		}
		return d.cloud.Allowed(ctx, cfg.GKE.Project)
	}
}

func (d *daemon) close() {
	if d.cloud != nil {
		_ = d.cloud.Close()
	}
	if d.store != nil {
		if err := d.store.Close(); err != nil {
			d.log.Error("close the store", "reason", err.Error())
		}
	}
}
