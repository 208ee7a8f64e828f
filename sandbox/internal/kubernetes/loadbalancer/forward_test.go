package loadbalancer

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
)

func TestReady(t *testing.T) {
	slices := []*discoveryv1.EndpointSlice{{
		Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(int32(8000))}, {Name: ptr.To("admin"), Port: ptr.To(int32(8001))}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}},
			{Addresses: []string{"10.0.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(false)}},
			{Addresses: []string{"10.0.0.3"}},
		},
	}}
	got := ready(slices, corev1.ServicePort{Name: "http", Port: 80})
	if diff := cmp.Diff([]string{"10.0.0.1:8000", "10.0.0.3:8000"}, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestForward sees that a client may end what it says and still be answered.
func TestForward(t *testing.T) {
	pod := listener(t)
	defer pod.Close()
	go func() {
		for {
			c, err := pod.Accept()
			if err != nil {
				return
			}
			heard, _ := io.ReadAll(c)
			_, _ = c.Write(append([]byte("heard "), heard...))
			_ = c.Close()
		}
	}()
	var dialer net.Dialer
	address := listener(t)
	f := forward(t.Context(), address, func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", pod.Addr().String())
	})
	c, err := dialer.DialContext(t.Context(), "tcp", address.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "heard hello" {
		t.Errorf("answer is %q, %v; want heard hello", got, err)
	}
	_ = c.Close()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestForwardWithoutPods(t *testing.T) {
	address := listener(t)
	f := forward(t.Context(), address, func(context.Context) (net.Conn, error) { return nil, errNoPod })
	defer f.Close()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "tcp", address.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("somebody answered %q", got)
	}
}
