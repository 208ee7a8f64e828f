package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
)

func TestCommand(t *testing.T) {
	s := newStage(t, "")
	s.app.say(http.StatusOK, `{"response_type":"ephemeral","text":"On it."}`)
	out := s.do("say", deed{User: "s1", Channel: "#general", Text: "/dask up for @s2 in #dask-class"})
	if out.Problem != "" {
		t.Fatalf("got %+v", out)
	}
	got := s.next()
	want := map[string]string{
		"command": "/dask", "text": fmt.Sprintf("up for <@%s|s2> in <#%s|dask-class>", s.people["s2"], s.rooms["dask-class"]), "team_id": s.team,
		"user_id": s.people["s1"], "user_name": "s1", "channel_id": s.rooms["general"], "channel_name": "general", "api_app_id": s.secrets.AppID,
	}
	for k, v := range want {
		if got.form.Get(k) != v {
			t.Errorf("%s: got %q; want %q", k, got.form.Get(k), v)
		}
	}
	if seen := s.messages("s1"); len(seen) != 1 || seen[0].Text != "On it." || seen[0].For != s.people["s1"] {
		t.Errorf("messages: got %+v", seen)
	}
	reply := got.form.Get("response_url")
	for i := range 7 {
		err := slackgo.PostWebhookContext(t.Context(), reply, &slackgo.WebhookMessage{Text: fmt.Sprint("again ", i), ReplaceOriginal: true})
		if (err != nil) != (i >= hookUses) {
			t.Errorf("response_url, use %d: got %v", i+1, err)
		}
	}
	if seen := s.messages("s1"); len(seen) != 1+hookUses {
		t.Errorf("got %d messages; want %d: what a command answered with cannot be replaced", len(seen), 1+hookUses)
	}
}

// TestWhatIsTypedIsEscaped: in commands and in messages, and mentions are the
// only marks.
func TestWhatIsTypedIsEscaped(t *testing.T) {
	s := newStage(t, "")
	typed, want := `<@U1> numpy<2 & a>1 &lt; for @s2`, fmt.Sprintf("&lt;@U1&gt; numpy&lt;2 &amp; a&gt;1 &amp;lt; for <@%s|s2>", s.people["s2"])
	s.do("say", deed{User: "s1", Channel: "general", Text: "/dask " + typed})
	if got := s.next().form.Get("text"); got != want {
		t.Errorf("a command: got %q; want %q", got, want)
	}
	s.do("say", deed{User: "s1", Channel: "general", Text: typed})
	var seen []shownMessage
	s.control(http.MethodGet, "/messages?channel=general", nil, http.StatusOK, &seen)
	if len(seen) != 1 || seen[0].Text != want {
		t.Errorf("a message: got %+v; want %q", seen, want)
	}
}

func TestCommandNotTaken(t *testing.T) {
	s := newStage(t, "")
	s.app.say(http.StatusInternalServerError, "")
	if out := s.do("say", deed{User: "s1", Channel: "general", Text: "/dask"}); out.Problem != dispatchFailed {
		t.Errorf("got %+v; want %s", out, dispatchFailed)
	}
	late := make(chan struct{})
	defer close(late)
	s.app.mu.Lock()
	s.app.answer = func(string, url.Values, []byte) (int, string) {
		<-late
		return http.StatusOK, "late"
	}
	s.app.mu.Unlock()
	s.slack.cfg.Patience = 100 * time.Millisecond
	if out := s.do("say", deed{User: "s1", Channel: "general", Text: "/dask"}); out.Problem != timedOut {
		t.Errorf("got %+v; want %s", out, timedOut)
	}
	seen := s.messages("s1")
	if len(seen) != 2 || seen[1].Text != `/dask failed with the error "operation_timeout"` || seen[1].Author != "slackbot" {
		t.Errorf("got %+v", seen)
	}
}

// TestReplay sends a captured command again, byte for byte.
func TestReplay(t *testing.T) {
	s := newStage(t, "")
	s.do("say", deed{User: "s1", Channel: "general", Text: "/dask up"})
	first := s.next()
	var sent []delivery
	s.control(http.MethodGet, "/deliveries", nil, http.StatusOK, &sent)
	s.control(http.MethodPost, fmt.Sprintf("/deliveries/%d/replay", sent[0].ID), nil, http.StatusOK, nil)
	again := s.next()
	if string(first.body) != string(again.body) || first.header.Get("X-Slack-Signature") != again.header.Get("X-Slack-Signature") {
		t.Errorf("got %s; want %s", again.body, first.body)
	}
}

