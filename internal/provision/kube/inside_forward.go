package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// forward opens a connection to a port of a pod.
func (l *link) forward(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	dialer, err := l.forwarder(namespace, pod)
	if err != nil {
		return nil, err
	}
	streams, err := connect(ctx, dialer)
	if err != nil {
		return nil, err
	}
	conn, err := open(streams, port)
	if err != nil {
		_ = streams.Close() // the error that matters is the first
		return nil, err
	}
	return conn, nil
}

// forwarder is how to upgrade a request: over a WebSocket, which API servers
// speak since 1.31, else with SPDY, which also the older ones do.
func (l *link) forwarder(namespace, pod string) (httpstream.Dialer, error) {
	url := l.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(l.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	current, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, l.config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(current, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// connect dials, which the library does without a context: one that arrives
// too late is closed.
func connect(ctx context.Context, dialer httpstream.Dialer) (httpstream.Connection, error) {
	type result struct {
		conn httpstream.Connection
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				_ = r.conn.Close() // nobody is left to tell
			}
		}()
		return nil, ctx.Err()
	}
}

// open makes the two streams of one forwarded connection.
func open(streams httpstream.Connection, port int) (net.Conn, error) {
	header := http.Header{}
	header.Set(corev1.StreamType, corev1.StreamTypeError)
	header.Set(corev1.PortHeader, strconv.Itoa(port))
	header.Set(corev1.PortForwardRequestIDHeader, "0")
	trouble, err := streams.CreateStream(header)
	if err != nil {
		return nil, fmt.Errorf("create the error stream: %w", err)
	}
	_ = trouble.Close() // nothing is sent on it
	header.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := streams.CreateStream(header)
	if err != nil {
		return nil, fmt.Errorf("create the data stream: %w", err)
	}
	c := &forwarded{Stream: data, streams: streams}
	go c.watch(trouble)
	return c, nil
}

// forwarded is one forwarded connection as a net.Conn.
type forwarded struct {
	httpstream.Stream
	streams httpstream.Connection
}

// watch ends the connection when the other end reports a failure, such as a
// refused port; without it a reader would wait for ever. It ends with the
// connection.
func (c *forwarded) watch(trouble io.Reader) {
	message, err := io.ReadAll(io.LimitReader(trouble, 1<<10))
	if len(message) > 0 || err != nil {
		_ = c.streams.Close() // the reader gets the error
	}
}

// Close ends the connection with everything under it.
func (c *forwarded) Close() error {
	return errors.Join(c.Stream.Reset(), c.streams.Close())
}

// LocalAddr and RemoteAddr have nothing to tell: the ends are in the cluster.
func (c *forwarded) LocalAddr() net.Addr  { return forwardedAddr{} }
func (c *forwarded) RemoteAddr() net.Addr { return forwardedAddr{} }

// SetDeadline and its like do nothing: a stream has no deadlines.
func (c *forwarded) SetDeadline(time.Time) error      { return nil }
func (c *forwarded) SetReadDeadline(time.Time) error  { return nil }
func (c *forwarded) SetWriteDeadline(time.Time) error { return nil }

type forwardedAddr struct{}

func (forwardedAddr) Network() string { return "portforward" }
func (forwardedAddr) String() string  { return "pod" }
