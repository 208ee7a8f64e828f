package bot

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/daskbot/daskbot/internal/environment"
)

// serveSocket is Slack's end of a connection: it says hello, sends one command
// after the other, each once the one before it is acknowledged, and hands on what
// is acknowledged, in turn.
func serveSocket(acked chan<- string, commands int) http.HandlerFunc {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // clients say Slack's
	return func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		defer func() { _ = socket.Close() }()
		if socket.WriteJSON(map[string]any{"type": "hello", "num_connections": 1}) != nil {
			return
		}
		for n := range commands {
			envelope, acks := fmt.Sprint("E", n), ""
			if socket.WriteJSON(map[string]any{"type": "slash_commands", "envelope_id": envelope, "payload": map[string]string{
				"team_id": "T1", "user_id": "U1", "command": "/dask", "text": "status", "trigger_id": envelope}}) != nil {
				return
			}
			for acks != envelope {
				var ack struct {
					EnvelopeID string `json:"envelope_id"`
				}
				if socket.ReadJSON(&ack) != nil {
					return
				}
				acks = ack.EnvelopeID
				acked <- acks
			}
		}
		_, _, _ = socket.ReadMessage() // until the bot leaves
	}
}

// TestOnlyEnvelopesAreAcknowledged: what Slack says about the connection itself
// is no delivery, and has no envelope that could be acknowledged.
func TestOnlyEnvelopesAreAcknowledged(t *testing.T) {
	w := newWorld(t)
	const commands = 5
	acked := make(chan string, 10*commands)
	server := httptest.NewServer(serveSocket(acked, commands))
	defer server.Close()
	w.slack.socket = "ws" + strings.TrimPrefix(server.URL, "http")
	w.bot.api.slack = newClient(Config{BotToken: environment.NewSecret("xoxb-test"), AppToken: environment.NewSecret("xapp-test"), APIURL: w.url}).slack
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.bot.connect(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	for n := range commands {
		select {
		case id := <-acked:
			if want := fmt.Sprint("E", n); id != want {
				t.Fatalf("got an acknowledgement of %q; want one of %s", id, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d of %d commands were acknowledged", n, commands)
		}
	}
}
