package e2e

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP receiver on loopback.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &otlp.ExportTraceServiceRequest{}
		if err := errors.Join(err, proto.Unmarshal(body, request)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// lineage is the names of a span's ancestors and its own, for every span of
// the trace that the named request began.
func (c *collector) lineage(root string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	byID := map[string]*tracepb.Span{}
	trace := ""
	for _, s := range c.spans {
		byID[string(s.GetSpanId())] = s
		if s.GetName() == root {
			trace = hex.EncodeToString(s.GetTraceId())
		}
	}
	out := map[string]int{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) != trace {
			continue
		}
		path := s.GetName()
		for up := byID[string(s.GetParentSpanId())]; up != nil; up = byID[string(up.GetParentSpanId())] {
			path = up.GetName() + " > " + path
		}
		out[path]++
	}
	return out
}

// TestOneTraceFromRequestToHelm asks for an environment over REST and in Slack,
// and finds, at an OTLP receiver, one trace that leads from that request over
// the queue to the calls to GKE and Kubernetes and to Helm.
func TestOneTraceFromRequestToHelm(t *testing.T) {
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	for name, c := range map[string]struct {
		request string // the root of the trace
		under   string // what the steps are below
		ask     func(ctx context.Context, t *testing.T, config string) (*world, string)
	}{
		"rest": {"POST /api/v1/environments", "POST /api/v1/environments", func(ctx context.Context, t *testing.T, config string) (*world, string) {
			t.Helper()
			w := newStoryWith(t, config)
			var e env
			if err := w.ask(ctx, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": "dask"}, &e); err != nil {
				t.Fatal(err)
			}
			return w, e.ID
		}},
		"slack": {"POST /slack/commands", "POST /slack/commands > slack up", func(ctx context.Context, t *testing.T, config string) (*world, string) {
			t.Helper()
			w := newSlackWith(t, config, 0)
			w.types(t, "s1", "/dask up dask")
			var all struct{ Items []env }
			if err := until(ctx, "wait for what was asked for", func() (bool, error) {
				err := w.ask(ctx, http.MethodGet, "environments", nil, &all)
				return len(all.Items) == 1, err
			}); err != nil {
				t.Fatal(err)
			}
			return w, all.Items[0].ID
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collected := newCollector(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			w, id := c.ask(ctx, t, tracedTo(t, collected.URL))
			if _, err := w.await(ctx, id, "ready"); err != nil {
				t.Fatal(err)
			}
			collected.wantHelm(ctx, t, c.request, c.under)
			w.wantIDs(t)
			if err := w.ask(ctx, http.MethodDelete, "environments/"+id, nil, nil); err != nil {
				t.Error(err)
			}
			if _, err := w.await(ctx, id, "deleted"); err != nil {
				t.Error(err)
			}
		})
	}
}

// tracedTo is the shipped configuration with traces to a receiver.
func tracedTo(t *testing.T, endpoint string) string {
	t.Helper()
	shipped, err := os.ReadFile(stage.config)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "traced.yaml")
	traced := strings.Replace(string(shipped), "\nserver:\n", "\nserver:\n  telemetry: {endpoint: \""+endpoint+"\"}\n", 1)
	if err := os.WriteFile(config, []byte(traced), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// wantHelm waits until the trace that a request began leads to the cloud and to
// Helm.
func (c *collector) wantHelm(ctx context.Context, t *testing.T, request, under string) {
	t.Helper()
	want := []string{
		under + " > cluster step create > google.container.v1.ClusterManager/CreateCluster",
		under + " > step converge > helm install",
		under + " > step prepare > ",
		under + " > step ready",
	}
	missing := want
	err := until(ctx, "wait for the trace", func() (bool, error) {
		seen := c.lineage(request)
		missing = nil
		for _, path := range want {
			if !hasPrefix(seen, path) {
				missing = append(missing, path)
			}
		}
		return len(missing) == 0, nil
	})
	if err != nil {
		t.Errorf("%v: missing %q of %v", err, missing, c.lineage(request))
	}
}

// wantIDs sees that log lines of what was done lead to who asked for it.
func (w *world) wantIDs(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(w.dir, "daemon.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"step done"`) && !(strings.Contains(line, `"trace_id"`) && strings.Contains(line, `"request_id"`) && strings.Contains(line, `"env_id"`)) {
			t.Errorf("a line without its ids: %s", line)
		}
	}
}

func hasPrefix(all map[string]int, prefix string) bool {
	for path := range all {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
