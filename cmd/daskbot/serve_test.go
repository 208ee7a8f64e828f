package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/config"
)

// TestStopLetsRequestsFinish: what is under way when the signal comes is
// answered, and only event streams are told to end.
func TestStopLetsRequestsFinish(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, signal := context.WithCancel(t.Context())
	closing, served := make(chan struct{}), make(chan error, 1)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signal()
		<-closing // the listener is about to be closed
		if err := r.Context().Err(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go func() { served <- serveHTTP(ctx, l, answer, config.Server{ShutdownGrace: time.Minute}, closing) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("got %s: %s, %v; want the answer", resp.Status, body, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
