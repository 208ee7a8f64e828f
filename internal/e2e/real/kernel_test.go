//go:build e2e

package real

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// kernel runs Python for an open notebook.
type kernel struct {
	conn    *websocket.Conn
	session string
}

// message is one message of Jupyter's protocol, as its WebSocket carries it.
type message struct {
	Header       header          `json:"header"`
	ParentHeader json.RawMessage `json:"parent_header"`
	Metadata     struct{}        `json:"metadata"`
	Content      json.RawMessage `json:"content"`
	Channel      string          `json:"channel"`
	Buffers      []string        `json:"buffers"`
}

type header struct {
	ID       string `json:"msg_id"`
	Type     string `json:"msg_type"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Version  string `json:"version"`
}

// startKernel starts a kernel and connects to it.
func (b *browser) startKernel(t *testing.T) *kernel {
	t.Helper()
	var started struct{ ID string }
	if err := b.api(t.Context(), http.MethodPost, "kernels", map[string]string{"name": "python3"}, &started); err != nil {
		t.Fatal(err)
	}
	k := &kernel{session: rand.Text()}
	conn, err := b.dial(t.Context(), "kernels/"+started.ID+"/channels", url.Values{"session_id": {k.session}})
	if err != nil {
		t.Fatal(err)
	}
	k.conn = conn
	t.Cleanup(func() { _ = conn.Close() })
	return k
}

// run executes a cell and returns what it printed and showed. The error is the
// cell's own exception, or says what went wrong on the way.
func (k *kernel) run(ctx context.Context, code string, limit time.Duration) (string, error) {
	if err := k.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	id, err := k.send(code)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = k.conn.Close() })
	defer stop()
	return k.follow(id)
}

// send asks for a cell to be executed, and returns what answers refer to.
func (k *kernel) send(code string) (id string, err error) {
	content, err := json.Marshal(map[string]any{
		"code": code, "silent": false, "store_history": true, "allow_stdin": false, "stop_on_error": true, "user_expressions": struct{}{},
	})
	if err != nil {
		return "", err
	}
	id = rand.Text()
	request := message{
		Header: header{ID: id, Type: "execute_request", Session: k.session, Username: "student",
			Date: time.Now().UTC().Format(time.RFC3339Nano), Version: "5.3"},
		ParentHeader: json.RawMessage("{}"), Content: content, Channel: "shell", Buffers: []string{},
	}
	if err := k.conn.WriteJSON(request); err != nil {
		return "", fmt.Errorf("send a cell: %w", err)
	}
	return id, nil
}

var (
	errRaised = errors.New("the cell raised an exception") // Python's own
	errDied   = errors.New("the kernel died")
)

// follow collects what the kernel says about one request until it is done.
func (k *kernel) follow(id string) (string, error) {
	var out strings.Builder
	var raised error
	for {
		var m message
		if err := k.conn.ReadJSON(&m); err != nil {
			// A pod that is killed takes the connection with it.
			return out.String(), fmt.Errorf("listen to the kernel: %w", cmp.Or(died(err), err))
		}
		var c struct {
			Text           string
			Data           map[string]any
			EName          string `json:"ename"`
			EValue         string `json:"evalue"`
			ExecutionState string `json:"execution_state"`
		}
		if err := json.Unmarshal(m.Content, &c); err != nil {
			return out.String(), fmt.Errorf("message of type %s: %w", m.Header.Type, err)
		}
		if m.Header.Type == "status" && slices.Contains([]string{"restarting", "autorestarting", "dead"}, c.ExecutionState) {
			return out.String(), errDied // the server says so on nobody's behalf
		}
		var parent header
		if json.Unmarshal(m.ParentHeader, &parent) != nil || parent.ID != id {
			continue
		}
		switch {
		case m.Header.Type == "stream":
			out.WriteString(c.Text)
		case m.Header.Type == "execute_result", m.Header.Type == "display_data":
			fmt.Fprintln(&out, c.Data["text/plain"])
		case m.Header.Type == "error":
			raised = fmt.Errorf("%w: %s: %s", errRaised, c.EName, c.EValue)
		case m.Header.Type == "status" && c.ExecutionState == "idle":
			return out.String(), raised
		}
	}
}

// died turns a connection that the other side cut off into errDied.
func died(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w: %w", errDied, err)
	}
	return nil
}

// must is run for cells that have to work.
func (k *kernel) must(t *testing.T, code string, limit time.Duration) string {
	t.Helper()
	out, err := k.run(t.Context(), code, limit)
	if err != nil {
		t.Fatalf("%v\ncell:\n%s\nprinted:\n%s", err, code, out)
	}
	return out
}
