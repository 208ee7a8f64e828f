package slack

import (
	"context"
	"net/http"
	"testing"
	"time"

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
	patient, enough := context.WithTimeout(t.Context(), 20*time.Second)
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
