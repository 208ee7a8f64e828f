package slack

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingEvery      = 10 * time.Second
	connectionLife = time.Hour // then Slack asks the app to connect anew
	maxConnections = 10
	maxAck         = 20 << 10 // Slack drops larger ones without a word
)

// connection is one of an app's in Socket Mode.
type connection struct {
	app     string
	write   sync.Mutex
	socket  *websocket.Conn
	mu      sync.Mutex
	waiting map[string]chan []byte // by envelope
	sent    map[string]bool        // envelopes, also those that nobody waits for any more
}

// envelopes are the names of the kinds of requests in Socket Mode.
var envelopes = map[string]string{toCommands: "slash_commands", toInteractions: "interactive", toEvents: "events_api"}

func (e *Emulator) connectionsOpen(c *call) (answer, error) {
	if c.app.Mode != Socket {
		return nil, &apiError{name: "socket_mode_not_enabled", messages: []string{`the app gets its requests over HTTP; POST /slack/app {"mode":"socket"} turns Socket Mode on`}}
	}
	ticket := secret(16)
	e.tickets[ticket] = c.app.ID
	ws := "ws" + strings.TrimPrefix(e.cfg.URL, "http") + "/socket?ticket=" + ticket + "&app_id=" + c.app.ID
	return answer{"url": ws}, nil
}

// serveSocket is one connection from hello to its end.
func (e *Emulator) serveSocket(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	app, known := e.tickets[r.URL.Query().Get("ticket")]
	delete(e.tickets, r.URL.Query().Get("ticket"))
	full := len(e.sockets[app]) >= maxConnections
	e.mu.Unlock()
	if !known || full {
		http.Error(w, "the ticket is used up, or there are too many connections", http.StatusForbidden)
		return
	}
	// Clients say another origin; the ticket is what lets them in.
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer func() { _ = socket.Close() }()
	c := &connection{app: app, socket: socket, waiting: map[string]chan []byte{}, sent: map[string]bool{}}
	e.mu.Lock()
	e.sockets[app] = append(e.sockets[app], c)
	count := len(e.sockets[app])
	e.mu.Unlock()
	defer e.leave(c)
	hello := map[string]any{
		"type": "hello", "num_connections": count, "connection_info": map[string]any{"app_id": app},
		"debug_info": map[string]any{"host": "applink-sandbox", "build_number": 1, "approximate_connection_time": int(connectionLife.Seconds())},
	}
	if c.send(hello) != nil {
		return
	}
	e.converse(r.Context(), c)
}

// converse keeps the connection alive until one side ends it.
func (e *Emulator) converse(ctx context.Context, c *connection) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.receive(func(raw []byte) { e.refuseAck(c.app, raw) })
	}()
	pings, refresh := time.NewTicker(pingEvery), time.NewTimer(connectionLife)
	defer pings.Stop()
	defer refresh.Stop()
	c.ping()
	for {
		select {
		case <-ended:
			return
		case <-pings.C:
			c.ping()
		case <-refresh.C:
			e.leave(c)
			c.disconnect("refresh_requested")
		case <-ctx.Done():
			c.disconnect("refresh_requested")
			_ = c.socket.Close() // ends receive
			<-ended
			return
		}
	}
}

// leave takes a connection out of those that requests go to. One that is asked
// to be made anew leaves before it is asked: its client reads nothing after
// that, and a request sent into it would wait for an answer nobody gives.
func (e *Emulator) leave(c *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sockets[c.app] = slices.DeleteFunc(slices.Clone(e.sockets[c.app]), func(other *connection) bool { return other == c })
}

func (c *connection) send(v any) error {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.socket.SetWriteDeadline(time.Now().Add(Patience)) // the write itself says what is wrong
	return c.socket.WriteJSON(v)
}

func (c *connection) ping() {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.socket.WriteControl(websocket.PingMessage, []byte("Ping"), time.Now().Add(Patience)) // a dead connection ends receive
}

