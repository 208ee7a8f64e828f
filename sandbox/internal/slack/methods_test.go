package slack

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
)

func section(text string) slackgo.Block {
	return slackgo.NewSectionBlock(slackgo.NewTextBlockObject(slackgo.MarkdownType, text, false, false), nil, nil)
}

// TestMethods calls each method as the product does: with slack-go.
func TestMethods(t *testing.T) {
	s := newStage(t, "")
	ctx := t.Context()
	me, err := s.api.AuthTestContext(ctx)
	if err != nil || me.TeamID != s.team || me.BotID == "" {
		t.Fatalf("auth.test: got %+v, %v", me, err)
	}
	ada, err := s.api.GetUserInfoContext(ctx, s.people["s1"])
	if err != nil || ada.TZ != "Europe/Paris" || ada.Profile.Email != "s1@sandbox-university.example" {
		t.Fatalf("users.info: got %+v, %v", ada, err)
	}
	found, err := s.api.GetUserByEmailContext(ctx, "S1@sandbox-university.example")
	if err != nil || found.ID != ada.ID {
		t.Fatalf("users.lookupByEmail: got %+v, %v", found, err)
	}
	if all, err := s.api.GetUsersContext(ctx); err != nil || len(all) != 6 {
		t.Fatalf("users.list: got %d people, %v; want five and the bot", len(all), err)
	}
	dm, noop, _, err := s.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{ada.ID}})
	if err != nil || noop || !strings.HasPrefix(dm.ID, "D") {
		t.Fatalf("conversations.open: got %+v, %v, %v", dm, noop, err)
	}
	channel, ts, err := s.api.PostMessageContext(ctx, dm.ID, slackgo.MsgOptionText("starting", false), slackgo.MsgOptionBlocks(section("*starting*")),
		slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: "daskbot_environment", EventPayload: map[string]any{"id": "e1"}}))
	if err != nil || channel != dm.ID {
		t.Fatalf("chat.postMessage: got %s, %v", channel, err)
	}
	if _, _, text, err := s.api.UpdateMessageContext(ctx, dm.ID, ts, slackgo.MsgOptionText("ready", false)); err != nil || text != "ready" {
		t.Fatalf("chat.update: got %q, %v", text, err)
	}
	if _, err := s.api.PostEphemeralContext(ctx, s.rooms["dask-class"], ada.ID, slackgo.MsgOptionText("only you", false)); err != nil {
		t.Fatalf("chat.postEphemeral: %v", err)
	}
	s.grant("im:read", "im:history")
	if info, err := s.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: dm.ID}); err != nil || !info.IsIM || info.User != ada.ID {
		t.Fatalf("conversations.info: got %+v, %v", info, err)
	}
	history, err := s.api.GetConversationHistoryContext(ctx, &slackgo.GetConversationHistoryParameters{ChannelID: dm.ID})
	if err != nil || len(history.Messages) != 1 || history.Messages[0].Text != "ready" || history.Messages[0].Metadata.EventType != "daskbot_environment" {
		t.Fatalf("conversations.history: got %+v, %v", history, err)
	}
	if _, _, err := s.api.DeleteMessageContext(ctx, dm.ID, ts); err != nil {
		t.Fatalf("chat.delete: %v", err)
	}
	seen := s.messages("s1")
	if len(seen) != 2 || len(seen[1].History) != 1 || seen[1].DeletedAt == nil && seen[0].DeletedAt == nil {
		t.Errorf("messages of s1: got %+v; want the ephemeral one and the deleted one with its history", seen)
	}
	if others := s.messages("s2"); len(others) != 0 {
		t.Errorf("messages of s2: got %+v; want none", others)
	}
}

