package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// TestSimulatedKubelets forwards ports and reads logs through the API server,
// as kubectl does.
func TestSimulatedKubelets(t *testing.T) {
	dir := t.TempDir()
	s := run(t, dir, network(), newCompute(network(), 2))
	endpoint, err := s.Start(t.Context(), spec("c1"))
	if err != nil {
		t.Fatal(err)
	}
	kube := kubectl(t, endpoint)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nginx"}}}}
	if _, err := kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "pod runs", func(ctx context.Context) string { return phase(ctx, kube, "web", corev1.PodRunning) })

	logs, err := kube.CoreV1().Pods("default").GetLogs("web", &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil || !strings.HasPrefix(string(logs), "simulated pod: nothing ran\n") || !strings.Contains(string(logs), "nginx") {
		t.Errorf("logs: got %q, %v", logs, err)
	}
	for _, over := range []string{"spdy", "websocket"} {
		t.Run(over, func(t *testing.T) { checkForward(t, kube, configOf(endpoint), over == "websocket") })
	}
}

func configOf(endpoint cloud.Endpoint) *rest.Config {
	return &rest.Config{Host: "https://" + endpoint.Address, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: endpoint.CACertificate}}
}

// checkForward asks a port of the pod twice over one forwarding, and one on
// which nothing listens.
func checkForward(t *testing.T, kube client.Interface, config *rest.Config, websocket bool) {
	target := kube.CoreV1().RESTClient().Post().Resource("pods").Namespace("default").Name("web").SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		t.Fatal(err)
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	if websocket {
		if dialer, err = portforward.NewSPDYOverWebsocketDialer(target, config); err != nil {
			t.Fatal(err)
		}
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080", "0:9999"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/first", "/second"} {
		if got, err := read(t, fmt.Sprintf("http://127.0.0.1:%d%s", ports[0].Local, path)); err != nil || got != "web"+path {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	if got, err := read(t, fmt.Sprintf("http://127.0.0.1:%d/", ports[1].Local)); err == nil {
		t.Errorf("a port on which nothing listens: got %q", got)
	}
	close(stop)
	if err := <-done; err != nil && !strings.Contains(err.Error(), "lost connection") {
		t.Error(err)
	}
}

// read asks on a connection of its own.
func read(t *testing.T, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
