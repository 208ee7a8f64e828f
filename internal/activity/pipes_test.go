package activity

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/daskbot/daskbot/internal/environment"
)

// pipes stands for the API server where time is synctest's: its pods are
// handlers behind pipes.
type pipes struct {
	pods     []environment.Pod
	handlers map[string]http.Handler // by "pod:port"
	cut      bool                    // no pod can be reached

	mu    sync.Mutex
	dials map[string]int
}

func (p *pipes) Pods(context.Context, environment.Target, string, string) ([]environment.Pod, error) {
	return p.pods, nil
}

func (p *pipes) Dial(_ context.Context, _ environment.Target, _, pod string, port int) (net.Conn, error) {
	if p.cut {
		return nil, errors.New("error dialing backend")
	}
	at := pod + ":" + strconv.Itoa(port)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials[at]++
	handler, ok := p.handlers[at]
	if !ok {
		return closedPort(), nil
	}
	here, there := net.Pipe()
	go func() { _ = http.Serve(&once{Conn: there}, handler) }() // ends with io.EOF; the connection is served on
	return here, nil
}

// add puts a pod into the cluster; set gives it a port, or takes it with nil.
func (p *pipes) add(name string, labels map[string]string, port int, handler http.Handler) {
	p.pods = append(p.pods, environment.Pod{Name: name, Labels: labels, Ready: true})
	p.set(name, port, handler)
}

func (p *pipes) set(name string, port int, handler http.Handler) {
	if p.handlers == nil {
		p.handlers, p.dials = map[string]http.Handler{}, map[string]int{}
	}
	at := name + ":" + strconv.Itoa(port)
	p.handlers[at] = handler
	if handler == nil {
		delete(p.handlers, at)
	}
}

// once is a listener that accepts one connection.
type once struct {
	net.Conn
	accepted bool
}

func (l *once) Accept() (net.Conn, error) {
	if l.accepted {
		return nil, io.EOF
	}
	l.accepted = true
	return l.Conn, nil
}

func (l *once) Close() error   { return nil } // the connection outlives it
func (l *once) Addr() net.Addr { return l.LocalAddr() }

// hung is a server that takes requests and answers none.
var hung = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
