package bot

import (
	"context"
	"time"

	"github.com/slack-go/slack/socketmode"
)

// reconnectAfter is the pause before Socket Mode is tried again from the
// beginning; the library reconnects by itself while the token is good.
const reconnectAfter = 10 * time.Second

// listen takes deliveries over Socket Mode until ctx ends. They go through the
// same dispatcher as those over HTTP, and are acknowledged after the commit.
func (b *Bot) listen(ctx context.Context) error {
	for {
		if err := b.connect(ctx); ctx.Err() == nil {
			b.log.Warn("slack socket mode", "reason", err.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reconnectAfter):
		}
	}
}

func (b *Bot) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn := socketmode.New(b.api.slack)
	ended := make(chan error, 1)
	go func() { ended <- conn.RunContext(ctx) }()
	for {
		select {
		case err := <-ended:
			return err
		case ev := <-conn.Events:
			// What Slack says about the connection has no envelope, and is not
			// acknowledged.
			if ev.Request != nil && ev.Request.EnvelopeID != "" {
				// Deliveries wait for the database, not for each other.
				go b.take(ctx, conn, ev.Request)
			}
		}
	}
}

// take answers one delivery. What cannot be taken now is not acknowledged, so
// that Slack delivers it again.
func (b *Bot) take(ctx context.Context, conn *socketmode.Client, request *socketmode.Request) {
	payload, err := b.dispatch(ctx, request.Type, request.Payload)
	if err != nil {
		b.log.Warn("slack delivery", "reason", err.Error(), "kind", request.Type)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := conn.AckCtx(ctx, request.EnvelopeID, payload); err != nil {
		b.log.Warn("slack acknowledgement", "reason", err.Error())
	}
}

func (b *Bot) dispatch(ctx context.Context, kind string, payload []byte) (any, error) {
	switch kind {
	case socketmode.RequestTypeSlashCommands:
		s, err := parseSocketSlash(payload)
		if err != nil {
			return nil, err
		}
		return b.onCommand(ctx, s), nil
	case socketmode.RequestTypeInteractive:
		in, err := parseInteraction(payload)
		if err != nil {
			return nil, err
		}
		return b.onInteraction(ctx, in), nil
	case socketmode.RequestTypeEventsAPI:
		ev, err := parseEvent(payload)
		if err != nil {
			return nil, err
		}
		return nil, b.onEvent(ctx, ev)
	default:
		return nil, nil
	}
}
