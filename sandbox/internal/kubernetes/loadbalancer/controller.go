package loadbalancer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/latency"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

const (
	finalizer = "service.kubernetes.io/load-balancer-cleanup"
	// ExternalURL begins the annotation that says where a port answers when
	// the sandbox may not listen on the Service's own port.
	ExternalURL = "daskbot.dev/external-url-"
)

// Config is what a Controller needs.
type Config struct {
	Cluster  cloud.ClusterSpec
	Compute  cloud.Compute
	Backends cloud.Backends
	Client   kubernetes.Interface
	Services coreinformers.ServiceInformer
	Recorder record.EventRecorder
	Log      *slog.Logger

	// Dial reaches the pods of Services; nil lets Backends answer instead.
	Dial Dial
}

// Controller looks after the load balancers of one cluster.
type Controller struct {
	Config
	latency  latency.Source
	services corelisters.ServiceLister
	loop     *reconcile.Loop

	mu       sync.Mutex
	balanced map[string]*balancer // by namespace/name
}

// New prepares to watch Services; nothing happens until Run.
func New(cfg Config) *Controller {
	c := &Controller{
		Config: cfg, services: cfg.Services.Lister(), balanced: map[string]*balancer{},
		latency: latency.Source{Compute: cfg.Compute, ClusterID: cfg.Cluster.ID},
	}
	c.loop = reconcile.New("load-balancers", cfg.Log, c.reconcile)
	c.loop.Watch(cfg.Services.Informer())
	return c
}

// Run serves load balancers until ctx is done; then it stops listening and
// leaves the cloud's resources as they are.
func (c *Controller) Run(ctx context.Context) {
	c.loop.Run(ctx, 4)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.balanced {
		b.close()
	}
}

// Name is the name GKE gives a Service's load balancer.
func Name(service *corev1.Service) string {
	name := "a" + strings.ReplaceAll(string(service.UID), "-", "")
	return name[:min(len(name), 32)]
}

func (c *Controller) reconcile(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, nil
	}
	service, err := c.services.Services(namespace).Get(name)
	if err != nil {
		c.forget(key)
		return 0, nil
	}
	// A class of its own belongs to another controller, which does not exist.
	wanted := service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.Spec.LoadBalancerClass == nil && service.DeletionTimestamp == nil
	if !wanted {
		return 0, c.remove(ctx, key, service)
	}
	return 0, c.ensure(ctx, key, service)
}

// ensure gives a Service its load balancer, listens, and says so in the
// Service. Each step looks at what is there, so that any of them may fail and
// be done again.
func (c *Controller) ensure(ctx context.Context, key string, service *corev1.Service) error {
	service, err := c.finalize(ctx, service)
	if err != nil {
		return err
	}
	b := c.get(key)
	if b == nil || !b.serves(service) {
		if b, err = c.balance(ctx, key, service); err != nil {
			return err
		}
	}
	return c.publish(ctx, service, b)
}

// balance asks for the load balancer, lets it take its time and listens.
func (c *Controller) balance(ctx context.Context, key string, service *corev1.Service) (*balancer, error) {
	c.forget(key)
	began := time.Now()
	fresh := len(service.Status.LoadBalancer.Ingress) == 0
	if fresh {
		c.Recorder.Event(service, corev1.EventTypeNormal, "EnsuringLoadBalancer", "Ensuring load balancer")
	}
	address, err := c.create(ctx, service)
	if err != nil {
		c.Recorder.Eventf(service, corev1.EventTypeWarning, "SyncLoadBalancerFailed", "Error syncing load balancer: failed to ensure load balancer: %v", err)
		return nil, err
	}
	if fresh {
		if err := latency.Sleep(ctx, c.latency.Draw(cloud.LoadBalancerUp)); err != nil {
			return nil, err
		}
	}
	b, err := listen(ctx, address, service, c.serve)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", key, err)
	}
	c.mu.Lock()
	c.balanced[key] = b
	c.mu.Unlock()
	if fresh {
		c.latency.Record(cloud.LoadBalancerUp, key, began)
		c.Recorder.Event(service, corev1.EventTypeNormal, "EnsuredLoadBalancer", "Ensured load balancer")
	}
	return b, nil
}

// serve answers on one port of a Service: a pod does, or what stands for it.
func (c *Controller) serve(ctx context.Context, listener net.Listener, service *corev1.Service, port corev1.ServicePort) io.Closer {
	if c.Dial != nil {
		return forward(ctx, listener, func(ctx context.Context) (net.Conn, error) { return c.Dial(ctx, service, port) })
	}
	handler := c.Backends.Handler(c.Cluster.ID, c.Client, service, port.Port)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server
}

