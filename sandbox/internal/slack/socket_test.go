package slack

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// TestSocketMode plays all kinds of requests over a connection of slack-go's,
// and again over the one it makes when Slack asks it to.
func TestSocketMode(t *testing.T) {
	s := newStage(t, "")
	mode := Socket
	s.control(http.MethodPost, "/app", appChange{Mode: &mode}, http.StatusOK, nil)
	if out := s.do("say", deed{User: "s1", Channel: "general", Text: "/dask"}); out.Problem != dispatchFailed {
		t.Errorf("without a connection: got %+v", out)
	}
	client := socketmode.New(s.api)
	patient, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	events := func(want socketmode.EventType) socketmode.Event {
		t.Helper()
		for {
			select {
			case got := <-client.Events:
				if got.Type == want {
					return got
				}
			case <-patient.Done():
				t.Fatalf("no %s", want)
			}
		}
	}
	for range 2 {
		events(socketmode.EventTypeHello)
		said := make(chan deedResult, 1)
		go func() { said <- s.do("say", deed{User: "s1", Channel: "general", Text: "/dask up"}) }()
		got := events(socketmode.EventTypeSlashCommand)
		if c, ok := got.Data.(slackgo.SlashCommand); !ok || c.Text != "up" || c.UserID != s.people["s1"] {
			t.Errorf("got %+v", got.Data)
		}
		if err := client.Ack(*got.Request, map[string]any{"text": "On it."}); err != nil {
			t.Fatal(err)
		}
		if out := <-said; out.Problem != "" {
			t.Errorf("got %+v", out)
		}
		s.do("home", deed{User: "s1"})
		home := events(socketmode.EventTypeEventsAPI)
		if err := client.Ack(*home.Request); err != nil {
			t.Fatal(err)
		}
		s.control(http.MethodPost, "/app/refresh", nil, http.StatusOK, nil)
	}
	if seen := s.messages("s1"); len(seen) != 3 || seen[2].Text != "On it." {
		t.Errorf("got %+v", seen)
	}
}

// dial connects to a stage in Socket Mode, without a library.
func (s *stage) dial() *websocket.Conn {
	s.t.Helper()
	_, address, err := s.api.StartSocketModeContext(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	made, answer, err := websocket.DefaultDialer.DialContext(s.t.Context(), address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	s.t.Cleanup(func() { _ = made.Close() })
	return made
}

// reads what Slack says next, and returns its envelope.
func (s *stage) reads(from *websocket.Conn, kind string) string {
	s.t.Helper()
	var got struct {
		Type       string `json:"type"`
		EnvelopeID string `json:"envelope_id"`
	}
	_ = from.SetReadDeadline(time.Now().Add(time.Minute)) // the read says so
	if err := from.ReadJSON(&got); err != nil || got.Type != kind {
		s.t.Fatalf("want %s, got %+v: %v", kind, got, err)
	}
	return got.EnvelopeID
}

// TestAcknowledgedWithoutAnEnvelope: an app that acknowledges what is no
// delivery is found out; one that is late, or says it twice, is not at fault.
func TestAcknowledgedWithoutAnEnvelope(t *testing.T) {
	s := newStage(t, "")
	mode := Socket
	s.control(http.MethodPost, "/app", appChange{Mode: &mode}, http.StatusOK, nil)
	s.slack.cfg.Patience = 50 * time.Millisecond
	app := s.dial()
	s.reads(app, "hello")
	out := s.do("say", deed{User: "s1", Channel: "general", Text: "/dask up"})
	late := s.reads(app, "slash_commands")
	for _, envelope := range []string{late, late, "", "never-sent"} {
		if err := app.WriteJSON(map[string]any{"envelope_id": envelope}); err != nil {
			t.Fatal(err)
		}
	}
	s.slack.cfg.Patience = time.Minute
	said := make(chan deedResult, 1)
	go func() { said <- s.do("say", deed{User: "s1", Channel: "general", Text: "/dask up"}) }()
	if err := app.WriteJSON(map[string]any{"envelope_id": s.reads(app, "slash_commands")}); err != nil { // behind which all are read
		t.Fatal(err)
	}
	if last := <-said; out.Problem != timedOut || last.Problem != "" {
		t.Errorf("got %+v and %+v; want one too late and one in time", out, last)
	}
	var all []delivery
	s.control(http.MethodGet, "/deliveries", nil, http.StatusOK, &all)
	var refused []string
	for _, d := range all {
		if d.Kind == acknowledgement && d.Problem == unknownEnvelope {
			refused = append(refused, strings.TrimSpace(d.Answer))
		}
	}
	if want := []string{`{"envelope_id":""}`, `{"envelope_id":"never-sent"}`}; !slices.Equal(refused, want) {
		t.Errorf("got %q; want %q", refused, want)
	}
}

// TestAskedToConnectAnew keeps open the connection that Slack asked to be made
// anew, as a client does for a moment: what comes then goes to the new one.
func TestAskedToConnectAnew(t *testing.T) {
	s := newStage(t, "")
	mode := Socket
	s.control(http.MethodPost, "/app", appChange{Mode: &mode}, http.StatusOK, nil)
	old := s.dial()
	s.reads(old, "hello")
	s.control(http.MethodPost, "/app/refresh", nil, http.StatusOK, nil)
	s.reads(old, "disconnect")
	fresh := s.dial()
	s.reads(fresh, "hello")
	for range 2 {
		said := make(chan deedResult, 1)
		go func() { said <- s.do("say", deed{User: "s1", Channel: "general", Text: "/dask up"}) }()
		envelope := s.reads(fresh, "slash_commands")
		if err := fresh.WriteJSON(map[string]any{"envelope_id": envelope}); err != nil {
			t.Fatal(err)
		}
		if out := <-said; out.Problem != "" {
			t.Errorf("got %+v", out)
		}
	}
}
