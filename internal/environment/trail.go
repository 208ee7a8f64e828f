package environment

import (
	"context"
	"log/slog"
)

// Trail is where work came from. It goes from a request over the queue to the
// last step, so that traces and log lines of one wish can be joined. Nothing
// is decided by it, and it may be lost.
type Trail struct {
	// Trace is a W3C traceparent, "" for none.
	Trace string `json:"trace,omitempty"`
	// Request is the id of the request that asked for it.
	Request string `json:"request,omitempty"`
	// Environment is the row that is worked on, once it is known.
	Environment string `json:"-"`
}

type trailKey struct{}

// WithTrail says where the work under ctx came from.
func WithTrail(ctx context.Context, o Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, o)
}

// TrailOf is what WithTrail said; empty for work that nobody asked for.
func TrailOf(ctx context.Context) Trail {
	o, _ := ctx.Value(trailKey{}).(Trail)
	return o
}

// Span begins a span of a trace; end finishes it with what came of it. The
// work runs under the context returned. NoSpan is the one that keeps nothing.
type Span func(ctx context.Context, name string, attrs ...slog.Attr) (under context.Context, end func(error))

// NoSpan is a Span where nobody traces.
func NoSpan(ctx context.Context, _ string, _ ...slog.Attr) (context.Context, func(error)) {
	return ctx, func(error) {}
}