// TestRefusals lists how methods say no.
func TestRefusals(t *testing.T) {
	s := newStage(t, "")
	ctx := t.Context()
	long := section(strings.Repeat("x", 3001))
	post := func(channel string, options ...slackgo.MsgOption) error {
		_, _, err := s.api.PostMessageContext(ctx, channel, options...)
		return err
	}
	as := func(token string) *slackgo.Client { return slackgo.New(token, slackgo.OptionAPIURL(s.secrets.API)) }
	text := slackgo.MsgOptionText("hello", false)
	home := slackgo.HomeTabViewRequest{Type: "home", Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{section("x")}}}
	tests := map[string]struct {
		call func() error
		want string
	}{
		"no token":        {func() error { _, err := as("").AuthTestContext(ctx); return err }, "not_authed"},
		"wrong token":     {func() error { _, err := as("xoxb-1").AuthTestContext(ctx); return err }, "invalid_auth"},
		"token of an app": {func() error { _, err := as(s.secrets.AppToken).AuthTestContext(ctx); return err }, "not_allowed_token_type"},
		"scope":           {func() error { _, err := s.api.GetTeamInfoContext(ctx); return err }, "missing_scope"},
		"nobody":          {func() error { _, err := s.api.GetUserInfoContext(ctx, "U1"); return err }, "user_not_found"},
		"no such address": {func() error { _, err := s.api.GetUserByEmailContext(ctx, "x@y.example"); return err }, "users_not_found"},
		"no channel":      {func() error { return post("C1", text) }, "channel_not_found"},
		"not a member":    {func() error { return post(s.rooms["general"], text) }, "not_in_channel"},
		"private channel": {func() error { return post(s.rooms["staff"], text) }, "channel_not_found"},
		"no text":         {func() error { return post(s.people["s1"]) }, "no_text"},
		"block too long":  {func() error { return post(s.people["s1"], slackgo.MsgOptionBlocks(long)) }, "invalid_blocks"},
		"all too long": {func() error {
			return post(s.people["s1"], slackgo.MsgOptionBlocks(slices.Repeat([]slackgo.Block{section(strings.Repeat("x", 2999))}, 5)...))
		}, "msg_blocks_too_long"},
		"no message": {func() error {
			_, _, _, err := s.api.UpdateMessageContext(ctx, s.rooms["dask-class"], "1.000001", text)
			return err
		}, "message_not_found"},
		"ephemeral message": {func() error {
			ts, err := s.api.PostEphemeralContext(ctx, s.rooms["dask-class"], s.people["s1"], text)
			if err != nil {
				return err
			}
			_, _, _, err = s.api.UpdateMessageContext(ctx, s.rooms["dask-class"], ts, text)
			return err
		}, "message_not_found"},
		"trigger": {func() error {
			_, err := s.api.OpenViewContext(ctx, "1.2.x", slackgo.ModalViewRequest{
				Type: "modal", Title: slackgo.NewTextBlockObject("plain_text", "Up", false, false), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{section("x")}},
			})
			return err
		}, "invalid_trigger_id"},
		"home of nobody": {func() error {
			_, err := s.api.PublishViewContext(ctx, slackgo.PublishViewContextRequest{UserID: "U1", View: home})
			return err
		}, "user_not_found"},
		"hash": {func() error {
			hash := "old"
			_, err := s.api.PublishViewContext(ctx, slackgo.PublishViewContextRequest{UserID: s.people["s1"], View: home, Hash: &hash})
			return err
		}, "hash_conflict"},
		"socket in HTTP mode": {func() error { _, _, err := s.api.StartSocketModeContext(ctx); return err }, "socket_mode_not_enabled"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := tt.call(); err == nil || err.Error() != tt.want {
				t.Errorf("got %v; want %s", err, tt.want)
			}
		})
	}
	var detailed slackgo.SlackErrorResponse
	err := post(s.people["s1"], slackgo.MsgOptionBlocks(long))
	want := "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
	if !errors.As(err, &detailed) || len(detailed.ResponseMetadata.Messages) != 1 || detailed.ResponseMetadata.Messages[0] != want {
		t.Errorf("invalid_blocks: got %+v; want %s", detailed, want)
	}
}

