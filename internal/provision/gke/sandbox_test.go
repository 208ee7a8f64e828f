package gke

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// sandbox is a running daskbot-sandbox: the port's conformance is tested
// against it, with real Kubernetes control planes behind the clusters.
type sandbox struct {
	GKE     string `json:"gke"`
	Token   string `json:"token"`
	Project string `json:"project"`
	Control string `json:"control"`
}

func startedSandbox(t *testing.T) sandbox {
	t.Helper()
	base := os.Getenv("DASKBOT_SANDBOX")
	if base == "" {
		t.Skip("DASKBOT_SANDBOX is not set to the address of a running daskbot-sandbox")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimRight(base, "/")+"/endpoints", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var s sandbox
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// fault scripts a fault of one cluster, and takes it back after the test.
func (s sandbox) fault(t *testing.T, fault map[string]any) {
	t.Helper()
	body, err := json.Marshal(fault)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID string `json:"id"`
	}
	s.control(t.Context(), t, http.MethodPost, "/faults", body, &made)
	t.Cleanup(func() {
		// A fault that was used up is not there any more; that is fine.
		s.control(context.WithoutCancel(t.Context()), t, http.MethodDelete, "/faults/"+made.ID, nil, nil)
	})
}

func (s sandbox) control(ctx context.Context, t *testing.T, method, path string, body []byte, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.Control, "/")+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if into == nil {
		return
	}
	if answer.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: got %s", method, path, answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func (s sandbox) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(t.Context(), Config{Endpoint: s.GKE, Insecure: true, StaticToken: environment.NewSecret(s.Token),
		Installation: "conformance", ServiceAccount: "daskbot@example.iam.gserviceaccount.com"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// newCluster is a row with a name of its own, changed as the test likes;
// whatever becomes of it is deleted after the test.
func newCluster(t *testing.T, c *Client, project string, change ...func(*environment.Cluster)) environment.Cluster {
	t.Helper()
	id := strings.ToLower(rand.Text()[:8])
	cl := aCluster()
	cl.ID, cl.Name, cl.Environment, cl.Project = "c"+id, "conf-"+id, "e"+id, project
	cl.Shape.MachineType, cl.Shape.Nodes = "e2-standard-2", 1
	for _, f := range change {
		f(&cl)
	}
	t.Cleanup(func() { erase(context.WithoutCancel(t.Context()), t, c, cl) })
	return cl
}

// patience bounds every wait for the sandbox.
const patience = 2 * time.Minute

// poll looks until done is satisfied, and returns what it then saw.
func poll(ctx context.Context, t *testing.T, c *Client, cl environment.Cluster, op string, done func(environment.SeenCluster) bool) environment.SeenCluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, err := c.Observe(ctx, cl.Project, attempt(cl), op)
		if err != nil {
			t.Fatalf("observe %s: %v", cl.Name, err)
		}
		if done(seen) {
			return seen
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: got %+v after %s; want something else", cl.Name, seen, patience)
		case <-tick.C:
		}
	}
}

func ended(s environment.SeenCluster) bool { return s.Operation != environment.OperationRunning }

func erase(ctx context.Context, t *testing.T, c *Client, cl environment.Cluster) {
	poll(ctx, t, c, cl, "", func(s environment.SeenCluster) bool {
		if s.State == environment.CloudAbsent {
			return true
		}
		if _, err := c.Delete(ctx, cl.Project, attempt(cl)); err != nil && !environment.Retryable(err) {
			t.Errorf("delete %s: %v", cl.Name, err)
			return true
		}
		return false
	})
}
