package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/reaper"
)

// TestARunIsCounted: what was not looked at in a run costs what it did at the
// last look, and what is left alone is counted by why.
func TestARunIsCounted(t *testing.T) {
	skip := func(why environment.SkipCause) environment.PlanItem {
		return environment.PlanItem{Judgement: environment.Judgement{Action: environment.ReapSkip, Skip: why}, USDPerHour: 0.5}
	}
	do := func(a environment.ReapAction) environment.PlanItem {
		return environment.PlanItem{Judgement: environment.Judgement{Action: a, Cause: environment.EndIdle}, USDPerHour: 0.5}
	}
	items := []environment.PlanItem{skip(environment.SkipProtected), skip(environment.SkipProtected), skip(environment.SkipCap), do(environment.ReapKeep), do(environment.ReapDelete)}
	skipped := func(why environment.SkipCause, n int) string {
		return fmt.Sprintf("daskbot_reaper_skipped_environments{reason=%q} %d", why, n)
	}
	for _, test := range []struct {
		name   string
		report reaper.Report
		want   []string
	}{
		{"a run", reaper.Report{Items: items}, []string{skipped(environment.SkipProtected, 2), skipped(environment.SkipCap, 1), skipped(environment.SkipPaused, 0), "daskbot_reaper_saved_usd_per_hour_total 0.5"}},
		{"paused", reaper.Report{Items: items, Paused: true}, []string{skipped(environment.SkipProtected, 2), skipped(environment.SkipPaused, 1), "daskbot_reaper_saved_usd_per_hour_total 0"}},
	} {
		registry := prometheus.NewPedanticRegistry()
		m := newReaperMetrics(registry)
		m.lead()
		m.observe(test.report)
		w := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, want := range append(test.want, "daskbot_reaper_usd_per_hour 2.5") {
			if !strings.Contains(w.Body.String(), want+"\n") {
				t.Errorf("%s: no %s in\n%s", test.name, want, w.Body.String())
			}
		}
	}
}
