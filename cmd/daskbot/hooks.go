package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/lms"
	"github.com/daskbot/daskbot/internal/notify"
	"github.com/daskbot/daskbot/internal/webhook"
)

// hooksIn adds the way in of learning platforms beside the API's.
func (d *daemon) hooksIn(cfg *config.Config, metrics prometheus.Registerer) (err error) {
	received := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "daskbot_hooks_total",
		Help: "Messages of learning platforms by outcome. Of requests: accepted, copied, unauthorized, limited, malformed, unavailable; of what was accepted, later: done, ignored, parked."},
		[]string{"source", "outcome"})
	metrics.MustRegister(received)
	// Prometheus sees no rise from nothing to one: every series is there before
	// it happens.
	for _, s := range sources(cfg) {
		for _, outcome := range lms.Outcomes {
			received.WithLabelValues(s.Name, outcome)
		}
	}
	d.hooks, err = lms.New(lms.Config{Sources: sources(cfg), Platforms: cfg.Platforms(), Commands: d.service, Inbox: d.store, Notes: d.store, Keep: cfg.LMS.Keep, Log: d.log,
		Once:    func(caller, key string) lms.Commands { return d.service.Once(caller, key) },
		Observe: func(source, outcome string) { received.WithLabelValues(source, outcome).Inc() }})
	if err != nil {
		return err
	}
	d.handler = beside(lms.Prefix, d.hooks.Handler(), d.handler)
	return nil
}

// sources are those of the configuration.
func sources(cfg *config.Config) []lms.Source {
	var all []lms.Source
	for _, name := range slices.Sorted(maps.Keys(cfg.LMS.Sources)) {
		s := cfg.LMS.Sources[name]
		kind := s.Kind
		if kind == "" {
			kind = lms.Generic
		}
		all = append(all, lms.Source{Name: name, Kind: kind, Secrets: []environment.Secret{s.Secret, s.PreviousSecret}, PublicKeys: s.PublicKeys,
			JWKSURL: s.JWKSURL, RootAccount: s.RootAccount, Course: s.Course, AutoProvision: s.AutoProvision, CreateCourses: s.CreateCourses, PerMinute: s.PerMinute})
	}
	return all
}

// checkHooks refuses a source without what would prove its messages.
func checkHooks(c *config.Config, problem func(path, text string)) {
	for _, s := range sources(c) {
		if err := lms.Check(s); err != nil {
			problem("lms.sources."+s.Name, fmt.Sprint(err))
		}
	}
}

// notifications adds the way out to the addresses that courses registered.
func (d *daemon) notifications(cfg *config.Config, s environment.Store, metrics prometheus.Registerer) error {
	attempts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "daskbot_notifications_total",
		Help: "Attempts to notify addresses of courses, by outcome: sent or failed; and addresses given up: disabled."}, []string{"outcome"})
	metrics.MustRegister(attempts)
	for _, outcome := range []string{"sent", "failed", "disabled"} {
		attempts.WithLabelValues(outcome)
	}
	var allowed []netip.Prefix
	for _, network := range cfg.LMS.Notifications.Allowed {
		allowed = append(allowed, netip.MustParsePrefix(network)) // checked when the configuration was loaded
	}
	sender, err := webhook.New(webhook.Config{Commands: d.service, Allowed: allowed, Log: d.log,
		Observe: func(outcome string) { attempts.WithLabelValues(outcome).Inc() }})
	if err != nil {
		return err
	}
	d.notices, err = notify.New(notify.Config{Store: s, Feed: d.feed, Notifier: sender, Log: d.log})
	return err
}