func TestAction(t *testing.T) {
	s := newStage(t, "")
	button := slackgo.NewButtonBlockElement("extend", "env-1", slackgo.NewTextBlockObject("plain_text", "Extend", false, false))
	channel, ts, err := s.api.PostMessageContext(t.Context(), s.people["s1"], slackgo.MsgOptionText("x", false),
		slackgo.MsgOptionBlocks(section("ready"), slackgo.NewActionBlock("op", button)))
	if err != nil {
		t.Fatal(err)
	}
	s.do("act", deed{User: "s1", Channel: channel, TS: ts, Block: "op", Action: "extend"})
	got := s.next()
	var callback slackgo.InteractionCallback
	if err := json.Unmarshal([]byte(got.form.Get("payload")), &callback); err != nil {
		t.Fatal(err)
	}
	a := callback.ActionCallback.BlockActions
	if callback.Type != slackgo.InteractionTypeBlockActions || len(a) != 1 || a[0].Value != "env-1" || a[0].ActionID != "extend" || callback.Message.Timestamp != ts {
		t.Errorf("got %+v", callback)
	}
	if err := slackgo.PostWebhookContext(t.Context(), callback.ResponseURL, &slackgo.WebhookMessage{Text: "extended", ReplaceOriginal: true}); err != nil {
		t.Fatal(err)
	}
	if seen := s.messages("s1"); len(seen) != 1 || seen[0].Text != "extended" || len(seen[0].History) != 1 {
		t.Errorf("got %+v; want the message replaced", seen)
	}
	s.control(http.MethodPost, "/do/act", deed{User: "s2", Channel: channel, TS: ts, Block: "op", Action: "extend"}, http.StatusBadRequest, nil)
}

func modal(blocks ...slackgo.Block) slackgo.ModalViewRequest {
	plain := func(s string) *slackgo.TextBlockObject {
		return slackgo.NewTextBlockObject("plain_text", s, false, false)
	}
	return slackgo.ModalViewRequest{
		Type: "modal", Title: plain("New environment"), Submit: plain("Start"), CallbackID: "up", PrivateMetadata: "C1", NotifyOnClose: true,
		Blocks: slackgo.Blocks{BlockSet: append(blocks, slackgo.NewInputBlock("size", plain("Size"), nil, slackgo.NewPlainTextInputBlockElement(nil, "size")))},
	}
}

