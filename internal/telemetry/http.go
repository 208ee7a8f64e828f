package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/daskbot/daskbot/internal/environment"
)

// requestIDHeader is where a proxy in front says what it calls the request.
const requestIDHeader = "X-Request-Id"

// requestIDPattern is what is taken over; anything else is replaced, so that a
// client cannot write into the log.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Handler gives every request an id and a span. A trace that a caller brings
// along is linked, not continued: anybody may send one. Probes and scrapes are
// not traced.
func (t *Telemetry) Handler(next http.Handler) http.Handler {
	known := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !requestIDPattern.MatchString(r.Header.Get(requestIDHeader)) {
			r.Header.Set(requestIDHeader, newRequestID())
		}
		id := r.Header.Get(requestIDHeader)
		w.Header().Set(requestIDHeader, id)
		trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("daskbot.request_id", id))
		ctx := environment.WithTrail(r.Context(), environment.Trail{Trace: parentOf(r.Context()), Request: id})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
	return otelhttp.NewHandler(known, "request", otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagator),
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }),
		otelhttp.WithFilter(func(r *http.Request) bool {
			return r.URL.Path != "/" && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics"
		}))
}

// Route names the request's span once its route is known: by the route and not
// the path, which holds ids.
func Route(ctx context.Context, method, route string) {
	span := trace.SpanFromContext(ctx)
	span.SetName(method + " " + route)
	span.SetAttributes(attribute.String("http.route", route))
}

func newRequestID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return hex.EncodeToString(b)
}
