package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"github.com/daskbot/daskbot/internal/environment"
)

// Joined adds request_id, env_id and trace_id to every record that is logged
// under a context that knows them, unless the record says them itself.
func Joined(h slog.Handler) slog.Handler { return joined{h} }

type joined struct{ slog.Handler }

// Handle adds what the context knows.
func (j joined) Handle(ctx context.Context, r slog.Record) error {
	trail := environment.TrailOf(ctx)
	ids := map[string]string{"request_id": trail.Request, "env_id": trail.Environment, "trace_id": traceID(ctx, trail)}
	r.Attrs(func(a slog.Attr) bool {
		delete(ids, a.Key)
		return true
	})
	r = r.Clone()
	for _, key := range []string{"request_id", "env_id", "trace_id"} {
		if ids[key] != "" {
			r.AddAttrs(slog.String(key, ids[key]))
		}
	}
	return j.Handler.Handle(ctx, r)
}

// traceID is that of the span under way, else that of the work's trail.
func traceID(ctx context.Context, o environment.Trail) string {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		return span.TraceID().String()
	}
	const from, to = 3, 35 // version-TRACE-parent-flags
	if len(o.Trace) < to {
		return ""
	}
	return o.Trace[from:to]
}

// WithAttrs keeps adding.
func (j joined) WithAttrs(attrs []slog.Attr) slog.Handler {
	return joined{j.Handler.WithAttrs(attrs)}
}

// WithGroup keeps adding, within the group.
func (j joined) WithGroup(name string) slog.Handler { return joined{j.Handler.WithGroup(name)} }
