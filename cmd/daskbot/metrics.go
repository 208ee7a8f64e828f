package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/reaper"
)

// reaperMetrics counts what the reaper does.
type reaperMetrics struct {
	planned *prometheus.GaugeVec
	ended   *prometheus.CounterVec
	warned  prometheus.Counter
	failed  prometheus.Counter
	unknown prometheus.Gauge
	waiting prometheus.Gauge
	paused  prometheus.Gauge
	saved   prometheus.Counter
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
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "daskbot_reaper_ended_total",
			Help: "Environments ended, by cause: deadline, maximum, idle, unused or class."}, []string{"cause"}),
		warned:  counter("daskbot_reaper_warned_total", "Warnings given before an end."),
		failed:  counter("daskbot_reaper_failed_total", "Environments that could not be looked at or ended in a run."),
		unknown: gauge("daskbot_reaper_unknown_environments", "Environments of whose use nothing has been known for half an hour."),
		waiting: gauge("daskbot_reaper_waiting_environments", "Environments at their end that the last run's caps left standing."),
		paused:  gauge("daskbot_reaper_paused", "1 while the reaper is paused."),
		saved:   counter("daskbot_reaper_saved_usd_per_hour_total", "Estimated hourly cost of what was ended, in US dollars."),
		last:    gauge("daskbot_reaper_last_run_timestamp_seconds", "When the last run began."),
	}
	r.MustRegister(m.planned, m.ended, m.warned, m.failed, m.unknown, m.waiting, m.paused, m.saved, m.last)
	return m
}

// observe takes one run in.
func (m *reaperMetrics) observe(r reaper.Report) {
	count := map[environment.ReapAction]int{}
	held := 0
	for _, item := range r.Items {
		j := item.Judgement
		count[j.Action]++
		switch {
		case j.Action == environment.ReapDelete && !r.Paused:
			m.ended.WithLabelValues(string(j.Cause)).Inc()
			m.saved.Add(item.USDPerHour)
		case j.Action == environment.ReapSkip && j.Cause != "":
			held++
		}
	}
	for _, action := range []environment.ReapAction{environment.ReapKeep, environment.ReapWarn, environment.ReapDelete, environment.ReapSkip} {
		m.planned.WithLabelValues(string(action)).Set(float64(count[action]))
	}
	m.warned.Add(float64(r.Warned))
	m.failed.Add(float64(r.Failed))
	m.unknown.Set(float64(r.Unknown()))
	m.waiting.Set(float64(held))
	m.paused.Set(map[bool]float64{true: 1}[r.Paused])
	m.last.Set(float64(r.At.Unix()))
}