// create asks the cloud for the load balancer and its address.
func (c *Controller) create(ctx context.Context, service *corev1.Service) (string, error) {
	if fault := c.Compute.Fault("no-address", c.Cluster.ID); fault != nil {
		return "", fmt.Errorf("failed to create forwarding rule for load balancer (%s(%s/%s)): no address is available in region %s",
			Name(service), service.Namespace, service.Name, c.Cluster.Region)
	}
	return c.Compute.CreateLoadBalancer(ctx, c.Cluster.Project, c.Cluster.Region, cloud.LoadBalancer{
		Name: Name(service), Service: service.Namespace + "/" + service.Name,
		ClusterID: c.Cluster.ID, ClusterName: c.Cluster.Name, Ports: ports(service),
	})
}

// publish writes into the Service where it answers.
func (c *Controller) publish(ctx context.Context, service *corev1.Service, b *balancer) error {
	service, err := c.annotate(ctx, service, b.external)
	if err != nil {
		return fmt.Errorf("write external URL: %w", err)
	}
	if in := service.Status.LoadBalancer.Ingress; len(in) == 1 && in[0].IP == b.address {
		return nil
	}
	mode := corev1.LoadBalancerIPModeVIP
	service = service.DeepCopy()
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: b.address, IPMode: &mode}}
	if _, err := c.Client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write address: %w", err)
	}
	return nil
}

// annotate writes where the ports really answer, when that is elsewhere.
func (c *Controller) annotate(ctx context.Context, service *corev1.Service, external map[int32]string) (*corev1.Service, error) {
	all := maps.Clone(service.Annotations)
	maps.DeleteFunc(all, func(key, _ string) bool { return strings.HasPrefix(key, ExternalURL) })
	if all == nil {
		all = map[string]string{}
	}
	for port, url := range external {
		all[fmt.Sprintf("%s%d", ExternalURL, port)] = url
	}
	if maps.Equal(all, service.Annotations) || len(all) == 0 && len(service.Annotations) == 0 {
		return service, nil
	}
	service = service.DeepCopy()
	service.Annotations = all
	return c.Client.CoreV1().Services(service.Namespace).Update(ctx, service, metav1.UpdateOptions{})
}

// finalize makes sure that the Service cannot go before its load balancer.
func (c *Controller) finalize(ctx context.Context, service *corev1.Service) (*corev1.Service, error) {
	if slices.Contains(service.Finalizers, finalizer) {
		return service, nil
	}
	service = service.DeepCopy()
	service.Finalizers = append(service.Finalizers, finalizer)
	return c.Client.CoreV1().Services(service.Namespace).Update(ctx, service, metav1.UpdateOptions{})
}

// remove takes the load balancer of a Service that no longer wants one away
// and lets the Service go.
func (c *Controller) remove(ctx context.Context, key string, service *corev1.Service) error {
	c.forget(key)
	if !slices.Contains(service.Finalizers, finalizer) {
		return nil
	}
	c.Recorder.Event(service, corev1.EventTypeNormal, "DeletingLoadBalancer", "Deleting load balancer")
	if err := c.Compute.DeleteLoadBalancer(ctx, c.Cluster.Project, c.Cluster.Region, Name(service)); err != nil {
		c.Recorder.Eventf(service, corev1.EventTypeWarning, "SyncLoadBalancerFailed", "Error syncing load balancer: failed to delete load balancer: %v", err)
		return fmt.Errorf("delete load balancer %s: %w", Name(service), err)
	}
	c.Recorder.Event(service, corev1.EventTypeNormal, "DeletedLoadBalancer", "Deleted load balancer")
	service = service.DeepCopy()
	if len(service.Status.LoadBalancer.Ingress) > 0 && service.DeletionTimestamp == nil {
		service.Status.LoadBalancer = corev1.LoadBalancerStatus{}
		updated, err := c.Client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{})
		if err != nil {
			return fmt.Errorf("clear address: %w", err)
		}
		service = updated
	}
	service.Finalizers = slices.DeleteFunc(service.Finalizers, func(f string) bool { return f == finalizer })
	_, err := c.Client.CoreV1().Services(service.Namespace).Update(ctx, service, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("let service go: %w", err)
	}
	return nil
}

func (c *Controller) get(key string) *balancer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.balanced[key]
}

// forget stops listening for a Service.
func (c *Controller) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.balanced[key]; ok {
		b.close()
		delete(c.balanced, key)
	}
}

func ports(service *corev1.Service) (ports []int32) {
	for _, port := range service.Spec.Ports {
		ports = append(ports, port.Port)
	}
	return ports
}
