package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// symptom is one thing broken, and what the doctor must say.
type symptom struct {
	name string
	env  []string          // variables that differ
	yaml map[string]string // text of the configuration to replace
	// before breaks something outside of the configuration.
	before func(t *testing.T, w *world)
	check  string // whose finding it is
	says   string // part of it
	mend   string // part of how to mend it
	well   bool   // only a warning: the doctor exits 0
	// also are other checks that cannot be well either: what they look at is
	// reached by what is broken.
	also []string
}

type diagnosis struct{ Check, Status, Says, Mend string }

// examine runs the doctor.
func (w *world) examine(t *testing.T, config string, env []string) ([]diagnosis, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), stage.daskbot, "doctor", "--config", config, "-o", "json")
	var sandbox struct {
		Slack struct{ BotToken, SigningSecret, API string }
	}
	if err := stage.sandbox.ask(t.Context(), http.MethodGet, "/endpoints", nil, &sandbox); err != nil {
		t.Fatal(err)
	}
	slack := sandbox.Slack
	cmd.Env = append(append(w.environ(), "SLACK_BOT_TOKEN="+slack.BotToken, "SLACK_SIGNING_SECRET="+slack.SigningSecret, "SLACK_API_URL="+slack.API), env...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("doctor: %v", err)
	}
	var answer struct{ Findings []diagnosis }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return answer.Findings, err == nil
}

// put replaces the project's description.
func putProject(project map[string]any) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		if err := stage.sandbox.ask(t.Context(), http.MethodPut, "/projects/"+w.project, project, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// fastClock is the sandbox as seen by a machine whose clock is ten minutes fast.
func fastClock(t *testing.T) string {
	t.Helper()
	compute, err := url.Parse(stage.sandbox.endpoints.Compute)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: compute.Scheme, Host: compute.Host})
	}, ModifyResponse: func(r *http.Response) error {
		r.Header.Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		return nil
	}}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL + "/compute/v1/"
}

// TestDoctor breaks one thing after the other: the doctor names each, and the
// mend.
func TestDoctor(t *testing.T) {
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	const nobody = "127.0.0.1:1" // where nothing listens
	for _, s := range []symptom{
		{name: "nothing", check: "permissions", says: "every permission", well: true},
		{name: "a misspelt key", yaml: map[string]string{"\nserver:\n": "\nserver:\n  adress: 127.0.0.1:1\n"}, check: "configuration", says: "adress", mend: "Correct that line"},
		{name: "the store's folder is a file", env: []string{"DASKBOT_STORE_URL=sqlite:/dev/null/daskbot.db"}, check: "store", says: "cannot be used", mend: "store.url"},
		{name: "the database server is down", env: []string{"DASKBOT_STORE_URL=postgres://daskbot@" + nobody + "/daskbot"}, check: "store", says: "does not answer", mend: "server runs"},
		{name: "the admin token is readable", check: "secrets", says: "can be read by others", mend: "chmod 600", before: func(t *testing.T, w *world) {
			if err := os.WriteFile(filepath.Join(w.dir, "admin.token"), []byte("dbt_x"), 0o644); err != nil { //nolint:gosec // that is the point
				t.Fatal(err)
			}
		}},
		{name: "a wrong credential", env: []string{"DASKBOT_SANDBOX_TOKEN=wrong"}, check: "credentials", also: []string{"quota"}, says: "credentials", mend: "Workload Identity"},
		{name: "GKE out of reach", env: []string{"DASKBOT_GKE_ENDPOINT=" + nobody}, check: "credentials", says: "does not answer", mend: "network"},
		{name: "the API is not enabled", before: putProject(map[string]any{"disabled": true}), check: "credentials", says: "not enabled", mend: "gcloud services enable container.googleapis.com"},
		{name: "no role", before: putProject(map[string]any{"forbidden": true}), check: "permissions", also: []string{"credentials", "quota"}, says: "lacks", mend: "add-iam-policy-binding"},
		{name: "no quota", before: putProject(map[string]any{"quotas": map[string]float64{"CPUS": 1, "CPUS_ALL_REGIONS": 1}}), check: "quota", says: "Not even one", mend: "iam-admin/quotas"},
		{name: "the clock", env: []string{"DASKBOT_COMPUTE_ENDPOINT=" + fastClock(t)}, check: "clock", says: "clock is 10m", mend: "set-ntp"},
		{name: "the chart repository is down", env: []string{"DASKBOT_CHARTS=http://" + nobody}, check: "charts", says: "cannot be fetched", mend: "profiles.repositories"},
		{name: "a chart that does not exist", yaml: map[string]string{"\nprofiles:\n": "\nprofiles:\n  define: {odd: {extends: dask, releases: [{name: dask, chart: dusk}]}}\n"},
			check: "charts", says: "dusk", mend: "profile odd"},
		{name: "a given cluster's file is gone", yaml: map[string]string{"\nprofiles:\n": "\nclusters: {lab: {kubeconfig: /nonexistent}}\n\nprofiles:\n"}, check: "clusters", says: "lab", mend: "kubeconfig"},
		{name: "a name nobody knows", yaml: map[string]string{"\nserver:\n": "\nserver:\n  externalUrl: https://daskbot.invalid\n"}, check: "address", says: "cannot be found", mend: "externalUrl"},
		{name: "somebody else's address", yaml: map[string]string{"\nserver:\n": "\nserver:\n  externalUrl: " + stage.sandbox.url + "\n"}, check: "address", also: []string{"slack"}, says: "is not daskbot", mend: "ingress"},
		{name: "Slack's token", env: []string{"SLACK_BOT_TOKEN=xoxb-wrong"}, check: "slack", says: "token does not work", mend: "OAuth & Permissions"},
		{name: "the identity provider", yaml: map[string]string{"\nauth:\n": "\nauth:\n  oidc: {issuer: \"http://" + nobody + "\", audience: daskbot}\n"}, check: "identity provider", says: "does not answer", mend: "auth.oidc.issuer"},
		{name: "old prices", yaml: map[string]string{"\npolicy:\n": "\npricing: {asOf: 2020-01-01}\n\npolicy:\n"}, check: "prices", says: "2020-01-01", mend: "pricing.refresh", well: true},
	} {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), s.tell)
	}
}

func (s symptom) tell(t *testing.T) {
	w, err := newWorld(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.proxy.Close()
	if s.before != nil {
		s.before(t, w)
	}
	shipped, err := os.ReadFile(stage.config)
	if err != nil {
		t.Fatal(err)
	}
	text := string(shipped)
	for old, replacement := range s.yaml {
		if !strings.Contains(text, old) {
			t.Fatalf("the configuration has no %q", old)
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	config := filepath.Join(w.dir, "daskbot.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	findings, ok := w.examine(t, config, s.env)
	if ok != s.well {
		t.Errorf("it ended well: %t; want %t", ok, s.well)
	}
	for _, d := range findings {
		if d.Status == "fail" && d.Check != s.check && !slices.Contains(s.also, d.Check) {
			t.Errorf("only %q is broken, and this is called wrong: %+v", s.check, d)
		}
	}
	named := slices.ContainsFunc(findings, func(d diagnosis) bool {
		return d.Check == s.check && strings.Contains(d.Says, s.says) && strings.Contains(d.Mend, s.mend)
	})
	if !named {
		t.Errorf("no finding of %q says %q and mends with %q: %+v", s.check, s.says, s.mend, findings)
	}
}