// disconnect asks the app to connect anew; it closes this connection itself.
func (c *connection) disconnect(reason string) {
	_ = c.send(map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-sandbox"}})
}

// receive hands acknowledgements to those who wait for them, and to unknown
// those of envelopes that were never sent over this connection.
func (c *connection) receive(unknown func(raw []byte)) {
	for {
		_, raw, err := c.socket.ReadMessage()
		if err != nil {
			return
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if len(raw) >= maxAck || json.Unmarshal(raw, &ack) != nil {
			continue
		}
		c.mu.Lock()
		waiting, sent := c.waiting[ack.EnvelopeID], c.sent[ack.EnvelopeID]
		delete(c.waiting, ack.EnvelopeID)
		c.mu.Unlock()
		if !sent {
			unknown(raw)
		}
		if waiting != nil {
			waiting <- ack.Payload
		}
	}
}

// refuseAck writes an acknowledgement of nothing among the deliveries, in each
// workspace of the app.
func (e *Emulator) refuseAck(app string, raw []byte) {
	e.mu.Lock()
	var teams []string
	for _, id := range e.memory.order {
		if e.memory.workspaces[id].App == app {
			teams = append(teams, id)
		}
	}
	e.mu.Unlock()
	for _, team := range teams {
		e.log.add(delivery{At: time.Now(), Team: team, Kind: acknowledgement, Answer: string(raw), Problem: unknownEnvelope})
	}
	e.cfg.Log.Warn("an app acknowledged what was never sent to it", "app", app, "answer", string(raw))
}

// deliverSocket sends a request over one of the app's connections.
func (e *Emulator) deliverSocket(ctx context.Context, r request) outcome {
	e.mu.Lock()
	open := e.sockets[r.app.ID]
	var c *connection
	if len(open) > 0 { // each request goes to one connection, in turn
		c = open[0]
		e.sockets[r.app.ID] = append(slices.Clone(open[1:]), c)
	}
	e.mu.Unlock()
	started := time.Now()
	out := outcome{Problem: dispatchFailed, Reason: "connection_failed"}
	if c != nil {
		out = c.exchange(ctx, r, e.cfg.Patience)
	}
	raw, _ := json.Marshal(r.payload) // what was sent had a JSON form
	e.log.add(delivery{
		At: started, Team: r.team, Kind: r.kind, Body: string(raw), Status: out.Status, Answer: string(out.Body), Problem: out.Problem,
		Ms: float64(time.Since(started).Microseconds()) / 1000,
	})
	return out
}

// exchange sends an envelope and waits so long for its acknowledgement.
func (c *connection) exchange(ctx context.Context, r request, wait time.Duration) outcome {
	envelope, acked := secret(16), make(chan []byte, 1)
	c.mu.Lock()
	c.waiting[envelope], c.sent[envelope] = acked, true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, envelope)
		c.mu.Unlock()
	}()
	sent := map[string]any{
		"envelope_id": envelope, "type": envelopes[r.kind], "payload": r.payload, "accepts_response_payload": r.kind != toEvents,
	}
	if r.kind == toEvents {
		sent["retry_attempt"], sent["retry_reason"] = r.retry, r.reason
	}
	if c.send(sent) != nil {
		return outcome{Problem: dispatchFailed, Reason: "connection_failed"}
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case payload := <-acked:
		return outcome{Status: http.StatusOK, Body: payload}
	case <-late.C:
		return outcome{Problem: timedOut, Reason: "timeout"}
	case <-ctx.Done():
		return outcome{Problem: dispatchFailed}
	}
}

// refreshSockets asks every connection of an app to be made anew.
func (e *Emulator) refreshSockets(app string) int {
	e.mu.Lock()
	open := e.sockets[app]
	delete(e.sockets, app)
	e.mu.Unlock()
	for _, c := range open {
		c.disconnect("refresh_requested")
	}
	return len(open)
}
