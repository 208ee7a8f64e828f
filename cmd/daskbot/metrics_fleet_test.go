package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/reaper"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

// TestMetricsTellTheState also asks for names by Prometheus's conventions.
func TestMetricsTellTheState(t *testing.T) {
	s := storetest.Open(t)
	now := time.Now()
	for id, since := range map[string]time.Duration{"e1": 30 * time.Minute, "e2": time.Minute} { // of 40 minutes
		e := environment.Environment{ID: id, Owner: id, Profile: "dask", State: environment.StateCreating, Phase: environment.PhaseCluster, PhaseSince: now.Add(-since)}
		wake := []environment.Job{{Kind: environment.JobEnvironment, ID: id}}
		if err := s.Commit(t.Context(), environment.Change{Environment: &e, Wake: wake}); err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewPedanticRegistry()
	m := newFlowMetrics(registry)
	newReaperMetrics(registry)
	m.lead()
	registry.MustRegister(newFleet(t.Context(), s))
	m.request(http.MethodGet, "", http.StatusNotFound, time.Second)
	m.phase("dask", environment.PhaseCluster, 4*time.Minute)
	m.sweep(environment.Orphans{USDPerHour: 0.2, At: now, Lost: []string{"c9"}})

	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	scraped := w.Body.String()
	for _, want := range []string{`daskbot_environments_stuck{phase="cluster"} 1`, `daskbot_environments{state="creating"} 2`, "daskbot_orphans_usd_per_hour 0.2",
		"daskbot_orphans_lost_clusters 1", `daskbot_queue_jobs{state="waiting"} 2`, "daskbot_store_up 1",
		`daskbot_http_request_duration_seconds_count{code="404",method="GET",route="none"} 1`, `daskbot_phase_duration_seconds_sum{phase="cluster",profile="dask"} 240`} {
		if !strings.Contains(scraped, want+"\n") {
			t.Errorf("no %s in\n%s", want, scraped)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(scraped, -1) {
		if !conventional.MatchString(m[1]) || (m[2] == "counter") != strings.HasSuffix(m[1], "_total") {
			t.Errorf("%s is no conventional name for a %s", m[1], m[2])
		}
	}
}

// TestAFormerLeaderTellsNothing: alerts take the greatest over replicas, and so
// what one saw while it led must not stand after that.
func TestAFormerLeaderTellsNothing(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	flow, counts := newFlowMetrics(registry), newReaperMetrics(registry)
	run := func() {
		counts.observe(reaper.Report{Paused: true, At: time.Now(), Failed: 1, Items: []environment.PlanItem{{USDPerHour: 1}}})
		flow.sweep(environment.Orphans{USDPerHour: 2, At: time.Now(), Lost: []string{"c9"}, Items: []environment.Orphan{{Resource: environment.Resource{Kind: environment.KindCluster}}}})
	}
	for _, c := range []struct {
		name   string
		change func()
		tells  bool
	}{
		{"a replica that was asked for a run", func() {}, false},
		{"the leader", func() { flow.lead(); counts.lead() }, true},
		{"a leader no more", func() { flow.follow(); counts.follow() }, false},
		{"the leader again", func() { flow.lead(); counts.lead() }, true},
	} {
		c.change()
		if c.tells {
			run()
		}
		if got := gauges(t, registry); (len(got) > 0) != c.tells {
			t.Errorf("%s tells %v; want something: %t", c.name, got, c.tells)
		}
		if !c.tells { // and a run that somebody asked for here changes nothing
			run()
			if got := gauges(t, registry); len(got) > 0 {
				t.Errorf("%s tells %v after a run", c.name, got)
			}
		}
	}
	if got := gathered(t, registry, "daskbot_reaper_failed_total"); got != 4 {
		t.Errorf("failures counted: got %v; want those of all runs, 4", got)
	}
}

// TestWhenTheLastRunWasIsAlwaysTold: 0 before there was one, and then the run's
// time, also of one that found nothing to do.
func TestWhenTheLastRunWasIsAlwaysTold(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	flow, counts := newFlowMetrics(registry), newReaperMetrics(registry)
	told := func(want float64) {
		t.Helper()
		for _, name := range []string{"daskbot_reaper_last_run_timestamp_seconds", "daskbot_orphans_last_run_timestamp_seconds"} {
			if got, ok := gauge(t, registry, name); !ok || got != want {
				t.Errorf("%s: got %v, told %t; want %v", name, got, ok, want)
			}
		}
	}
	told(0)
	flow.lead()
	counts.lead()
	counts.observe(reaper.Report{At: time.Unix(1_800_000_000, 0)})
	flow.sweep(environment.Orphans{At: time.Unix(1_800_000_000, 0)})
	told(1_800_000_000)
}

// TestWithoutACloudNoSweepIsMissed: where only clusters are given nothing is swept,
// and an alert that hears 0 as never would go on for ever.
func TestWithoutACloudNoSweepIsMissed(t *testing.T) {
	d, err := wireAt(t, givenOnly(filepath.Join(t.TempDir(), "daskbot.db"), "{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, told := gauge(t, d.metrics, "daskbot_orphans_last_run_timestamp_seconds"); told || d.orphans != nil {
		t.Errorf("sweeps are told %t, and run %t; want neither", told, d.orphans != nil)
	}
	if _, told := gauge(t, wired(t).metrics, "daskbot_orphans_last_run_timestamp_seconds"); !told {
		t.Error("with a cloud, when it was last swept is not told")
	}
}

// gauge is the value of a gauge without labels, and whether it is told at all.
func gauge(t *testing.T, r *prometheus.Registry, name string) (value float64, told bool) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				return m.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

// gauges are those that are not nought. Of moments the last one counts, whoever
// tells it.
func gauges(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if g := m.GetGauge(); g != nil && g.GetValue() != 0 && !strings.HasSuffix(f.GetName(), "_timestamp_seconds") {
				all[f.GetName()] += g.GetValue()
			}
		}
	}
	return all
}

// gathered is the sum of a counter's series.
func gathered(t *testing.T, r *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

var conventional = regexp.MustCompile(`^daskbot_[a-z]+(_[a-z]+)*$`)
