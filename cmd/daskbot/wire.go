package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/daskbot/daskbot/internal/activity"
	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/bot"
	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/lms"
	"github.com/daskbot/daskbot/internal/notify"
	"github.com/daskbot/daskbot/internal/provision"
	"github.com/daskbot/daskbot/internal/provision/billing"
	"github.com/daskbot/daskbot/internal/provision/compute"
	"github.com/daskbot/daskbot/internal/provision/gke"
	"github.com/daskbot/daskbot/internal/provision/helm"
	"github.com/daskbot/daskbot/internal/provision/kube"
	"github.com/daskbot/daskbot/internal/reaper"
	"github.com/daskbot/daskbot/internal/store"
	"github.com/daskbot/daskbot/internal/telemetry"
)

// daemon is every part, wired. This file is the only place that knows them
// all.
type daemon struct {
	store   *store.Store
	service *environment.Service
	feed    *environment.Feed
	runner  *provision.Runner
	reaper  *reaper.Reaper
	orphans *reaper.Orphans // nil without a cloud
	rosters *reaper.Rosters
	handler http.Handler
	bot     *bot.Bot        // nil without a Slack application
	outbox  *notify.Outbox  // nil without a Slack application
	cloud   *gke.Client     // nil without a cloud
	compute *compute.Client // nil without a cloud
	kube    *kube.Client
	prices  *billing.Client // nil: prices stay as configured
	hooks   *lms.Hooks
	notices *notify.Outbox // to addresses that courses registered
	traces  *telemetry.Telemetry
	flow    *flowMetrics
	counts  *reaperMetrics
	sight   *sight       // of the cloud
	scraped http.Handler // nil where /metrics is beside everything else
	metrics *prometheus.Registry
	keep    store.Retention
	log     *slog.Logger

	stopping atomic.Bool
	closing  chan struct{} // event streams end when it is closed
}

// stop lets nothing new begin: whoever sends requests is told to send them
// elsewhere, and passes end with the step they are at.
func (d *daemon) stop() {
	d.stopping.Store(true)
	d.runner.Drain()
}

