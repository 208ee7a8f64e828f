package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/config"
)

// pipes is a listener whose connections are pipes, whose deadlines are of the
// bubble's clock.
type pipes struct {
	made chan net.Conn
	done chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.made:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial sends the head of a request and hands on the connection.
func (p pipes) dial(t *testing.T, head string) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	p.made <- there
	if _, err := io.WriteString(here, head); err != nil {
		t.Fatal(err)
	}
	return here
}

// served runs the daemon's server with a handler until the test ends.
func served(t *testing.T, h http.HandlerFunc) (p pipes, stop func()) {
	t.Helper()
	p = pipes{make(chan net.Conn), make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- serveHTTP(ctx, p, h, config.Server{ShutdownGrace: time.Minute}, make(chan struct{})) }()
	return p, func() {
		cancel()
		if err := <-over; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

// TestABodyThatDripsIsCutOff sends a byte a second, for ever: to what reads the
// body, as Slack's and a learning platform's ways in do before anything is
// proved, and to what reads none.
func TestABodyThatDripsIsCutOff(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"read": func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading a body that drips: got %v; want that time is over", err)
			}
			w.WriteHeader(http.StatusRequestTimeout)
		},
		"not read": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestTimeout) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := served(t, handler)
				conn := p.dial(t, "POST /slack/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
				begun := time.Now()
				dripped := make(chan struct{})
				go func() {
					defer close(dripped)
					for {
						if _, err := conn.Write([]byte("a")); err != nil {
							return
						}
						time.Sleep(time.Second) // of the bubble's clock
					}
				}()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || resp.StatusCode != http.StatusRequestTimeout {
					t.Errorf("got %v, %v; want an answer", resp, err)
				}
				if took := time.Since(begun); took > bodyWithin+time.Second {
					t.Errorf("it held the connection for %s; want %s", took, bodyWithin)
				}
				_ = conn.Close()
				<-dripped
				stop()
			})
		})
	}
}

// TestAnAnswerMayTakeLongerThanABody: the deadline is of reading alone, and the
// request is not over when it has passed.
func TestAnAnswerMayTakeLongerThanABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := served(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			select {
			case <-r.Context().Done():
				http.Error(w, "given up", http.StatusInternalServerError)
			case <-time.After(3 * bodyWithin):
			}
		})
		conn := p.dial(t, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody")
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK") {
			t.Errorf("got %q, %v; want an answer after %s", answer, err, 3*bodyWithin)
		}
		_ = conn.Close()
		stop()
	})
}
