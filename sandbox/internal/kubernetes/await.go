package kubernetes

import (
	"context"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/latency"
)

const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
	// How long one look may take.
	look = 5 * time.Second
	// How long a predecessor that was killed may need to let go of an address.
	succession = 5 * time.Second
)

// await looks, soon at first and then less often, until f says that what it
// looks for is there. It returns ctx's cause when that ends first.
func await(ctx context.Context, f func(ctx context.Context) bool) error {
	for delay := firstLook; ; delay = min(delay*13/10, lastLook) {
		if one(ctx, f) {
			return nil
		}
		if latency.Sleep(ctx, delay) != nil {
			return context.Cause(ctx)
		}
	}
}

func one(ctx context.Context, f func(ctx context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, look)
	defer cancel()
	return f(ctx)
}

// retry calls f until it succeeds, and returns its last error when that takes
// longer than a succession.
func retry(ctx context.Context, f func() error) (err error) {
	limited, cancel := context.WithTimeout(ctx, succession)
	defer cancel()
	if await(limited, func(context.Context) bool {
		err = f()
		return err == nil
	}) == nil {
		return nil
	}
	return err
}
