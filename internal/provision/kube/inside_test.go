package kube

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/daskbot/daskbot/internal/environment"
)

// kubelet answers port-forwards as an API server hands them on: over SPDY,
// with one stream for errors and one for data. Port 8888 talks HTTP; nothing
// listens on others.
func kubelet(t *testing.T) environment.Target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/ns/pods/notebook/portforward" || r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, r.URL.Path, http.StatusForbidden)
			return
		}
		if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			return
		}
		streams := make(chan httpstream.Stream, 2)
		conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
			streams <- s
			return nil
		})
		if conn == nil {
			return
		}
		defer conn.Close()
		trouble, data := <-streams, <-streams
		if port := data.Headers().Get(corev1.PortHeader); port != "8888" {
			fmt.Fprintf(trouble, "connection to port %s refused", port)
			_ = trouble.Close()
			<-conn.CloseChan()
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(data)); err == nil {
			_, _ = io.WriteString(data, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		}
		<-conn.CloseChan()
	}))
	t.Cleanup(server.Close)
	return environment.Target{Host: server.URL, Key: t.Name(), Token: func(context.Context) (string, error) { return "secret", nil }}
}

func ask(t *testing.T, target environment.Target, pod string, port int) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := New(Config{})
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.Dial(ctx, target, "ns", pod, port)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestDialReachesAPodsPort(t *testing.T) {
	target := kubelet(t)
	if got, err := ask(t, target, "notebook", 8888); got != "hello" || err != nil {
		t.Errorf("got %q, %v; want hello", got, err)
	}
	// A reader must not wait for what never comes.
	if _, err := ask(t, target, "notebook", 9999); err == nil || strings.Contains(err.Error(), "deadline") {
		t.Errorf("a port nobody listens on: got %v; want an error at once", err)
	}
	if _, err := ask(t, target, "other", 8888); environment.CodeOf(err) == "" {
		t.Errorf("not allowed: got %v; want one of daskbot's errors", err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	defer silent.CloseClientConnections()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := New(Config{}).Dial(ctx, environment.Target{Host: silent.URL}, "ns", "pod", 1)
	if environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want unavailable", err)
	}
}

func TestPodsLeavesOutWhatHasEnded(t *testing.T) {
	c, target, l := real(t)
	made, err := l.typed.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "inside-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ns := made.Name
	for name, phase := range map[string]corev1.PodPhase{"runs": corev1.PodRunning, "waits": corev1.PodPending, "ended": corev1.PodFailed} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"component": "hub"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
		eventually(t, func() error { // the namespace's service account takes a moment
			_, err := l.typed.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
			return err
		})
		made, err := l.typed.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		made.Status.Phase = phase
		if _, err := l.typed.CoreV1().Pods(ns).UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, selector := range []string{"component=hub", ""} {
		pods, err := c.Pods(t.Context(), target, ns, selector)
		if err != nil || len(pods) != 2 {
			t.Fatalf("%q: got %v, %v; want two", selector, pods, err)
		}
		for _, p := range pods {
			if p.Pending != (p.Name == "waits") || p.Labels["component"] != "hub" {
				t.Errorf("got %+v", p)
			}
		}
	}
	if pods, err := c.Pods(t.Context(), target, ns, "component=proxy"); err != nil || len(pods) > 0 {
		t.Errorf("got %v, %v; want none", pods, err)
	}
}
