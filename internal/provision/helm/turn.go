package helm

import (
	"context"

	"github.com/daskbot/daskbot/internal/environment"
)

// turn is a Helm action at work on one release.
type turn struct {
	done chan struct{}
	err  error
}

// alone runs an action on a release once everything that is at work on it has
// ended. The action keeps its goroutine until its own end even when ctx ends
// first, because Helm cannot be stopped half-way; the caller is then told that
// it is still at work, and finds it so when asking again.
func (c *Client) alone(ctx context.Context, t environment.Target, namespace, name string, act func(context.Context) error) error {
	key := t.Key + "/" + namespace + "/" + name
	for {
		mine, other := c.take(key)
		if other != nil {
			select {
			case <-other.done:
				continue
			case <-ctx.Done():
				return atWork(ctx.Err())
			}
		}
		go func() {
			mine.err = act(context.WithoutCancel(ctx))
			c.give(key, mine)
		}()
		select {
		case <-mine.done:
			return mine.err
		case <-ctx.Done():
			return atWork(ctx.Err())
		}
	}
}

func (c *Client) take(key string) (mine, other *turn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.turns[key]; other != nil {
		return nil, other
	}
	mine = &turn{done: make(chan struct{})}
	c.turns[key] = mine
	return mine, nil
}

func (c *Client) give(key string, t *turn) {
	c.mu.Lock()
	delete(c.turns, key)
	c.mu.Unlock()
	close(t.done)
}

func atWork(cause error) error {
	return &environment.Error{Code: environment.CodeUnavailable, Ambiguous: true, Err: cause,
		Message: "The installation is still at work; daskbot looks again."}
}
