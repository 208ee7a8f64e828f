package billing

import (
	"context"
	"log/slog"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	daily = 24 * time.Hour
	again = time.Hour // after a failure
)

// Keep hands the prices of a region to set, at once and then once a day, until
// ctx ends; it then returns ctx's error. A failure changes nothing: it is
// logged, once until the next success, and tried again within the hour. The
// base is what each new price is compared with, so that errors cannot add up.
func (c *Client) Keep(ctx context.Context, region string, base environment.Prices, set func(environment.Prices)) error {
	return keep(ctx, c.log, set, func(ctx context.Context) (environment.Prices, error) { return c.Prices(ctx, region, base) })
}

func keep(ctx context.Context, log *slog.Logger, set func(environment.Prices), fetch func(context.Context) (environment.Prices, error)) error {
	failing := false
	for {
		wait := daily
		prices, err := fetch(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			set(prices)
			log.Info("list prices refreshed", "asOf", prices.AsOf)
		default:
			wait = again
			if !failing {
				log.Warn("list prices cannot be refreshed; the old ones stay", "reason", err.Error())
			}
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
