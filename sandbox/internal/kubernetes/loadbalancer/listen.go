package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"reflect"

	corev1 "k8s.io/api/core/v1"
)

// serve answers on a listener, which it closes, until it is closed itself.
type serve func(ctx context.Context, listener net.Listener, service *corev1.Service, port corev1.ServicePort) io.Closer

// balancer answers on the address of one Service.
type balancer struct {
	address  string
	uid      string
	spec     corev1.ServiceSpec
	servers  []io.Closer
	external map[int32]string // where a port answers, when not on the address itself
}

// serves reports whether the balancer answers for the Service as it is now.
func (b *balancer) serves(service *corev1.Service) bool {
	return b.uid == string(service.UID) && reflect.DeepEqual(b.spec, service.Spec)
}

// listen answers on every TCP port of the Service. Where the process may not
// use the port, a free one is taken and noted in external. It keeps nothing
// open when it fails.
func listen(ctx context.Context, address string, service *corev1.Service, serve serve) (*balancer, error) {
	b := &balancer{address: address, uid: string(service.UID), spec: *service.Spec.DeepCopy(), external: map[int32]string{}}
	for _, port := range service.Spec.Ports {
		if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
			continue
		}
		listener, err := open(ctx, address, port.Port)
		if err != nil {
			b.close()
			return nil, err
		}
		if got := listener.Addr().(*net.TCPAddr); got.Port != int(port.Port) {
			b.external[port.Port] = "http://" + got.String()
		}
		b.servers = append(b.servers, serve(ctx, listener, service, port))
	}
	return b, nil
}

// open listens on the port, or on a free one when the process may not.
func open(ctx context.Context, address string, port int32) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(address, fmt.Sprint(port)))
	if errors.Is(err, fs.ErrPermission) {
		return config.Listen(ctx, "tcp", net.JoinHostPort(address, "0"))
	}
	return listener, err
}

func (b *balancer) close() {
	for _, server := range b.servers {
		_ = server.Close()
	}
}
