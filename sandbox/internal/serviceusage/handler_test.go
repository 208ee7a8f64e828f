package serviceusage

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

func TestAnswers(t *testing.T) {
	const engine = "/services/container.googleapis.com"
	tests := map[string]struct {
		method, path, body string
		status             int
		contains           string
	}{
		"enabled":        {"GET", "/v1/projects/sandbox-project" + engine, "", 200, `"state":"ENABLED"`},
		"disabled":       {"GET", "/v1/projects/disabled-project" + engine, "", 200, `"state":"DISABLED"`},
		"forbidden":      {"GET", "/v1/projects/forbidden-project" + engine, "", 403, "PERMISSION_DENIED"},
		"unknown":        {"GET", "/v1/projects/none" + engine, "", 403, "may not exist"},
		"list":           {"GET", "/v1/projects/sandbox-project/services?filter=state:ENABLED", "", 200, "compute.googleapis.com"},
		"enable":         {"POST", "/v1/projects/disabled-project" + engine + ":enable", "", 200, `"done":true`},
		"enable several": {"POST", "/v1/projects/disabled-project/services:batchEnable", `{"serviceIds":["container.googleapis.com","compute.googleapis.com"]}`, 200, `"state":"ENABLED"`},
		"enable others":  {"POST", "/v1/projects/disabled-project/services:batchEnable", `{"serviceIds":["compute.googleapis.com"]}`, 200, `"done":true`},
		"enable none":    {"POST", "/v1/projects/disabled-project/services:batchEnable", `{"serviceIds":[]}`, 400, "INVALID_ARGUMENT"},
		"not theirs":     {"POST", "/v1/projects/forbidden-project/services:batchEnable", `{"serviceIds":["compute.googleapis.com"]}`, 403, "PERMISSION_DENIED"},
		"may":            {"POST", "/v1/projects/sandbox-project:testIamPermissions", `{"permissions":["container.clusters.create"]}`, 200, "container.clusters.create"},
		"may not":        {"POST", "/v1/projects/forbidden-project:testIamPermissions", `{"permissions":["container.clusters.create"]}`, 200, "{}"},
		"may not at all": {"POST", "/v1/projects/none:testIamPermissions", `{}`, 403, "PERMISSION_DENIED"},
		"broken":         {"POST", "/v1/projects/sandbox-project:testIamPermissions", `{`, 400, "INVALID_ARGUMENT"},
		"another verb":   {"POST", "/v1/projects/sandbox-project:dance", `{}`, 404, "NOT_FOUND"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			world, err := cloud.Open(cloud.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			answer := httptest.NewRecorder()
			New(world).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(tc.body)))
			if answer.Code != tc.status || !strings.Contains(answer.Body.String(), tc.contains) {
				t.Errorf("got %d %s; want %d with %q", answer.Code, answer.Body, tc.status, tc.contains)
			}
		})
	}
}

// TestABatchLastsOnlyForWhatItNames: Kubernetes Engine is on afterwards when
// it was among them, and stays off when it was not.
func TestABatchLastsOnlyForWhatItNames(t *testing.T) {
	world, err := cloud.Open(cloud.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		body     string
		disabled bool
	}{{`{"serviceIds":["compute.googleapis.com"]}`, true}, {`{"serviceIds":["compute.googleapis.com","container.googleapis.com"]}`, false}} {
		New(world).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/v1/projects/disabled-project/services:batchEnable", strings.NewReader(step.body)))
		if p, err := world.Project("disabled-project"); err != nil || p.Disabled != step.disabled {
			t.Errorf("after %s: got disabled %v, %v; want %v", step.body, p.Disabled, err, step.disabled)
		}
	}
}
