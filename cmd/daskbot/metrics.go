package main

import (
	"context"
	"regexp"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/reaper"
)

// tenure says whether this replica leads. A gauge of what the last run saw is
// the leader's to tell: alerts take the greatest over all replicas, and what a
// former leader saw last would stand for ever. When the last run was stays true.
type tenure struct {
	mu      sync.Mutex
	leading bool
	forget  func() // sets the gauges back
}

func (t *tenure) lead() { t.change(true) }

// follow leaves no gauge behind.
func (t *tenure) follow() { t.change(false) }

func (t *tenure) change(leading bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leading = leading
	if !leading {
		t.forget()
	}
}

// tell sets gauges, unless another replica leads: a person may ask any for a
// run.
func (t *tenure) tell(set func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.leading {
		set()
	}
}

// reaperMetrics counts what the reaper does.
type reaperMetrics struct {
	tenure
	planned *prometheus.GaugeVec
	skipped *prometheus.GaugeVec
	ended   *prometheus.CounterVec
	warned  prometheus.Counter
	failed  prometheus.Counter
	unknown prometheus.Gauge
	waiting prometheus.Gauge
	paused  prometheus.Gauge
	saved   prometheus.Counter
	spends  prometheus.Gauge
	budgets prometheus.Counter
	last    prometheus.Gauge
}

func newReaperMetrics(r prometheus.Registerer) *reaperMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &reaperMetrics{
		planned: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "daskbot_reaper_environments",
			Help: "Environments by what the last run decided: keep, warn, delete or skip."}, []string{"action"}),
		skipped: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "daskbot_reaper_skipped_environments",
			Help: "Environments that the last run left alone, by why: protected, making, going, paused, held, cap, late or failed."}, []string{"reason"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "daskbot_reaper_ended_total",
			Help: "Environments ended, by cause: deadline, maximum, idle, unused or class."}, []string{"cause"}),
		warned:  counter("daskbot_reaper_warned_total", "Warnings given before an end."),
		failed:  counter("daskbot_reaper_failed_total", "Environments that could not be looked at or ended in a run."),
		unknown: gauge("daskbot_reaper_unknown_environments", "Environments of whose use nothing has been known for half an hour."),
		waiting: gauge("daskbot_reaper_waiting_environments", "Environments at their end that the last run's caps left standing."),
		paused:  gauge("daskbot_reaper_paused", "1 while the reaper is paused."),
		saved:   counter("daskbot_reaper_saved_usd_per_hour_total", "Estimated hourly cost of what was ended, in US dollars."),
		spends:  gauge("daskbot_reaper_usd_per_hour", "Estimated hourly cost of all environments at the last run, each as of the last look at it, in US dollars."),
		budgets: counter("daskbot_budget_marks_total", "Budgets of owners and courses that reached 50, 80 or 100 % of their month."),
		last:    gauge("daskbot_reaper_last_run_timestamp_seconds", "When the last run began; 0 when none has ended since this process started."),
	}
	m.forget = func() {
		m.planned.Reset()
		m.skipped.Reset()
		for _, g := range []prometheus.Gauge{m.unknown, m.waiting, m.spends, m.paused} {
			g.Set(0)
		}
	}
	r.MustRegister(m.planned, m.skipped, m.ended, m.warned, m.failed, m.unknown, m.waiting, m.paused, m.saved, m.spends, m.budgets, m.last)
	return m
}

// observe takes one run in.
func (m *reaperMetrics) observe(r reaper.Report) {
	count := map[environment.ReapAction]int{}
	skipped := map[environment.SkipCause]int{}
	held, spends := 0, 0.0
	for _, item := range r.Items {
		j := item.Judgement
		count[j.Action]++
		spends += item.USDPerHour
		if why := skipCause(r, j); why != "" {
			skipped[why]++
		}
		switch {
		case j.Action == environment.ReapDelete && !r.Paused:
			m.ended.WithLabelValues(string(j.Cause)).Inc()
			m.saved.Add(item.USDPerHour)
		case j.Skip == environment.SkipHeld || j.Skip == environment.SkipCap:
			held++
		}
	}
	m.warned.Add(float64(r.Warned))
	m.failed.Add(float64(r.Failed))
	m.tell(func() {
		for _, action := range []environment.ReapAction{environment.ReapKeep, environment.ReapWarn, environment.ReapDelete, environment.ReapSkip} {
			m.planned.WithLabelValues(string(action)).Set(float64(count[action]))
		}
		for _, why := range environment.SkipCauses() {
			m.skipped.WithLabelValues(string(why)).Set(float64(skipped[why]))
		}
		m.unknown.Set(float64(r.Unknown()))
		m.waiting.Set(float64(held))
		m.spends.Set(spends)
		m.paused.Set(map[bool]float64{true: 1}[r.Paused])
		m.last.Set(float64(r.At.Unix()))
	})
}

// skipCause is why a run left something alone; a pause leaves what is planned.
func skipCause(r reaper.Report, j environment.Judgement) environment.SkipCause {
	if r.Paused && (j.Action == environment.ReapDelete || j.Action == environment.ReapWarn) {
		return environment.SkipPaused
	}
	return j.Skip
}

// commands are the reaper's, with what they tell about money counted.
type commands struct {
	reaper.Commands
	marks prometheus.Counter
}

// Budgets counts the budgets of which somebody was told.
func (c commands) Budgets(ctx context.Context) ([]string, error) {
	told, err := c.Commands.Budgets(ctx)
	c.marks.Add(float64(len(told)))
	return told, err
}

// newGoCollector adds to the usual metrics of a Go program what its last
// collection left: of the heap, only this tells a leak from garbage.
func newGoCollector() prometheus.Collector {
	live := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}
	return collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(live))
}