// instruments are the daemon's metrics.
func (d *daemon) instruments(ctx context.Context) *prometheus.Registry {
	metrics := prometheus.NewRegistry()
	d.metrics = metrics
	d.counts = newReaperMetrics(metrics)
	d.flow = newFlowMetrics(metrics)
	metrics.MustRegister(newFleet(ctx, d.store))
	metrics.MustRegister(newGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return metrics
}

// shown serves the metrics beside the REST interface, or, nil there, on an
// address of their own.
func (d *daemon) shown(cfg *config.Config, metrics *prometheus.Registry) http.Handler {
	shown := promhttp.InstrumentMetricHandler(metrics, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	if cfg.Server.MetricsAddr == "" {
		return shown
	}
	d.scraped = apart(shown)
	return nil
}

func wire(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{log: log, closing: make(chan struct{})}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	kept := storeConfig(cfg)
	kept.Log = log
	d.keep = store.Retention{Events: cfg.Store.KeepEvents, Deliveries: cfg.Store.KeepDeliveries}
	if d.store, err = store.Open(ctx, kept); err != nil {
		return nil, err
	}
	if d.traces, err = newTelemetry(ctx, cfg, log); err != nil {
		return nil, err
	}
	metrics := d.instruments(ctx)
	ports, err := d.ports(ctx, cfg)
	if err != nil {
		return nil, err
	}
	d.feed = &environment.Feed{}
	ports.Store = environment.Announce(d.store, d.feed)
	d.service = environment.NewService(environment.ServiceConfig{Store: ports.Store, Feed: d.feed, Catalogue: cfg, Roster: cfg, CheckSchedule: reaper.CheckSchedule, MaxMembers: cfg.Limits.Members,
		Clusters: ports.Clusters, NoCloud: d.cloud == nil, Given: cfg, Workloads: ports.Workloads,
		Prober: activity.New(activity.Config{Inside: d.kube, Log: log}), Installation: cfg.GKE.Installation, ExternalURL: cfg.Server.ExternalURL, Orphans: d.sweeping(cfg), Inbox: d.store, Prices: cfg.Pricing.Prices})
	d.runner = provision.New(ports, provision.Config{Installation: cfg.GKE.Installation, Log: log, Span: d.traces.Span, Took: d.flow.phase, Limits: provision.Limits{
		Creates: cfg.Limits.ConcurrentCreates, Deletes: cfg.Limits.ConcurrentDeletes, Helm: cfg.Limits.ConcurrentHelm}})
	if d.reaper, err = reaper.New(reaper.Config{Commands: commands{d.service, d.counts.budgets}, Schedule: cfg.Reaper.Schedule, Classes: d.service,
		MaxPerRun: cfg.Reaper.MaxPerRun, MaxShare: cfg.Reaper.MaxShare, Probes: cfg.Reaper.Probes,
		Alone:   func(ctx context.Context, f func(context.Context) error) error { return d.store.Alone(ctx, "sweep", f) },
		Observe: d.counts.observe, Span: d.traces.Span, Log: log}); err != nil {
		return nil, err
	}
	if err = d.sweeps(cfg); err != nil {
		return nil, err
	}
	d.sight = newSight(cfg, d.cloud, log)
	shown := d.shown(cfg, metrics)
	server, err := api.New(api.Config{Service: d.service, Ready: d.ready, Closing: d.closing, Sweep: d.sweep, Load: d.load, Metrics: shown, QueuePage: d.store.QueuePage, Log: log,
		BodyLimit: cfg.Limits.BodyBytes, RosterLimit: cfg.Limits.RosterBytes, Version: version(),
		Bearer: d.bearer(cfg), Audit: d.store, Done: requestDone(d.flow), TrustedProxies: cfg.Server.TrustedProxies,
		Rate: api.Rate{PerSecond: cfg.Limits.Rate.PerSecond, Burst: cfg.Limits.Rate.Burst, Refused: cfg.Limits.Rate.Refused}})
	if err != nil {
		return nil, err
	}
	d.handler = server.Handler()
	if err = d.hooksIn(cfg, metrics); err != nil {
		return nil, err
	}
	if err = d.notifications(cfg, ports.Store, metrics); err != nil {
		return nil, err
	}
	if err = d.launches(cfg); err != nil {
		return nil, err
	}
	if cfg.Slack.Configured() {
		if err = d.slack(cfg, ports.Store); err != nil {
			return nil, err
		}
	}
	d.handler = d.traces.Handler(secured(cfg.Server.ExternalURL, d.handler))
	return d, nil
}

// work is the queue's: commands for a class are the service's business, what
// learning platforms sent the hooks', rows the runner's.
func (d *daemon) work(ctx context.Context, job environment.Job) (time.Duration, error) {
	switch job.Kind {
	case environment.JobCourse:
		return d.service.CarryOut(ctx, job.ID)
	case environment.JobDelivery:
		return d.hooks.Work(ctx, job.ID)
	default:
		return d.runner.Work(ctx, job)
	}
}

// sweep runs the reaper for whoever asks over REST.
func (d *daemon) sweep(ctx context.Context, dry, confirmed bool) (api.Swept, error) {
	r, err := d.reaper.Sweep(ctx, reaper.Options{Dry: dry, Confirmed: confirmed})
	return api.Swept{Items: r.Items, Warned: r.Warned, Deleted: r.Deleted, Failed: r.Failed, Waiting: r.Waiting, Held: r.Held, Paused: r.Paused}, err
}

// load is the queue's, for whoever asks over REST.
func (d *daemon) load(ctx context.Context) (api.Load, error) {
	l, err := d.store.Load(ctx)
	return api.Load{Waiting: l.Waiting, Working: l.Working, Later: l.Later, Oldest: l.Oldest, States: l.States}, err
}

// sweeping is where leftovers are looked for. A daskbot that only has clusters
// that it was given leaves nothing in a cloud.
func (d *daemon) sweeping(cfg *config.Config) environment.OrphanConfig {
	if d.cloud == nil {
		return environment.OrphanConfig{}
	}
	return environment.OrphanConfig{Leavings: d.compute, Projects: cfg.Projects(), Linked: d.store.Linked,
		Grace: cfg.Reaper.OrphanGrace, MaxPerRun: cfg.Reaper.MaxPerRun}
}

// sweeps prepares the orphan sweep. Where there is no cloud nothing is swept, and
// the metric that would say never, which an alert takes for silence, is not told.
func (d *daemon) sweeps(cfg *config.Config) (err error) {
	if d.sweeping(cfg).Leavings == nil {
		d.metrics.Unregister(d.flow.swept)
		return nil
	}
	d.orphans, err = reaper.NewOrphans(reaper.OrphanConfig{Sweeper: d.service, Schedule: cfg.Reaper.OrphanSchedule, Observe: d.flow.sweep, Span: d.traces.Span, Log: d.log})
	return err
}

// slack adds Slack's way in beside the API's, and its way out. Slack is not
// part of being ready: without it everything else works.
func (d *daemon) slack(cfg *config.Config, s environment.Store) (err error) {
	c := botConfig(cfg)
	c.Service, c.Log, c.Span, c.Audit, c.Feed = d.service, d.log, d.traces.Span, d.store, d.feed
	if d.bot, err = bot.New(c); err != nil {
		return err
	}
	d.outbox, err = notify.New(notify.Config{Store: s, Feed: d.feed, Notifier: d.bot, Log: d.log})
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
			if _, route, found := strings.Cut(r.Pattern, " "); found { // its ServeMux wrote it there
				telemetry.Route(r.Context(), r.Method, route)
			}
			return
		}
		other.ServeHTTP(w, r)
	})
}

// ports makes the clients of everything outside.
func (d *daemon) ports(ctx context.Context, cfg *config.Config) (provision.Ports, error) {
	var ports provision.Ports
	err := d.reach(ctx, cfg, &ports)
	if err != nil {
		return provision.Ports{}, err
	}
	if cfg.Pricing.Refresh {
		if d.prices, err = billing.New(ctx, billing.Config{Endpoint: cfg.Pricing.Endpoint, StaticToken: cfg.GKE.StaticToken, Log: d.log}); err != nil {
			return provision.Ports{}, err
		}
	}
	d.kube = kube.New(kube.Config{Log: d.log, Wrap: d.traces.Transport})
	ports.Given, ports.Workloads = cfg, d.kube
	ports.Charts = helm.New(helm.Config{CacheDir: cacheDir(), Log: d.log, Span: d.traces.Span,
		Replica: d.store.Replica(), Lives: d.store.Lives})
	ports.Door = activity.NewDoor(http.DefaultTransport, knock)
	return ports, nil
}

// gkeConfig is what the configuration says about GKE.
func gkeConfig(cfg *config.Config) gke.Config {
	return gke.Config{Endpoint: cfg.GKE.Endpoint, Insecure: cfg.GKE.Insecure, StaticToken: cfg.GKE.StaticToken,
		Installation: cfg.GKE.Installation, ServiceAccount: cfg.GKE.ServiceAccount,
		Defaults: gke.Defaults{NodeServiceAccount: cfg.GKE.NodeServiceAccount}}
}

func computeConfig(cfg *config.Config) compute.Config {
	return compute.Config{Endpoint: cfg.GKE.ComputeEndpoint, StaticToken: cfg.GKE.StaticToken, Installation: cfg.GKE.Installation}
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
