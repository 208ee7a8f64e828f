package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config says where spans go.
type Config struct {
	// Endpoint is the URL of an OTLP receiver over HTTP, such as
	// http://collector:4318; "" sends nothing.
	Endpoint string
	// Headers go with every export, such as an authorization.
	Headers map[string]string
	// Ratio is the share of requests that is traced, 0 to 1.
	Ratio float64
	// Version is that of the program.
	Version string
	// Exporter replaces the OTLP one, for tests.
	Exporter sdk.SpanExporter
	Log      *slog.Logger
}

// Telemetry makes spans. It is safe for concurrent use.
type Telemetry struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// scope names daskbot's own spans among those of libraries.
const scope = "github.com/daskbot/daskbot"

// New prepares tracing and makes it the process's own: Google's clients find
// it there. It connects to nothing; a receiver that does not answer is logged
// and costs spans, nothing else. The caller ends it with Close.
func New(ctx context.Context, c Config) (*Telemetry, error) {
	about, err := resource.New(ctx, resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "daskbot"), attribute.String("service.version", c.Version)))
	if err != nil {
		return nil, fmt.Errorf("describe this process: %w", err)
	}
	options := []sdk.TracerProviderOption{sdk.WithResource(about)}
	exporter := c.Exporter
	if exporter == nil && c.Endpoint != "" {
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint+"/v1/traces"), otlptracehttp.WithHeaders(c.Headers))
		if err != nil {
			return nil, environment.Invalid("server.telemetry.endpoint", "Traces cannot be sent there: %v.", err)
		}
	}
	if exporter == nil { // ids for the log; nothing is kept
		options = append(options, sdk.WithSampler(sdk.NeverSample()))
	} else {
		options = append(options, sdk.WithBatcher(exporter), sdk.WithSampler(sdk.ParentBased(wanted{sdk.TraceIDRatioBased(c.Ratio)})))
	}
	provider := sdk.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		c.Log.WarnContext(ctx, "traces", "reason", err.Error())
	}))
	return &Telemetry{provider: provider, tracer: provider.Tracer(scope)}, nil
}

// Close sends what is left, for at most five seconds.
func (t *Telemetry) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// wanted leaves out calls that belong to no request and no step: waiting for a
// cluster alone is hundreds of them.
type wanted struct{ sdk.Sampler }

// ShouldSample is asked for spans without a parent.
func (w wanted) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	if p.Kind == trace.SpanKindClient {
		return sdk.SamplingResult{Decision: sdk.Drop}
	}
	return w.Sampler.ShouldSample(p)
}

var propagator = propagation.TraceContext{}

// Span is an environment.Span. A span under none continues the trace of the
// work's trail: that is how a step belongs to the request that asked for it.
func (t *Telemetry) Span(ctx context.Context, name string, attrs ...slog.Attr) (context.Context, func(error)) {
	trail := environment.TrailOf(ctx)
	if !trace.SpanContextFromContext(ctx).IsValid() && trail.Trace != "" {
		ctx = propagator.Extract(ctx, propagation.MapCarrier{"traceparent": trail.Trace})
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(attributes(trail, attrs)...))
	trail.Trace = parentOf(ctx)
	return environment.WithTrail(ctx, trail), func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, string(environment.CodeOf(err)))
			span.RecordError(err)
		}
		span.End()
	}
}

func attributes(o environment.Trail, attrs []slog.Attr) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(attrs)+2)
	for _, a := range attrs {
		out = append(out, attribute.String("daskbot."+a.Key, a.Value.String()))
	}
	for _, known := range []attribute.KeyValue{attribute.String("daskbot.request_id", o.Request), attribute.String("daskbot.env_id", o.Environment)} {
		if known.Value.AsString() != "" {
			out = append(out, known)
		}
	}
	return out
}

// parentOf is the traceparent of the span under way.
func parentOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// Transport makes each request a span, when it belongs to a trace.
func (t *Telemetry) Transport(base http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(base, otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagator),
		otelhttp.WithFilter(func(r *http.Request) bool { return trace.SpanContextFromContext(r.Context()).IsValid() }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path }))
}
