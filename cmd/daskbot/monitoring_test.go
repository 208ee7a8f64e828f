package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"
)

// metric is one that the daemon exposes.
type metric struct{ labels []string }

// exposed are the daemon's metrics, from the registry that /metrics shows. What
// has not happened yet has no series, and counts all the same.
func exposed(t *testing.T) map[string]metric {
	t.Helper()
	return described(wired(t).metrics)
}

// described reads names and labels of what is registered. The library shows
// them as text only.
func described(r *prometheus.Registry) map[string]metric {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		r.Describe(descriptions)
		close(descriptions)
	}()
	pattern := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	all := map[string]metric{}
	for d := range descriptions {
		if found := pattern.FindStringSubmatch(d.String()); found != nil {
			all[found[1]] = metric{labels: strings.Split(found[2], ",")}
		}
	}
	return all
}

// rule is an alert of the chart.
type rule struct {
	Alert, Expr, For string
	Annotations      map[string]string
}

func alerts(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(chartFile(t, "alerts.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// expressions are those of the chart's alerts and dashboard, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range alerts(t) {
		all["alert "+r.Alert] = r.Expr
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(chartFile(t, "dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all["panel "+p.Title+" "+target.RefID] = strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
		}
	}
	return all
}

func chartFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../charts/daskbot/files", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAlertsAndDashboardUseMetricsThatExist holds names and labels of the
// chart's expressions against the daemon's registry, and lists metrics that no
// expression looks at.
func TestAlertsAndDashboardUseMetricsThatExist(t *testing.T) {
	metrics := exposed(t)
	used := map[string]bool{}
	for where, text := range expressions(t) {
		expr, err := metricsql.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		metricsql.VisitAll(expr, func(e metricsql.Expr) {
			switch e := e.(type) {
			case *metricsql.MetricExpr:
				used[checkSeries(t, where, e, metrics)] = true
			case *metricsql.AggrFuncExpr:
				checkGrouping(t, where, e, text, metrics)
			}
		})
	}
	for name := range metrics {
		if strings.HasPrefix(name, "daskbot_") && !used[name] {
			t.Logf("no alert and no panel shows %s", name)
		}
	}
}

// given are the labels that a scrape adds, and those of any histogram.
var given = []string{"job", "pod", "namespace", "instance", "le"}

// checkSeries checks a selector and returns the metric it is of, "" when it is
// of none that there is.
func checkSeries(t *testing.T, where string, e *metricsql.MetricExpr, metrics map[string]metric) (base string) {
	t.Helper()
	for _, filters := range e.LabelFilterss {
		name := ""
		for _, f := range filters {
			if f.Label == "__name__" {
				name = f.Value
			}
		}
		base = family(name, metrics)
		found, ok := metrics[base]
		if !ok {
			t.Errorf("%s uses %s, which the daemon does not expose", where, name)
		}
		for _, f := range filters {
			if ok && f.Label != "__name__" && !slices.Contains(append(given, found.labels...), f.Label) {
				t.Errorf("%s selects by %s, which %s does not have: it has %v", where, f.Label, name, found.labels)
			}
		}
	}
	return base
}

// family is the metric that a series of a histogram is part of, or its own
// name.
func family(series string, metrics map[string]metric) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if name := strings.TrimSuffix(series, suffix); name != series && metrics[name].labels != nil {
			return name
		}
	}
	return series
}

// checkGrouping sees that what is grouped by is a label of the metrics inside.
func checkGrouping(t *testing.T, where string, e *metricsql.AggrFuncExpr, text string, metrics map[string]metric) {
	t.Helper()
	known := slices.Clone(given)
	metricsql.VisitAll(e, func(inner metricsql.Expr) {
		if m, ok := inner.(*metricsql.MetricExpr); ok {
			known = append(known, metrics[checkSeries(t, where, m, metrics)].labels...)
		}
	})
	for _, label := range e.Modifier.Args {
		if !slices.Contains(known, label) {
			t.Errorf("%s groups by %s, which nothing in %s has", where, label, text)
		}
	}
}

// TestAlertsLeadToTheRunbook follows each alert to its chapter.
func TestAlertsLeadToTheRunbook(t *testing.T) {
	runbook, err := os.ReadFile("../../docs/RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	chapters := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^##+ (.+)$`).FindAllStringSubmatch(string(runbook), -1) {
		slug := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		chapters[strings.ReplaceAll(slug, " ", "-")] = true
	}
	for _, r := range alerts(t) {
		_, chapter, _ := strings.Cut(r.Annotations["runbook_url"], "RUNBOOK.md#")
		if !chapters[chapter] || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: got %v; want a summary, a description and one of the runbook's chapters", r.Alert, r.Annotations)
		}
	}
}

// TestSilenceIsHeardAfterARestart: a process that has run nothing yet says 0 for
// when it did. An alert that leaves that out never comes where nothing ever runs;
// one that does not waits for the first run, and has no number to tell.
func TestSilenceIsHeardAfterARestart(t *testing.T) {
	found := 0
	for _, r := range alerts(t) {
		if !strings.Contains(r.Expr, "_timestamp_seconds") {
			continue
		}
		found++
		expr, err := metricsql.Parse(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		metricsql.VisitAll(expr, func(e metricsql.Expr) {
			inside, ok := e.(*metricsql.BinaryOpExpr)
			if ok && slices.Contains([]string{">", ">=", "!="}, inside.Op) && e != expr {
				t.Errorf("%s: %s leaves processes out that have run nothing yet", r.Alert, r.Expr)
			}
		})
		waits, err := time.ParseDuration(r.For)
		if err != nil || waits < 10*time.Minute {
			t.Errorf("%s: waits %q; want longer than the first run may take", r.Alert, r.For)
		}
		if strings.Contains(r.Annotations["summary"]+r.Annotations["description"], "$value") {
			t.Errorf("%s tells a number, which after a restart is how long ago 1970 was", r.Alert)
		}
	}
	if found != 2 {
		t.Errorf("alerts about when something was: got %d, want the reaper's and the orphan sweep's", found)
	}
}
