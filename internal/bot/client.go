package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// client is the part of Slack's Web API that daskbot uses, in one workspace,
// with errors translated and limits kept.
type client struct {
	slack  *slack.Client
	http   *http.Client
	limits *limits
	known  directoryCache
}

// translate turns what Slack said into an *environment.Error, once.
// Ambiguous: the call may have been carried out.
func translate(method string, err error) error {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var refused slack.SlackErrorResponse
	e := &environment.Error{Code: environment.CodeUnavailable, Message: "Slack does not answer at the moment.", Err: fmt.Errorf("%s: %w", method, err)}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limited):
		e.RetryAfter = max(limited.RetryAfter, time.Second)
	case errors.As(err, &status):
		e.Ambiguous = status.Code >= http.StatusInternalServerError
	case errors.As(err, &refused) && !slices.Contains(passing, refused.Err):
		e.Code, e.Message = environment.CodeInvalid, refusedText(refused.Err)
	case errors.As(err, &refused):
		e.RetryAfter = 30 * time.Second
	default:
		e.Ambiguous = true
	}
	return e
}

// refusedText says what a person can do about a refusal of Slack's.
func refusedText(refusal string) string {
	switch refusal {
	case "user_not_found":
		return "Slack does not know this person; pick the name from the list that appears while you type it."
	case "expired_trigger_id", "trigger_expired", "exchanged_trigger_id", "trigger_exchanged":
		return "The form came too late for Slack to show it; click the button again."
	default:
		return fmt.Sprintf("Slack does not take this (%s); tell whoever runs daskbot.", refusal)
	}
}

// passing are refusals that end by themselves, or once an operator mends the
// installation; what was to be said is kept until then.
var passing = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
	"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope"}

// refusal is Slack's own word for why, "" when it is something else.
func refusal(err error) string {
	var refused slack.SlackErrorResponse
	if errors.As(err, &refused) {
		return refused.Err
	}
	return ""
}

// mark ties a message to what it says, so that it can be found again.
func mark(env, kind string) slack.SlackMetadata {
	return slack.SlackMetadata{EventType: "daskbot_environment", EventPayload: map[string]any{"environment": env, "kind": kind}}
}

// post the first of the versions of a message that Slack can show, and say
// which one that was. Limits are the caller's, who knows how much it matters.
func (c *client) post(ctx context.Context, channel string, meta slack.SlackMetadata, versions ...message) (dm, ts string, shown int, err error) {
	shown, err = firstShown(versions, func(m message) error {
		dm, ts, err = c.slack.PostMessageContext(ctx, channel, slack.MsgOptionText(m.text, false), slack.MsgOptionBlocks(m.blocks...),
			slack.MsgOptionMetadata(meta), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
		return err
	})
	return dm, ts, shown, c.heard("chat.postMessage", err)
}

// update is post for a message that is there.
func (c *client) update(ctx context.Context, channel, ts string, meta slack.SlackMetadata, versions ...message) (shown int, err error) {
	shown, err = firstShown(versions, func(m message) error {
		_, _, _, err := c.slack.UpdateMessageContext(ctx, channel, ts, slack.MsgOptionText(m.text, false),
			slack.MsgOptionBlocks(m.blocks...), slack.MsgOptionMetadata(meta))
		return err
	})
	return shown, c.heard("chat.update", err)
}

// firstShown tries versions until Slack has nothing against the blocks of one.
func firstShown(versions []message, try func(message) error) (shown int, err error) {
	for i, m := range versions {
		if err = try(m); !slices.Contains([]string{"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}, refusal(err)) {
			return i, err
		}
	}
	return len(versions) - 1, err
}

// heard translates, and keeps away from a method for as long as Slack asked.
func (c *client) heard(method string, err error) error {
	err = translate(method, err)
	var e *environment.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		c.limits.pause(method, e.RetryAfter)
	}
	return err
}

// find looks in the direct message with a user for the message marked with
// env and kind, posted since.
func (c *client) find(ctx context.Context, user, env, kind string, since time.Time) (dm, ts string, err error) {
	channel, _, _, err := c.slack.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return "", "", c.heard("conversations.open", err)
	}
	params := slack.GetConversationHistoryParameters{ChannelID: channel.ID, Limit: 200, IncludeAllMetadata: true,
		Oldest: strconv.FormatInt(since.Add(-time.Minute).Unix(), 10)}
	for range 10 { // a person has at most a few hundred messages from us since
		page, err := c.slack.GetConversationHistoryContext(ctx, &params)
		if err != nil {
			return "", "", c.heard("conversations.history", err)
		}
		for _, m := range page.Messages {
			if m.Metadata.EventPayload["environment"] == env && m.Metadata.EventPayload["kind"] == kind {
				return channel.ID, m.Timestamp, nil
			}
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" {
			break
		}
	}
	return channel.ID, "", nil
}

func (c *client) openView(ctx context.Context, trigger string, v slack.ModalViewRequest) error {
	_, err := c.slack.OpenViewContext(ctx, trigger, v)
	return translate("views.open", err)
}

func (c *client) publishHome(ctx context.Context, user string, blocks []slack.Block) error {
	if err := c.limits.take("views.publish", ""); err != nil {
		return err
	}
	_, err := c.slack.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user,
		View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}})
	return c.heard("views.publish", err)
}

// respond uses a response_url, which a verified delivery brought.
func (c *client) respond(ctx context.Context, url string, a *answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return translate("response_url", err)
	}
	defer response.Body.Close()
	switch at := response.StatusCode; {
	case at == http.StatusOK:
		return nil
	case at == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // none: a second
		return translate("response_url", &slack.RateLimitedError{RetryAfter: time.Duration(seconds) * time.Second})
	case at < http.StatusInternalServerError: // it is used up, or too old: it takes nothing later either
		return &environment.Error{Code: environment.CodeInvalid, Message: "Slack takes no answer to this any more.", Err: fmt.Errorf("response_url: %s", response.Status)}
	default:
		return translate("response_url", slack.StatusCodeError{Code: at, Status: response.Status})
	}
}
