package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"
)

// built is where program puts what it makes; "" before.
var built string

// program builds daskbot once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "daskbot-chart-")
	if err != nil {
		return "", err
	}
	built = dir
	file := filepath.Join(dir, "daskbot")
	out, err := exec.Command("go", "build", "-o", file, "../../../cmd/daskbot").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build daskbot: %w: %s", err, out)
	}
	return file, nil
})

// TestMain takes away what program made.
func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // it is in the system's own folder for that
	}
	os.Exit(code)
}

// background runs a program until the test ends; what it wrote is shown when
// that failed.
func background(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()                          // how it ends is not what is tested
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(name), out.String())
		}
	})
}

// cloud is the sandbox's emulated one.
type cloud struct{ GKE, Compute, Token, Project string }

// newCloud starts the sandbox for a test and its parts.
func newCloud(t *testing.T) cloud {
	t.Helper()
	sandbox, err := filepath.Abs("../../../bin/daskbot-sandbox")
	if err == nil {
		_, err = os.Stat(sandbox)
	}
	if err != nil {
		t.Skipf("%v; `make build` makes it", err)
	}
	addr := freeAddress(t)
	background(t, nil, sandbox, "serve", "--addr", addr, "--state", t.TempDir())
	var c cloud
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, "the sandbox", func() (bool, error) {
		body, err := get(ctx, "http://"+addr+"/endpoints")
		return err == nil && json.Unmarshal(body, &c) == nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// get reads a page.
func get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return body, err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runDaemon runs the release's daemon as a process, since there is no node: the
// arguments of its pod, and the configuration that is in the cluster, but for
// addresses and files of this machine. It returns where it listens.
func (s *site) runDaemon(c cloud) string {
	s.t.Helper()
	stored, err := s.kube.CoreV1().ConfigMaps(s.namespace).Get(s.t.Context(), "bot-daskbot", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var cfg map[string]any
	if err := yaml.Unmarshal([]byte(stored.Data["daskbot.yaml"]), &cfg); err != nil {
		s.t.Fatal(err)
	}
	dir, addr := s.t.TempDir(), freeAddress(s.t)
	merge(cfg, map[string]any{
		"server": map[string]any{"addr": addr, "metricsAddr": ""},
		"store":  map[string]any{"url": "sqlite:" + filepath.Join(dir, "daskbot.db")},
		"auth":   map[string]any{"adminTokenFile": filepath.Join(dir, "admin.token")},
		"gke": map[string]any{"endpoint": c.GKE, "insecure": true, "computeEndpoint": c.Compute, "tokenFrom": "static",
			"staticToken": map[string]any{"fromEnv": "DASKBOT_TEST_TOKEN"}, "project": c.Project},
	})
	delete(cfg, "clusters") // nor is there a cluster around it
	delete(cfg, "slack")
	text, err := yaml.Marshal(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(dir, "daskbot.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	binary, err := program()
	if err != nil {
		s.t.Fatal(err)
	}
	secrets(s.t)
	background(s.t, []string{"DASKBOT_TEST_TOKEN=" + c.Token, "HOME=" + dir}, binary, "serve", "--config", file)
	return addr
}

// network is the cluster's for one process: a proxy that reaches a Service by
// the name that its pods know it by, when it leads to a pod that is ready, and
// nothing else.
func (s *site) network(daemon string) string {
	proxy := httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: daemon}) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.leads(r.Context(), r.URL); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// leads says why an address leads to no pod that is ready, nil when it does.
func (s *site) leads(ctx context.Context, to *url.URL) error {
	name, namespace, _ := strings.Cut(to.Hostname(), ".")
	if namespace != s.namespace {
		return fmt.Errorf("%s is no name in %s", to.Hostname(), s.namespace)
	}
	service, err := s.kube.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	port := to.Port()
	if port == "" {
		port = "80"
	}
	pods, err := s.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: k8slabels.FormatLabels(service.Spec.Selector)})
	if err != nil {
		return err
	}
	for _, p := range service.Spec.Ports {
		for _, pod := range pods.Items {
			if fmt.Sprint(p.Port) == port && ready(pod) && listens(pod, p.TargetPort.String()) {
				return nil
			}
		}
	}
	return fmt.Errorf("%s leads to no pod that is ready", to.Host)
}

func ready(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func listens(pod corev1.Pod, port string) bool {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == port {
				return true
			}
		}
	}
	return false
}

// carryOut does a node's part: it runs what the pod's container says, in its
// environment and none other, and gives the phase that the pod ends in.
func (s *site) carryOut(ctx context.Context, pod *corev1.Pod, proxy string) (corev1.PodPhase, string) {
	binary, err := program()
	if err != nil {
		return corev1.PodFailed, err.Error()
	}
	c := pod.Spec.Containers[0]
	if s.impatient {
		c.Args = c.Args[:1]
	}
	cmd := exec.CommandContext(ctx, binary, c.Args...)
	cmd.Env = []string{"HTTP_PROXY=" + proxy}
	for _, v := range c.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return corev1.PodFailed, fmt.Sprintf("%v: %s", err, out)
	}
	return corev1.PodSucceeded, string(out)
}