func TestLimitsAndFaults(t *testing.T) {
	s := newStage(t, "")
	ctx := t.Context()
	var limited *slackgo.RateLimitedError
	sent := 0
	for ; sent < 20; sent++ {
		if _, _, err := s.api.PostMessageContext(ctx, s.people["s1"], slackgo.MsgOptionText("x", false)); err != nil {
			if !errors.As(err, &limited) || limited.RetryAfter != time.Second {
				t.Fatalf("got %v; want to wait a second", err)
			}
			break
		}
	}
	if sent != int(perChannel.burst) {
		t.Errorf("got %d messages in a row; want %v", sent, perChannel.burst)
	}
	s.faults.add(Fault429, "users.info", Fault{Delay: 7 * time.Second})
	if _, err := s.api.GetUserInfoContext(ctx, s.people["s1"]); !errors.As(err, &limited) || limited.RetryAfter != 7*time.Second {
		t.Errorf("429: got %v", err)
	}
	s.faults.add(Fault500, "users.info", Fault{})
	var status slackgo.StatusCodeError
	if _, err := s.api.GetUserInfoContext(ctx, s.people["s1"]); !errors.As(err, &status) || status.Code != http.StatusInternalServerError {
		t.Errorf("500: got %v", err)
	}
	s.faults.add(FaultHang, "users.info", Fault{Delay: time.Millisecond})
	if _, err := s.api.GetUserInfoContext(ctx, s.people["s1"]); err == nil {
		t.Error("hang: got an answer; want a dropped connection")
	}
	if _, err := s.api.GetUserInfoContext(ctx, s.people["s1"]); err != nil {
		t.Errorf("after the faults: %v", err)
	}
	s.faults.add(FaultLost, "chat.postMessage", Fault{Delay: time.Millisecond})
	if _, _, err := s.api.PostMessageContext(ctx, s.people["s2"], slackgo.MsgOptionText("arrives", false)); err == nil {
		t.Error("lost: got an answer; want a dropped connection")
	}
	all, err := s.slack.listMessages(url.Values{"user": {"s2"}})
	if err != nil || len(all) == 0 || all[len(all)-1].Text != "arrives" {
		t.Errorf("lost: got %d messages, %v; want one that arrived", len(all), err)
	}
}

func TestTake(t *testing.T) {
	l, r := newLimits(), rate{burst: 2, perMinute: 60}
	now := time.Unix(0, 0)
	for i, step := range []struct {
		after time.Duration
		wait  time.Duration
	}{{0, 0}, {0, 0}, {0, time.Second}, {500 * time.Millisecond, 500 * time.Millisecond}, {500 * time.Millisecond, 0}, {time.Hour, 0}, {0, 0}, {0, time.Second}} {
		now = now.Add(step.after)
		if got := l.take("k", r, now).Round(time.Millisecond); got != step.wait {
			t.Errorf("step %d: got %v; want %v", i, got, step.wait)
		}
	}
}

// TestRestart sees that everything said survives the process, and a record cut
// off by a crash does no harm.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := newStage(t, dir)
	channel, ts, err := s.api.PostMessageContext(t.Context(), s.people["s1"], slackgo.MsgOptionText("one", false))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.slack.memory.journalCut(); err != nil {
		t.Fatal(err)
	}
	again := newStage(t, dir)
	if again.secrets.BotToken != s.secrets.BotToken || again.secrets.SigningSecret != s.secrets.SigningSecret {
		t.Errorf("got other secrets after a restart")
	}
	if _, _, _, err := again.api.UpdateMessageContext(t.Context(), channel, ts, slackgo.MsgOptionText("two", false)); err != nil {
		t.Fatal(err)
	}
	if got := again.messages("s1"); len(got) != 1 || got[0].Text != "two" || got[0].History[0].Text != "one" {
		t.Errorf("got %+v", got)
	}
}

// journalCut writes half a record, as a killed process may.
func (m *memory) journalCut() error {
	_, err := m.journal.WriteString(`{"message":{"te`)
	return err
}