func TestModal(t *testing.T) {
	s := newStage(t, "")
	ctx := t.Context()
	s.do("say", deed{User: "s1", Channel: "general", Text: "/dask up"})
	trigger := s.next().form.Get("trigger_id")
	opened, err := s.api.OpenViewContext(ctx, trigger, modal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.api.OpenViewContext(ctx, trigger, modal()); err == nil || err.Error() != "exchanged_trigger_id" {
		t.Errorf("second use of a trigger: got %v", err)
	}
	if _, err := s.api.UpdateViewContext(ctx, modal(section("more")), "", "old", opened.View.ID); err == nil || err.Error() != "hash_conflict" {
		t.Errorf("update with an old hash: got %v", err)
	}
	if _, err := s.api.UpdateViewContext(ctx, modal(section("more")), "", opened.View.Hash, opened.View.ID); err != nil {
		t.Fatal(err)
	}
	d := deed{User: "s1", View: opened.View.ID}
	if out := s.do("submit", d); out.Errors["size"] == "" {
		t.Errorf("submit without an answer: got %+v", out)
	}
	d.Values = json.RawMessage(`{"size":{"size":{"type":"plain_text_input","value":"huge"}}}`)
	s.app.say(http.StatusOK, `{"response_action":"errors","errors":{"size":"Too large."}}`)
	if out := s.do("submit", d); out.Errors["size"] != "Too large." {
		t.Errorf("errors of the app: got %+v", out)
	}
	var callback slackgo.InteractionCallback
	if err := json.Unmarshal([]byte(s.next().form.Get("payload")), &callback); err != nil {
		t.Fatal(err)
	}
	if callback.View.State.Values["size"]["size"].Value != "huge" || callback.View.PrivateMetadata != "C1" || callback.View.CallbackID != "up" {
		t.Errorf("got %+v", callback.View)
	}
	trigger = callback.TriggerID
	if _, err := s.api.PushViewContext(ctx, trigger, modal()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.slack.modals[s.people["s1"]]); n != 2 {
		t.Errorf("got %d modals; want 2", n)
	}
	s.do("close", deed{User: "s1", View: s.slack.modals[s.people["s1"]][1].ID})
	if got := s.next().form.Get("payload"); !strings.Contains(got, `"view_closed"`) {
		t.Errorf("got %s; want view_closed", got)
	}
	s.app.say(http.StatusOK, "")
	s.do("submit", d)
	if n := len(s.slack.modals[s.people["s1"]]); n != 0 {
		t.Errorf("got %d modals; want none", n)
	}
}

func TestEvents(t *testing.T) {
	s := newStage(t, "")
	s.app.mu.Lock()
	s.app.answer = func(_ string, _ url.Values, body []byte) (int, string) {
		var challenge struct{ Challenge string }
		_ = json.Unmarshal(body, &challenge)
		return http.StatusOK, challenge.Challenge
	}
	s.app.mu.Unlock()
	s.control(http.MethodPost, "/app", appChange{Verify: true, Retries: []string{"0s", "1ms", "2ms"}}, http.StatusOK, nil)
	s.next()
	s.app.say(http.StatusServiceUnavailable, "")
	s.do("home", deed{User: "teacher"})
	id := ""
	for attempt := range 4 {
		got := s.next()
		event, err := slackevents.ParseEvent(got.body, slackevents.OptionNoVerifyToken())
		if err != nil {
			t.Fatal(err)
		}
		opened, ok := event.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
		if !ok || opened.User != s.people["teacher"] || opened.Tab != "home" {
			t.Fatalf("got %+v", event.InnerEvent)
		}
		callback, ok := event.Data.(*slackevents.EventsAPICallbackEvent)
		if !ok || id != "" && callback.EventID != id {
			t.Errorf("attempt %d: got %+v; want the id %s", attempt, event.Data, id)
		}
		id = callback.EventID
		if num := got.header.Get("X-Slack-Retry-Num"); num != []string{"", "1", "2", "3"}[attempt] {
			t.Errorf("attempt %d: got retry %q", attempt, num)
		}
	}
	s.app.say(http.StatusOK, "")
	view := slackgo.HomeTabViewRequest{Type: "home", Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{section("nothing yet")}}}
	if _, err := s.api.PublishViewContext(t.Context(), slackgo.PublishViewContextRequest{UserID: s.people["teacher"], View: view}); err != nil {
		t.Fatal(err)
	}
	var state pageState
	s.control(http.MethodGet, "/state?user=teacher", nil, http.StatusOK, &state)
	if state.Home == nil {
		t.Error("the home tab is not shown")
	}
}

func TestInstall(t *testing.T) {
	s := newStage(t, "")
	back := "http://app.example/slack/oauth/callback"
	ask := "/oauth/v2/authorize?" + url.Values{"client_id": {s.secrets.ClientID}, "scope": {"commands,chat:write"}, "state": {"s"}, "redirect_uri": {back}}.Encode()
	s.control(http.MethodGet, "/oauth/v2/authorize?client_id=x", nil, http.StatusBadRequest, nil)
	other := s.slack.memory.order[1]
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(s.base+ask, url.Values{"answer": {"allow"}, "team": {other}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil || to.Query().Get("state") != "s" {
		t.Fatalf("got %v, %v", to, err)
	}
	exchange := func() (*slackgo.OAuthV2Response, error) {
		return slackgo.GetOAuthV2ResponseContext(t.Context(), http.DefaultClient, s.secrets.ClientID, s.secrets.ClientSecret, to.Query().Get("code"), back,
			slackgo.OAuthOptionAPIURL(s.secrets.API))
	}
	got, err := exchange()
	if err != nil || got.Team.ID != other || got.Scope != "commands,chat:write" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := exchange(); err == nil || err.Error() != "invalid_code" {
		t.Errorf("second use of a code: got %v", err)
	}
	there := slackgo.New(got.AccessToken, slackgo.OptionAPIURL(s.secrets.API))
	if _, err := there.AuthTestContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.control(http.MethodDelete, "/workspaces/"+other+"/app", nil, http.StatusNoContent, nil)
	kinds := string(s.next().body) + string(s.next().body)
	if !strings.Contains(kinds, "app_uninstalled") || !strings.Contains(kinds, "tokens_revoked") {
		t.Errorf("got %s", kinds)
	}
	if _, err := there.AuthTestContext(t.Context()); err == nil {
		t.Error("the token still works")
	}
}
