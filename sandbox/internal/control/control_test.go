package control

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// activities keeps what was scripted, and refuses what says so.
type activities map[string]json.RawMessage

func (a activities) SetActivity(id string, raw json.RawMessage) error {
	if strings.Contains(string(raw), "refuse") {
		return errors.New("users[0]: a name is missing")
	}
	a[id] = raw
	return nil
}

func (a activities) Activity(id string) (json.RawMessage, error) { return a[id], nil }

// start is a control API over a world with one cluster that runs and two that
// share a name.
func start(t *testing.T) (http.Handler, *cloud.World) {
	t.Helper()
	world, err := cloud.Open(cloud.Config{Dir: t.TempDir(), Network: "127.205"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"sandbox-project", "hub"}, {"sandbox-project", "twin"}, {"student-project-1", "twin"}} {
		spec := cloud.ClusterSpec{Project: c[0], Location: "europe-west1-b", Region: "europe-west1", Name: c[1]}
		op, err := world.AddCluster(cloud.Cluster{Spec: spec}, cloud.Lasting("CREATE_CLUSTER", time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := world.Finish(op.Name, nil, func(c *cloud.Cluster) { c.Status = cloud.Running }); err != nil {
			t.Fatal(err)
		}
	}
	return New(Config{World: world, Activity: activities{}, Endpoints: Endpoints{Token: "secret"}, Log: slog.New(slog.DiscardHandler)}), world
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		method, path, body string
		status             int
		contains           string
	}{
		"health":             {"GET", "/healthz", "", 200, "ok"},
		"endpoints":          {"GET", "/endpoints", "", 200, `"token":"secret"`},
		"clusters":           {"GET", "/clusters", "", 200, `"name":"hub"`},
		"resources":          {"GET", "/resources", "", 200, `"usdPerHour":0.1`},
		"of a project":       {"GET", "/resources?project=tiny-project", "", 200, `[]`},
		"log":                {"GET", "/operations/log", "", 200, `"kind":"CREATE_CLUSTER"`},
		"log of later":       {"GET", "/operations/log?since=2999-01-01T00:00:00Z", "", 200, `[]`},
		"log of when":        {"GET", "/operations/log?since=noon", "", 400, "since"},
		"fault":              {"POST", "/faults", `{"kind":"stockout","zone":"europe-west1-b","times":1}`, 201, `"id":"f`},
		"fault of no kind":   {"POST", "/faults", `{"kind":"flood"}`, 400, "there is no fault of kind"},
		"misspelt fault":     {"POST", "/faults", `{"kind":"stockout","zones":"x"}`, 400, "zones"},
		"no such fault":      {"DELETE", "/faults/f1", "", 404, "f1"},
		"all faults":         {"DELETE", "/faults", "", 204, ""},
		"latencies":          {"GET", "/latencies", "", 200, `"preset":"fast"`},
		"preset":             {"POST", "/latencies", `{"preset":"gke"}`, 200, `"cluster-create":{"min":"3m10s","max":"3m34s"}`},
		"one latency":        {"POST", "/latencies", `{"node-boot":"3s"}`, 200, `"node-boot":{"min":"3s","max":"3s"}`},
		"a span":             {"POST", "/latencies", `{"node-boot":{"min":"1s","max":"2s"}}`, 200, `"node-boot":{"min":"1s","max":"2s"}`},
		"no duration":        {"POST", "/latencies", `{"node-boot":"soon"}`, 400, "node-boot"},
		"no such latency":    {"POST", "/latencies", `{"tea":"3s"}`, 400, "tea"},
		"activity":           {"POST", "/clusters/hub/activity", `{"users":[]}`, 200, `{"users":[]}`},
		"refused activity":   {"POST", "/clusters/hub/activity", `{"refuse":1}`, 400, "a name is missing"},
		"no such cluster":    {"POST", "/clusters/none/activity", `{}`, 404, "none"},
		"two clusters":       {"GET", "/clusters/twin/activity", "", 400, "2 clusters"},
		"one of them":        {"POST", "/clusters/twin/activity?project=student-project-1", `{}`, 200, `{}`},
		"a project":          {"PUT", "/projects/new-one", `{"quotas":{"CPUS":4}}`, 200, `"quotas":{"CPUS":4}`},
		"too large a body":   {"POST", "/faults", `{"kind":"` + strings.Repeat("x", maxBody) + `"}`, 400, "too large"},
		"nothing like that":  {"GET", "/teapot", "", 404, ""},
		"not in this manner": {"PUT", "/faults", "", 405, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h, _ := start(t)
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(tc.body)))
			if answer.Code != tc.status || !strings.Contains(answer.Body.String(), tc.contains) {
				t.Errorf("got %d %s; want %d with %q", answer.Code, answer.Body, tc.status, tc.contains)
			}
		})
	}
}

func TestResourcesAreAnEmptyListInTheEnd(t *testing.T) {
	world, err := cloud.Open(cloud.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	h := New(Config{World: world})
	h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/resources", nil))
	if got := strings.TrimSpace(answer.Body.String()); got != "[]" {
		t.Errorf("got %s; want an empty list", got)
	}
}
