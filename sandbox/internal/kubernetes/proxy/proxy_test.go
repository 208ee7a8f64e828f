package proxy_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/proxy"
)

// serve runs a proxy in front of a server that says "hello".
func serve(t *testing.T, weather func() proxy.Weather) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := &proxy.Proxy{Target: strings.TrimPrefix(server.URL, "http://"), Weather: weather, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- p.Run(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

func TestProxyForwards(t *testing.T) {
	url := serve(t, func() proxy.Weather { return proxy.Weather{} })
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "hello" {
		t.Errorf("got %q; want hello", body)
	}
}

func TestProxyDelaysEachBurst(t *testing.T) {
	const delay = 80 * time.Millisecond
	url := serve(t, func() proxy.Weather { return proxy.Weather{Delay: delay} })
	began := time.Now()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if took := time.Since(began); took < delay {
		t.Errorf("answered after %s; want at least %s", took, delay)
	}
}

func TestProxyCutsOpenConnectionsWhenDown(t *testing.T) {
	var down atomic.Bool
	url := serve(t, func() proxy.Weather { return proxy.Weather{Down: down.Load()} })
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	down.Store(true)
	if response, err := client.Get(url); err == nil {
		response.Body.Close()
		t.Error("answered while down")
	}
}
