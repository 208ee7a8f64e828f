package main

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// fleet tells at each scrape how many environments there are, which of them
// make no progress, and how much work waits.
type fleet struct {
	// within bounds a scrape: the collector interface hands on no context.
	within func() (context.Context, context.CancelFunc)
	load   func(context.Context) (store.Load, error)
	under  func(context.Context, environment.Filter) ([]environment.Environment, string, error)
	now    func() time.Time

	up, environments, stuck, jobs, oldest *prometheus.Desc
}

func newFleet(ctx context.Context, s *store.Store) *fleet {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	within := func() (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, scrapeLimit) }
	return &fleet{within: within, load: s.Load, under: s.Environments, now: time.Now,
		up:           desc("daskbot_store_up", "1 while the store answers."),
		environments: desc("daskbot_environments", "Environments that are not deleted, by state.", "state"),
		stuck:        desc("daskbot_environments_stuck", "Environments that have used more than half of their phase's time limit, by phase.", "phase"),
		jobs:         desc("daskbot_queue_jobs", "Jobs by state: waiting (due and not taken), working, later.", "state"),
		oldest:       desc("daskbot_queue_oldest_seconds", "For how long the oldest waiting job is due.")}
}

// Describe implements prometheus.Collector.
func (f *fleet) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.up, f.environments, f.stuck, f.jobs, f.oldest} {
		ch <- d
	}
}

// scrapeLimit bounds what a scrape may ask of the store.
const scrapeLimit = 5 * time.Second

// Collect implements prometheus.Collector.
func (f *fleet) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := f.within()
	defer cancel()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	load, err := f.load(ctx)
	if err != nil {
		gauge(f.up, 0)
		return
	}
	gauge(f.up, 1)
	for _, state := range []environment.State{environment.StatePending, environment.StateCreating, environment.StateReady,
		environment.StateUpdating, environment.StateDeleting, environment.StateFailed} {
		gauge(f.environments, float64(load.States[state]), string(state))
	}
	gauge(f.jobs, float64(load.Waiting), "waiting")
	gauge(f.jobs, float64(load.Working), "working")
	gauge(f.jobs, float64(load.Later), "later")
	gauge(f.oldest, load.Oldest.Seconds())
	stuck, err := f.slow(ctx)
	if err != nil {
		return // told by the next scrape
	}
	for phase, n := range stuck {
		gauge(f.stuck, float64(n), string(phase))
	}
}

// moving are the states in which something is to happen next.
var moving = []environment.State{environment.StatePending, environment.StateCreating, environment.StateUpdating, environment.StateDeleting}

// slow counts what has used more than half of its phase's time.
func (f *fleet) slow(ctx context.Context) (map[environment.Phase]int, error) {
	count := map[environment.Phase]int{}
	filter := environment.Filter{States: moving, Limit: 500}
	for {
		page, next, err := f.under(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			limit := e.Phase.Limit()
			if _, there := count[e.Phase]; !there {
				count[e.Phase] = 0
			}
			if limit > 0 && f.now().Sub(e.PhaseSince) > limit/2 {
				count[e.Phase]++
			}
		}
		if filter.Cursor = next; next == "" {
			return count, nil
		}
	}
}

// flowMetrics are durations of requests and phases, and what the orphan sweep
// found.
type flowMetrics struct {
	tenure
	requests *prometheus.HistogramVec
	phases   *prometheus.HistogramVec
	orphans  *prometheus.GaugeVec
	lost     prometheus.Gauge
	unsure   prometheus.Gauge
	wasted   prometheus.Gauge
	removed  *prometheus.CounterVec
	swept    prometheus.Gauge
	leader   prometheus.Gauge
}

func newFlowMetrics(r prometheus.Registerer) *flowMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &flowMetrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "daskbot_http_request_duration_seconds",
			Help: "Requests by method, route and status; event streams last as long as they are watched.", Buckets: prometheus.DefBuckets}, []string{"method", "route", "code"}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "daskbot_phase_duration_seconds",
			Help:    "How long phases on the way up lasted, by profile and phase.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 480, 600, 900, 1800, 3600}}, []string{"profile", "phase"}),
		orphans: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "daskbot_orphans",
			Help: "What the last orphan sweep found that nobody looks after, by kind."}, []string{"kind"}),
		lost:   gauge("daskbot_orphans_lost_clusters", "Clusters that the last orphan sweep missed in the cloud."),
		unsure: gauge("daskbot_orphans_unsure_projects", "Projects of which the last orphan sweep could conclude nothing."),
		wasted: gauge("daskbot_orphans_usd_per_hour", "Estimated hourly cost of what the last orphan sweep found, in US dollars."),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "daskbot_orphans_acted_total",
			Help: "What orphan sweeps acted on, by what became of it."}, []string{"done"}),
		swept:  gauge("daskbot_orphans_last_run_timestamp_seconds", "When the last orphan sweep ended; 0 when none has since this process started."),
		leader: gauge("daskbot_leader", "1 while this replica runs the reaper and the sweeps."),
	}
	m.forget = func() {
		m.orphans.Reset()
		for _, g := range []prometheus.Gauge{m.lost, m.unsure, m.wasted, m.leader} {
			g.Set(0)
		}
	}
	r.MustRegister(m.requests, m.phases, m.orphans, m.lost, m.unsure, m.wasted, m.removed, m.swept, m.leader)
	return m
}

// request takes one request in. A path that is no route is counted as one.
func (m *flowMetrics) request(method, route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *flowMetrics) phase(profile string, phase environment.Phase, took time.Duration) {
	m.phases.WithLabelValues(profile, string(phase)).Observe(took.Seconds())
}

// sweep takes one orphan sweep in.
func (m *flowMetrics) sweep(found environment.Orphans) {
	for _, it := range found.Acted() {
		m.removed.WithLabelValues(string(it.Done)).Inc()
	}
	m.tell(func() {
		m.orphans.Reset()
		for _, it := range found.Items {
			m.orphans.WithLabelValues(string(it.Kind)).Inc()
		}
		m.lost.Set(float64(len(found.Lost)))
		m.unsure.Set(float64(len(found.Unsure)))
		m.wasted.Set(found.USDPerHour)
		m.swept.Set(float64(found.At.Unix()))
	})
}

// lead is told of beside the rest.
func (m *flowMetrics) lead() {
	m.tenure.lead()
	m.leader.Set(1)
}
