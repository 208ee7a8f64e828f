package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
)

// Dial connects to a pod that serves one port of a Service.
type Dial func(ctx context.Context, service *corev1.Service, port corev1.ServicePort) (net.Conn, error)

// errNoPod is what a connection meets while a Service has no ready pod.
var errNoPod = errors.New("no pod of the Service is ready")

// How long a pod may take to accept.
const dialing = 5 * time.Second

// Endpoints dials the ready pods of Services in turn, without preference.
func Endpoints(slices discoveryinformers.EndpointSliceInformer) Dial {
	lister := slices.Lister()
	return func(ctx context.Context, service *corev1.Service, port corev1.ServicePort) (net.Conn, error) {
		selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
		all, err := lister.EndpointSlices(service.Namespace).List(selector)
		if err != nil {
			return nil, err
		}
		addresses := ready(all, port)
		rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
		err = errNoPod
		for _, address := range addresses {
			var c net.Conn
			dialer := net.Dialer{Timeout: dialing}
			if c, err = dialer.DialContext(ctx, "tcp", address); err == nil {
				return c, nil
			}
		}
		return nil, err
	}
}

// ready are the addresses at which a port of a Service is served now.
func ready(slices []*discoveryv1.EndpointSlice, port corev1.ServicePort) (addresses []string) {
	for _, slice := range slices {
		for _, target := range slice.Ports {
			if target.Port == nil || target.Name != nil && *target.Name != port.Name {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
					addresses = append(addresses, net.JoinHostPort(endpoint.Addresses[0], fmt.Sprint(*target.Port)))
				}
			}
		}
	}
	return addresses
}

// forwarder hands connections over to pods, as a network load balancer does.
type forwarder struct {
	listener net.Listener
	dial     func(ctx context.Context) (net.Conn, error)
	cancel   context.CancelFunc
	group    sync.WaitGroup
}

// forward begins to hand over what listener accepts, until Close.
func forward(ctx context.Context, listener net.Listener, dial func(ctx context.Context) (net.Conn, error)) *forwarder {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &forwarder{listener: listener, dial: dial, cancel: cancel}
	f.group.Go(func() { f.serve(ctx) })
	return f
}

// Close ends all connections and returns when they are closed.
func (f *forwarder) Close() error {
	f.cancel()
	err := f.listener.Close()
	f.group.Wait()
	return err
}

func (f *forwarder) serve(ctx context.Context) {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.group.Go(func() {
			pod, err := f.dial(ctx)
			if err != nil {
				_ = client.Close() // the client sees what it would see on GKE
				return
			}
			join(ctx, client, pod)
		})
	}
}

// join copies between two connections until both have said all, or ctx is
// done, and closes them.
func join(ctx context.Context, a, b net.Conn) {
	stop := context.AfterFunc(ctx, func() { _, _ = a.Close(), b.Close() })
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { half(a, b) })
	group.Go(func() { half(b, a) })
	group.Wait()
	_, _ = a.Close(), b.Close()
}

// half copies one direction, and passes the end on. Errors are the ends of
// connections; the other side sees them as such.
func half(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
