package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Weather is what a client meets at this moment.
type Weather struct {
	Down  bool          // connections are cut
	Delay time.Duration // before each burst of bytes from the client
}

// Proxy forwards connections to one address.
type Proxy struct {
	Target  string         // host:port of the API server
	Weather func() Weather // asked for each connection and each burst
	Log     *slog.Logger
}

// Run accepts on the listener until ctx is done, then closes it and every
// connection and returns nil. It returns the listener's error when that ends
// first.
func (p *Proxy) Run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			cancel()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		open.Go(func() { p.serve(ctx, client) })
	}
}

// serve copies both ways until either side closes or ctx is done.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	if p.Weather().Down {
		return
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", p.Target)
	if err != nil {
		p.Log.Debug("api server not reachable", "target", p.Target, "error", err)
		return
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
	defer stop()
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server)
		cancel()
	})
	p.requests(ctx, server, client)
	cancel()
	answers.Wait()
}

// requests copies from client to server, under the weather.
func (p *Proxy) requests(ctx context.Context, server, client net.Conn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := client.Read(buffer)
		if n > 0 {
			weather := p.Weather()
			if weather.Down || !pause(ctx, weather.Delay) {
				return
			}
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pause waits and reports whether the wait was not cut short.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
