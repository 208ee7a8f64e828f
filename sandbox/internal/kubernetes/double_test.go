package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	client "k8s.io/client-go/kubernetes"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// compute is a cloud with room for a fixed number of nodes.
type compute struct {
	network string
	quota   int

	mu        sync.Mutex
	disks     map[string]cloud.Disk
	users     map[string]string
	balancers map[string]string
	nodes     map[string]bool
	faults    map[string]*cloud.Fault
}

func newCompute(network string, quota int) *compute {
	return &compute{
		network: network, quota: quota, disks: map[string]cloud.Disk{}, users: map[string]string{},
		balancers: map[string]string{}, nodes: map[string]bool{}, faults: map[string]*cloud.Fault{},
	}
}

func (c *compute) CreateDisk(_ context.Context, _, _ string, disk cloud.Disk) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disks[disk.Name] = disk
	return nil
}

func (c *compute) DeleteDisk(_ context.Context, _, _, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if node := c.users[name]; node != "" {
		return fmt.Errorf("disk %s is used by %s", name, node)
	}
	delete(c.disks, name)
	return nil
}

func (c *compute) AttachDisk(_ context.Context, _, _, name, node string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users[name] = node
	return nil
}

func (c *compute) CreateLoadBalancer(_ context.Context, _, _ string, lb cloud.LoadBalancer) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ip, ok := c.balancers[lb.Name]; ok {
		return ip, nil
	}
	ip := fmt.Sprintf("%s.1.%d", c.network, len(c.balancers)+1)
	c.balancers[lb.Name] = ip
	return ip, nil
}

func (c *compute) DeleteLoadBalancer(_ context.Context, _, _, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.balancers, name)
	return nil
}

func (c *compute) AddNodes(_ context.Context, _, _ string, nodes []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := maps.Clone(c.nodes)
	for _, node := range nodes {
		wanted[node] = true
	}
	if len(wanted) > c.quota {
		return fmt.Errorf("GCE quota exceeded")
	}
	c.nodes = wanted
	return nil
}

func (c *compute) RemoveNodes(_ context.Context, _, _ string, nodes []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, node := range nodes {
		delete(c.nodes, node)
	}
	return nil
}

func (c *compute) Latency(name string) cloud.Latency {
	if name == cloud.ScaleDown {
		return cloud.Latency{Min: time.Second, Max: time.Second}
	}
	return cloud.Latency{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond}
}

func (c *compute) Fault(point, _ string) *cloud.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults[point]
}

func (c *compute) script(point string, fault *cloud.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[point] = fault
}

func (c *compute) diskList() []cloud.Disk {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.disks))
}

func (c *compute) count() (disks, balancers, nodes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.disks), len(c.balancers), len(c.nodes)
}

// greeter answers with the name of the Service.
type greeter struct{}

func (greeter) Handler(_ string, _ client.Interface, service *corev1.Service, port int32) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, fmt.Sprintf("%s:%d", service.Name, port))
	})
}

// Port knows one port of every pod.
func (greeter) Port(_ context.Context, _ string, _ client.Interface, pod *corev1.Pod, port int32) (http.Handler, error) {
	if port != 8080 {
		return nil, errors.New("connection refused")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, pod.Name+r.URL.Path)
	}), nil
}
