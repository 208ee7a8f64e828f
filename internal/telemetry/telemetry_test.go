package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/telemetry"
)

func newTelemetry(t *testing.T, c telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	c.Ratio, c.Log = 1, slog.New(slog.DiscardHandler)
	tel, err := telemetry.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// kept is an exporter whose spans outlive its end.
type kept struct {
	*tracetest.InMemoryExporter
	spans tracetest.SpanStubs
}

func (k *kept) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	k.spans = append(k.spans, tracetest.SpanStubsFromReadOnlySpans(spans)...)
	return nil
}

// wish is a request whose work is done later by somebody else, as over the
// queue: all that goes across is a Trail.
func wish(t *testing.T, tel *telemetry.Telemetry, api string) {
	t.Helper()
	var trail environment.Trail
	server := httptest.NewServer(tel.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		telemetry.Route(r.Context(), r.Method, "/api/v1/environments")
		trail = environment.TrailOf(r.Context())
		w.WriteHeader(http.StatusAccepted)
	})))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/environments", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Request-Id", "r1")
	request.Header.Set("Traceparent", "00-11111111111111111111111111111111-2222222222222222-01") // anybody may send one
	answer, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()

	pass := environment.WithTrail(t.Context(), trail)
	client := &http.Client{Transport: tel.Transport(http.DefaultTransport)}
	ask(pass, t, client, api) // a look, which belongs to no step
	step, end := tel.Span(pass, "step converge", slog.String("phase", "install"))
	inner, endInner := tel.Span(step, "helm install")
	ask(inner, t, client, api)
	endInner(errors.New("boom"))
	end(nil)
}

func ask(ctx context.Context, t *testing.T, client *http.Client, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/pods", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}

func TestOneTraceFromRequestToCall(t *testing.T) {
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	exporter := &kept{InMemoryExporter: tracetest.NewInMemoryExporter()}
	tel := newTelemetry(t, telemetry.Config{Exporter: exporter})
	wish(t, tel, api.URL)
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	parents := map[string]string{}
	names := map[string]string{}
	for _, s := range exporter.spans {
		names[s.SpanContext.SpanID().String()] = s.Name
	}
	for _, s := range exporter.spans {
		parents[s.Name] = names[s.Parent.SpanID().String()]
		if s.SpanContext.TraceID() != exporter.spans[0].SpanContext.TraceID() {
			t.Errorf("%s is in a trace of its own", s.Name)
		}
	}
	want := map[string]string{"POST /api/v1/environments": "", "step converge": "POST /api/v1/environments",
		"helm install": "step converge", "GET /api/v1/pods": "helm install"}
	if diff := cmp.Diff(want, parents); diff != "" {
		t.Errorf("spans and their parents (-want +got)\n%s", diff)
	}
	if exporter.spans[0].SpanContext.TraceID().String() == strings.Repeat("1", 32) {
		t.Error("a trace that a stranger named was continued")
	}
}

func TestSpansReachAnOTLPReceiver(t *testing.T) {
	got := make(chan *otlp.ExportTraceServiceRequest, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &otlp.ExportTraceServiceRequest{}
		if err = errors.Join(err, proto.Unmarshal(body, request)); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "Bearer x" {
			http.Error(w, "bad export", http.StatusBadRequest)
			return
		}
		got <- request
	}))
	defer receiver.Close()
	tel := newTelemetry(t, telemetry.Config{Endpoint: receiver.URL, Headers: map[string]string{"Authorization": "Bearer x"}, Version: "v1.2.3"})
	wish(t, tel, receiver.URL)
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(got)
	spans := map[string]bool{}
	for request := range got {
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					spans[s.GetName()] = true
				}
			}
		}
	}
	for _, name := range []string{"POST /api/v1/environments", "step converge", "helm install"} {
		if !spans[name] {
			t.Errorf("no span %q reached the receiver: %v", name, spans)
		}
	}
}

func TestLogLinesAreJoined(t *testing.T) {
	tel := newTelemetry(t, telemetry.Config{}) // no receiver: there are ids all the same
	var out bytes.Buffer
	log := slog.New(telemetry.Joined(slog.NewJSONHandler(&out, nil))).With("part", "runner")
	ctx, end := tel.Span(environment.WithTrail(t.Context(), environment.Trail{Request: "r1", Environment: "kq7wm2xd",
		Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}), "step place")
	log.InfoContext(ctx, "in a span")
	end(nil)
	log.InfoContext(ctx, "said already", "env_id", "other")
	log.InfoContext(environment.WithTrail(t.Context(), environment.Trail{Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}), "on a trail")
	log.InfoContext(t.Context(), "alone")
	type line struct{ Msg, Request_id, Env_id, Trace_id, Part string } //nolint:revive // the keys of the log
	var got []line
	for text := range strings.Lines(out.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got = append(got, l)
	}
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	want := []line{{"in a span", "r1", "kq7wm2xd", id, "runner"}, {"said already", "r1", "other", id, "runner"},
		{"on a trail", "", "", id, "runner"}, {"alone", "", "", "", "runner"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
