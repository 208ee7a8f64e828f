package store

import (
	"context"
	"encoding/json"

	"github.com/daskbot/daskbot/internal/environment"
)

// trailFrom is where the wake-up comes from, as it is kept beside it; "" when
// nobody said.
func trailFrom(ctx context.Context) string {
	trail := environment.TrailOf(ctx)
	if trail.Trace == "" && trail.Request == "" {
		return ""
	}
	text, err := encode(trail)
	if err != nil {
		return "" // nothing depends on it
	}
	return text
}

// onTrail puts a pass under the wish that it carries out.
func onTrail(ctx context.Context, kept string, args look) context.Context {
	var trail environment.Trail
	_ = json.Unmarshal([]byte(kept), &trail) // nothing depends on it
	if args.Row == environment.JobEnvironment {
		trail.Environment = args.ID
	}
	return environment.WithTrail(ctx, trail)
}
