package e2e

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// newSocketWorld is newSlackWorld with a daemon that connects to Slack, as on a
// campus network that nobody calls into.
func newSocketWorld(t *testing.T) *world {
	t.Helper()
	w := newUnstarted(t)
	app := w.workspaceOf(t, map[string]any{"mode": "socket"})
	w.extra = []string{"SLACK_BOT_TOKEN=" + app.BotToken, "SLACK_APP_TOKEN=" + app.AppToken, "SLACK_API_URL=" + app.API}
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// connected waits until Slack has somebody to send a command to.
func (w *world) connected(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := until(ctx, "wait for the daemon to connect to Slack", func() (bool, error) {
		var result struct{ Problem string }
		deed := map[string]any{"team": w.workspace, "user": "s3", "channel": "general", "text": "/dask help"}
		err := stage.sandbox.ask(ctx, http.MethodPost, "/slack/do/say", deed, &result)
		return result.Problem == "", err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// presses a button of the app's message of a kind, in the direct message.
func (w *world) presses(t *testing.T, person, kind, env, action string) {
	t.Helper()
	var all []struct {
		TS, ChannelName string
		Metadata        struct {
			Payload struct{ Kind string } `json:"event_payload"`
		}
	}
	query := url.Values{"team": {w.workspace}, "user": {person}}
	if err := stage.sandbox.ask(t.Context(), http.MethodGet, "/slack/messages?"+query.Encode(), nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.ChannelName != "directmessage" || m.Metadata.Payload.Kind != kind {
			continue
		}
		var result struct{ Problem string }
		deed := map[string]any{"team": w.workspace, "user": person, "channel": "dm", "ts": m.TS, "block": "env:" + env, "action": action}
		if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/do/act", deed, &result); err != nil || result.Problem != "" {
			t.Fatalf("%s presses %s: %v %s", person, action, err, result.Problem)
		}
		return
	}
	t.Fatalf("%s has no message %s: %+v", person, kind, all)
}

// TestSlackOverASocket: a student is served over Socket Mode alone, while the
// daemon is killed and Slack asks it to connect anew; each thing is done and
// told once.
func TestSlackOverASocket(t *testing.T) {
	t.Parallel()
	w := newSocketWorld(t)
	w.connected(t)
	w.types(t, "s1", "/dask up dask")
	w.types(t, "s1", "/dask up dask") // there already
	id, _ := w.only(t, "s1")
	w.mustAwait(t, id, "ready")
	w.wantTold(t, "s1", "progress", "ready")
	_, before := w.only(t, "s1")

	if err := w.kill9(); err != nil {
		t.Fatal(err)
	}
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.connected(t)
	w.presses(t, "s1", "ready", id, "extend_1h")
	w.wantLater(t, "s1", before, 55*time.Minute)

	if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/app/refresh?team="+w.workspace, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.connected(t)
	w.presses(t, "s1", "ready", id, "stop")
	w.mustAwait(t, id, "deleted")
	w.wantTold(t, "s1", "progress", "ready", "ended")
	w.wantWords(t, "s1", "is deleted. You asked for that.", "was ready. It is deleted.", "has ended. You asked for that.")
	if _, now := w.only(t, "s1"); now.Sub(before) > 65*time.Minute {
		t.Errorf("it was kept %s longer; want an hour, for one click", now.Sub(before))
	}
	var sent []struct{ Kind, Problem, Answer string }
	if err := stage.sandbox.ask(t.Context(), http.MethodGet, "/slack/deliveries?team="+w.workspace, nil, &sent); err != nil {
		t.Fatal(err)
	}
	for _, d := range sent {
		if d.Problem == "unknown_envelope" {
			t.Errorf("the daemon acknowledged what Slack never sent: %s", d.Answer)
		}
	}
}
