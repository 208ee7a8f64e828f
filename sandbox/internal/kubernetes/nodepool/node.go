package nodepool

import (
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

const (
	// PoolLabel carries a node's pool, as on GKE.
	PoolLabel = "cloud.google.com/gke-nodepool"
	// TopologyZone is the key by which persistent disks know their zone.
	TopologyZone = "topology.gke.io/zone"

	playedByKWOK = "kwok.x-k8s.io/node"
)

// Name makes a node's name in GKE's form, gke-CLUSTER-POOL-HASH-RAND. The hash
// stands for the pool's instance group in the zone.
func Name(cluster cloud.ClusterSpec, pool, zone string) string {
	return GroupPrefix(cluster, pool, zone) + "-" + strings.ToLower(rand.Text()[:4])
}

// GroupPrefix is what the names of all nodes of a pool in a zone begin with.
// Long names are cut so that a node's name stays a DNS label.
func GroupPrefix(cluster cloud.ClusterSpec, pool, zone string) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(cluster.ID + "/" + pool + "/" + zone))
	return fmt.Sprintf("gke-%s-%s-%08x", cut(cluster.Name, 20), cut(pool, 20), hash.Sum32())
}

func cut(name string, limit int) string {
	if len(name) > limit {
		name = name[:limit]
	}
	return strings.Trim(name, "-")
}

// Build is the Kubernetes node of one machine of a pool. It is the template
// the autoscaler estimates with as well as what is registered.
func Build(cluster cloud.ClusterSpec, pool cloud.NodePool, name, zone string) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewMilliQuantity(pool.MilliCPU, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(pool.MemoryBytes, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(max(pool.DiskGB, 10)<<30, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(110, resource.DecimalSI),
	}
	allocatable := maps.Clone(capacity)
	allocatable[corev1.ResourceCPU] = *resource.NewMilliQuantity(AllocatableCPU(pool.MilliCPU), resource.DecimalSI)
	allocatable[corev1.ResourceMemory] = *resource.NewQuantity(AllocatableMemory(pool.MemoryBytes), resource.BinarySI)
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: nodeLabels(cluster, pool, name, zone), Annotations: map[string]string{
			playedByKWOK:                                             "fake",
			"container.googleapis.com/instance_id":                   name,
			"node.gke.io/last-applied-node-labels":                   PoolLabel + "=" + pool.Name,
			"volumes.kubernetes.io/controller-managed-attach-detach": "true",
		}},
		Spec: corev1.NodeSpec{
			ProviderID: fmt.Sprintf("gce://%s/%s/%s", cluster.Project, zone, name),
			Taints:     pool.Taints,
		},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: allocatable, Addresses: addresses(name), NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: "v" + strings.TrimPrefix(cluster.Version, "v"), ContainerRuntimeVersion: "containerd://2.1.5",
			OSImage: "Container-Optimized OS from Google", OperatingSystem: "linux", Architecture: "amd64", KernelVersion: "6.12.55+",
		}},
	}
	return node
}

func nodeLabels(cluster cloud.ClusterSpec, pool cloud.NodePool, name, zone string) map[string]string {
	all := map[string]string{
		PoolLabel:                           pool.Name,
		"cloud.google.com/gke-boot-disk":    pool.DiskType,
		"cloud.google.com/machine-family":   family(pool.MachineType),
		"cloud.google.com/gke-provisioning": "standard",
		corev1.LabelInstanceTypeStable:      pool.MachineType,
		"beta.kubernetes.io/instance-type":  pool.MachineType,
		corev1.LabelHostname:                name,
		corev1.LabelOSStable:                "linux",
		corev1.LabelArchStable:              "amd64",
		corev1.LabelTopologyZone:            zone,
		corev1.LabelTopologyRegion:          cluster.Region,
		TopologyZone:                        zone,
	}
	if pool.Spot {
		all["cloud.google.com/gke-spot"] = "true"
		all["cloud.google.com/gke-provisioning"] = "spot"
	}
	maps.Copy(all, pool.Labels)
	return all
}

// addresses gives a node an internal address in the range of an auto-mode
// network. It depends on the name only, and nothing answers there.
func addresses(name string) []corev1.NodeAddress {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	n := hash.Sum32()
	ip := fmt.Sprintf("10.128.%d.%d", n>>8&15, max(n&255, 2))
	return []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: ip}, {Type: corev1.NodeHostName, Address: name},
	}
}

func family(machineType string) string {
	name, _, _ := strings.Cut(machineType, "-")
	return name
}

// AllocatableCPU is what GKE leaves to pods of a machine's CPU: it keeps 6 %
// of the first core, 1 % of the second, 0.5 % of the next two and 0.25 % of
// the rest.
func AllocatableCPU(milli int64) int64 {
	return milli - reserved(milli, []step{{1000, 60}, {1000, 10}, {2000, 5}}, 2.5)
}

// AllocatableMemory is what GKE leaves to pods of a machine's memory: it keeps
// 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the
// next 112, 2 % of the rest, and 100 MiB for eviction.
func AllocatableMemory(bytes int64) int64 {
	const gib = 1 << 30
	kept := reserved(bytes, []step{{4 * gib, 250}, {4 * gib, 200}, {8 * gib, 100}, {112 * gib, 60}}, 20)
	return max(bytes-kept-100<<20, 0)
}

// step reserves so many thousandths of the next size units.
type step struct {
	size     int64
	permille float64
}

func reserved(total int64, steps []step, rest float64) int64 {
	var kept float64
	for _, s := range steps {
		part := min(total, s.size)
		kept += float64(part) * s.permille / 1000
		total -= part
	}
	return int64(kept + float64(total)*rest/1000)
}
