package apiservertest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// ErrMissing says that the control plane has not been built; a test skips.
var ErrMissing = errors.New("bin/daskbot-controlplane is missing (`make build` makes it) and KUBEBUILDER_ASSETS is not set")

// Server is a running control plane.
type Server struct {
	Host  string // https://127.0.0.1:PORT
	CA    []byte // PEM
	Token string // of a member of system:masters

	dir       string
	processes []*exec.Cmd
}

// Start runs etcd, an API server and a controller manager in a new directory
// and returns once the API server is ready. The end of ctx kills them. It returns ErrMissing when there
// is no binary. The caller stops the server.
func Start(ctx context.Context) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "apiserver-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, Token: rand.Text()}
	if err := s.start(ctx, program); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends the processes and removes their files.
func (s *Server) Stop() {
	for _, p := range s.processes {
		_ = p.Process.Kill()
		_ = p.Wait() // it was killed, and says so
	}
	_ = os.RemoveAll(s.dir)
}

// find returns how to run a component: its own binary in KUBEBUILDER_ASSETS,
// or the multi-call binary of the checkout around the working directory.
func find() (func(component string) []string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		return func(component string) []string { return []string{filepath.Join(assets, component)} }, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for dir != filepath.Dir(dir) {
		path := filepath.Join(dir, "bin", "daskbot-controlplane")
		if _, err := os.Stat(path); err == nil {
			return func(component string) []string { return []string{path, component} }, nil
		}
		dir = filepath.Dir(dir)
	}
	return nil, ErrMissing
}

func (s *Server) start(ctx context.Context, program func(string) []string) error {
	ports, err := freePorts(ctx, 4)
	if err != nil {
		return err
	}
	key, err := s.writeFiles(ports[2])
	if err != nil {
		return err
	}
	etcd := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	if err := s.run(ctx, "etcd", program("etcd"), "--unsafe-no-fsync", "--data-dir="+s.path("etcd"), "--log-level=error",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer); err != nil {
		return err
	}
	if err := s.run(ctx, "kube-apiserver", program("kube-apiserver"), "--etcd-servers="+etcd, "--cert-dir="+s.path("certs"),
		"--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--service-account-issuer=https://kubernetes.default.svc", "--token-auth-file="+s.path("tokens.csv"),
		"--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
		"--bind-address=127.0.0.1", "--advertise-address=192.0.2.1", fmt.Sprintf("--secure-port=%d", ports[2])); err != nil {
		return err
	}
	s.Host = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	if err := s.ready(ctx); err != nil {
		return fmt.Errorf("wait for kube-apiserver (its log is in %s): %w", s.dir, err)
	}
	return s.run(ctx, "kube-controller-manager", program("kube-controller-manager"), "--kubeconfig="+s.path("kubeconfig"), "--leader-elect=false",
		"--service-account-private-key-file="+key, "--use-service-account-credentials",
		fmt.Sprintf("--secure-port=%d", ports[3]), "--bind-address=127.0.0.1", "--cert-dir="+s.path("cm"))
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// writeFiles makes the service account key, the token file and a kubeconfig.
func (s *Server) writeFiles(port int) (key string, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	key = s.path("sa.key")
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	kubeconfig := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, port, s.Token)
	return key, errors.Join(
		os.WriteFile(key, text, 0o600),
		os.WriteFile(s.path("tokens.csv"), []byte(s.Token+`,test,test,"system:masters"`+"\n"), 0o600),
		os.WriteFile(s.path("kubeconfig"), []byte(kubeconfig), 0o600))
}

func (s *Server) run(ctx context.Context, name string, program []string, flags ...string) error {
	log, err := os.Create(s.path(name + ".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own copy
	cmd := exec.CommandContext(ctx, program[0], slices.Concat(program[1:], flags)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, cmd)
	return nil
}

// ready waits until the API server says so and has made its own Service, which
// comes a moment later, for at most three minutes: a busy machine takes one.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ask(ctx, "/readyz")
		if err == nil {
			err = s.ask(ctx, "/api/v1/namespaces/default/services/kubernetes")
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (s *Server) ask(ctx context.Context, path string) error {
	ca, err := os.ReadFile(filepath.Join(s.path("certs"), "apiserver.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Host+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	s.CA = ca
	return nil
}

// freePorts finds ports that nobody listens on. They lie below those that the
// kernel gives out by itself: somebody else would be given one of them before
// the servers are there.
func freePorts(ctx context.Context, n int) (ports []int, err error) {
	for range 100 * n {
		port := 20000 + mathrand.IntN(12000)
		l, listening := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err = listening; err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // all at once at the end, so that no port comes twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, err
}
