package kubelet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

var _ portforward.PortForwarder = (*Server)(nil)

// PortForward connects a stream to what stands in for a port of a pod, given as
// namespace/name, until either side closes. Its error is told to whoever asked:
// the pod is not there, or refuses the connection.
func (s *Server) PortForward(ctx context.Context, name, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	namespace, podName, err := cache.SplitMetaNamespaceKey(name)
	if err != nil {
		return err
	}
	pod, err := s.Pods.Pods(namespace).Get(podName)
	if err != nil {
		return err
	}
	handler, err := s.Backends.Port(ctx, s.ClusterID, s.Client, pod, port)
	if err != nil {
		return fmt.Errorf("connect to port %d of simulated pod %s: %w", port, name, err)
	}
	converse(handler, stream, s.Log)
	return nil
}

// idle is how long a connection may be kept open between two requests.
const idle = 2 * time.Minute

// converse has handler answer the HTTP requests that come on a stream.
func converse(handler http.Handler, stream io.ReadWriter, log *slog.Logger) {
	ours, theirs := net.Pipe()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: idle, IdleTimeout: idle,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	// It returns when there is nothing more to accept, and the connection lives
	// on until it is closed.
	_ = server.Serve(&once{conn: theirs})
	go func() {
		_, _ = io.Copy(ours, stream) // either end may go at any time
		_ = ours.Close()
	}()
	_, _ = io.Copy(stream, ours)
	_ = ours.Close()
}

// once is a listener that accepts one connection.
type once struct{ conn net.Conn }

// Accept implements net.Listener.
func (o *once) Accept() (net.Conn, error) {
	if o.conn == nil {
		return nil, io.EOF
	}
	conn := o.conn
	o.conn = nil
	return conn, nil
}

// Close implements net.Listener.
func (*once) Close() error { return nil }

// Addr implements net.Listener.
func (*once) Addr() net.Addr { return &net.UnixAddr{Name: "simulated pod", Net: "unix"} }
