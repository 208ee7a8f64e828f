package helm

import (
	"context"
	"errors"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	// othersEvery is how often is looked whether another replica is done.
	othersEvery = 2 * time.Second
	// settleWithin is for how long an API server is waited for that Helm could not
	// tell of its end; one that is silent for longer is likely gone.
	settleWithin = 10 * time.Minute
)

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

// settle makes sure that a release at which Helm is no longer at work here does not
// say so. Helm leaves it pending when the API server does not take its last word,
// and other replicas would wait for as long as this process lives.
func (c *Client) settle(ctx context.Context, config *action.Configuration, name string) {
	if c.config.Lives == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	tick := time.NewTicker(othersEvery)
	defer tick.Stop()
	for {
		last, err := config.Releases.Last(name)
		if err == nil && last.Labels[labelReplica] == c.config.Replica { // another one may have been faster
			err = c.unlock(config, last)
		}
		if err == nil || errors.Is(err, driver.ErrReleaseNotFound) {
			return
		}
		select {
		case <-ctx.Done():
			c.config.Log.WarnContext(ctx, "a release cannot be unlocked", "release", name, "reason", err.Error())
			return
		case <-tick.C:
		}
	}
}
