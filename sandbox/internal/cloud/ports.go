package cloud

import (
	"context"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
)

// NodePool is one pool of a cluster, in the terms a scheduler needs.
type NodePool struct {
	Name        string            `json:"name"`
	MachineType string            `json:"machineType"`
	MilliCPU    int64             `json:"milliCPU"`    // the machine type's whole CPU, in thousandths
	MemoryBytes int64             `json:"memoryBytes"` // the machine type's whole memory
	DiskGB      int64             `json:"diskGB"`
	DiskType    string            `json:"diskType"`
	Spot        bool              `json:"spot,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Taints      []corev1.Taint    `json:"taints,omitempty"`
	Zones       []string          `json:"zones"`       // nodes are spread over these
	Count       int               `json:"count"`       // wanted nodes, over all zones
	Autoscaling bool              `json:"autoscaling"` // whether the sandbox's autoscaler may change Count
	Min         int               `json:"min"`         // over all zones
	Max         int               `json:"max"`         // over all zones
}

// ClusterSpec is what a control plane is started from.
type ClusterSpec struct {
	ID       string            `json:"id"` // unique for ever, DNS label, at most 20 characters
	Project  string            `json:"project"`
	Location string            `json:"location"` // zone or region
	Region   string            `json:"region"`
	Name     string            `json:"name"`
	Version  string            `json:"version"` // the GKE version the API reports; the binaries are one version
	Labels   map[string]string `json:"labels,omitempty"`
	Pools    []NodePool        `json:"pools"`
}

// Endpoint is how a client reaches a control plane.
type Endpoint struct {
	Address       string // what GKE calls endpoint: an IP when the API is on 443, else IP:port
	CACertificate []byte // PEM
}

// ControlPlanes runs one real Kubernetes control plane per cluster. All
// methods are idempotent and safe for concurrent use.
type ControlPlanes interface {
	// Start returns when the API server of the cluster answers and its
	// default objects (StorageClass, nodes) exist. It finds a control plane
	// that is already running, and restarts one a crash has left stopped.
	Start(ctx context.Context, spec ClusterSpec) (Endpoint, error)
	// SetNodePools makes the nodes of a running cluster those of pools.
	SetNodePools(ctx context.Context, id string, pools []NodePool) error
	// Stop ends a cluster's processes and forgets its Kubernetes objects.
	// Volumes and load balancers that still exist stay in Compute, as on GKE.
	Stop(ctx context.Context, id string) error
}

// Disk is a persistent disk asked for by a volume claim.
type Disk struct {
	Name, Type, Description string
	SizeGB                  int64
	Labels                  map[string]string
}

// LoadBalancer is the set of Compute resources behind one Service.
type LoadBalancer struct {
	Name        string // "a" + the Service's UID without dashes, cut to 32
	Service     string // namespace/name
	ClusterID   string
	ClusterName string
	Ports       []int32
}

// Compute is what the controllers inside a cluster ask of the cloud. Names
// are unique within project and zone or region; creating twice finds the
// first, deleting what is gone succeeds.
type Compute interface {
	CreateDisk(ctx context.Context, project, zone string, disk Disk) error
	DeleteDisk(ctx context.Context, project, zone, name string) error
	// AttachDisk records which node uses the disk; an empty node detaches it.
	AttachDisk(ctx context.Context, project, zone, name, node string) error
	// CreateLoadBalancer makes address, forwarding rule, target pool,
	// firewalls and health check, and returns the loopback address given.
	CreateLoadBalancer(ctx context.Context, project, region string, lb LoadBalancer) (ip string, err error)
	DeleteLoadBalancer(ctx context.Context, project, region, name string) error
	// AddNodes asks whether quota allows count more nodes of the pool and
	// records them as instances; RemoveNodes gives them back.
	AddNodes(ctx context.Context, clusterID, pool string, nodes []string) error
	RemoveNodes(ctx context.Context, clusterID, pool string, nodes []string) error
	// Latency is how long the named thing takes now: "node-boot",
	// "load-balancer", "disk", "pod-start", "autoscaler-scale-up", "autoscaler-scale-down".
	Latency(name string) Latency
	// Fault returns the scripted fault that applies to this point now, and
	// consumes one of its uses; nil when there is none.
	Fault(point string, cluster string) *Fault
}

// Backends answers on a load balancer's address in place of pods that KWOK
// only pretends to run.
type Backends interface {
	// Handler serves one port of a Service of the cluster. It answers 503
	// while the Service has no ready pod.
	Handler(clusterID string, client kubernetes.Interface, service *corev1.Service, port int32) http.Handler
	// Port serves a port of one pod, as it answers to whoever connects to the
	// pod itself. An error means that the pod refuses the connection.
	Port(ctx context.Context, clusterID string, client kubernetes.Interface, pod *corev1.Pod, port int32) (http.Handler, error)
}
