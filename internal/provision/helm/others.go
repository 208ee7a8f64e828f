package helm

import (
	"context"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"github.com/daskbot/daskbot/internal/environment"
)

// othersEvery is how often is looked whether another replica is done.
const othersEvery = 2 * time.Second

// afterOthers returns once no other replica that lives is at work on the
// release. A pass there ended with its time and Helm went on, as it does here
// (see alone); to unlock it now would have two at work on one release.
func (c *Client) afterOthers(ctx context.Context, t environment.Target, namespace, name string) error {
	if c.config.Lives == nil {
		return nil
	}
	tick := time.NewTicker(othersEvery)
	defer tick.Stop()
	for {
		busy, err := c.busyElsewhere(ctx, t, namespace, name)
		if ctx.Err() != nil {
			return atWork(ctx.Err())
		}
		if err != nil || !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return atWork(ctx.Err())
		case <-tick.C:
		}
	}
}

// busyElsewhere reports whether a replica that lives has a revision of the
// release pending. Without a name on it, an older version's crash left it.
func (c *Client) busyElsewhere(ctx context.Context, t environment.Target, namespace, name string) (bool, error) {
	records, err := c.records(ctx, t, namespace, name)
	if err != nil {
		return false, err
	}
	for _, r := range records {
		who := r.Labels[labelReplica]
		if !release.Status(r.Labels["status"]).IsPending() || who == "" || who == c.config.Replica {
			continue
		}
		if lives, err := c.config.Lives(ctx, who); lives || err != nil {
			return lives, err
		}
	}
	return false, nil
}
