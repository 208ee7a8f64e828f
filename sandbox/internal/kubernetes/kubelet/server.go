package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/pki"
)

// Port is where a kubelet answers.
const Port = 10250

// Server is what the API server finds where a node says that its kubelet is.
// It serves all nodes of a cluster, and nobody but the API server.
type Server struct {
	ClusterID string
	Backends  cloud.Backends
	Client    kubernetes.Interface
	Pods      corelisters.PodLister
	PKI       pki.Files
	Log       *slog.Logger
}

// Run answers on the listener until ctx is done, and closes it. What is being
// forwarded then ends with the API server. An error means that the certificates
// cannot be read or the listener broke.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	defer listener.Close()
	secure, err := s.tls()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: s.routes(), TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		// A connection is taken over when a port is forwarded, which only
		// HTTP/1.1 allows.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve for kubelets: %w", err)
	}
	return nil
}

// tls lets in whoever has a certificate of the cluster's authority.
func (s *Server) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(s.PKI.ServingCert, s.PKI.ServingKey)
	if err != nil {
		return nil, fmt.Errorf("read the certificate for kubelets: %w", err)
	}
	ca, err := os.ReadFile(s.PKI.CACert)
	if err != nil {
		return nil, fmt.Errorf("read the authority for kubelets: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}, nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", s.logs)
	mux.HandleFunc("/portForward/{namespace}/{pod}", s.portForward)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the pod is simulated: there is nothing in it to run a command in", http.StatusNotImplemented)
	})
	return mux
}

// logs answers what there is to say of a container that never ran. A follower
// waits for more, which never comes, until it or the sandbox ends.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	pod, err := s.Pods.Pods(r.PathValue("namespace")).Get(r.PathValue("pod"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	lines := logLines(pod, r.PathValue("container"))
	if tail, err := strconv.Atoi(r.FormValue("tailLines")); err == nil && tail >= 0 {
		lines = lines[len(lines)-min(tail, len(lines)):]
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(strings.Join(lines, ""))) // whoever asked is gone when this fails
	if r.FormValue("follow") == "true" {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func logLines(pod *corev1.Pod, container string) []string {
	lines := []string{"simulated pod: nothing ran\n"}
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		if c.Name == container {
			lines = append(lines, fmt.Sprintf("container %s would run the image %s\n", c.Name, c.Image))
		}
	}
	return lines
}

// A forwarding without traffic ends after forwardIdle, as on a real node.
const (
	forwardIdle   = 4 * time.Hour
	streamTimeout = 30 * time.Second
)

func (s *Server) portForward(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("namespace") + "/" + r.PathValue("pod")
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, s, name, r.FormValue("uid"), options, forwardIdle, streamTimeout, portforward.SupportedProtocols)
}
