package guest

import (
	"encoding/json"
	"fmt"
	"os"
)

// Spec is what a node is told before it boots.
type Spec struct {
	Name string `json:"name"`
	Zone string `json:"zone"`

	Dir        string `json:"dir"`        // everything the node keeps; its /var
	Disks      string `json:"disks"`      // contents of the cloud's disks: PROJECT/ZONE/NAME
	Kubeconfig string `json:"kubeconfig"` // of the kubelet and kube-proxy
	ClientCA   string `json:"clientCA"`   // who signs those that may call the kubelet
	Cgroup     string `json:"cgroup"`     // the node's control group, such as /sandbox/node

	Address     string `json:"address"`     // the node's own, with prefix length
	Gateway     string `json:"gateway"`     // the host's address on the cluster's bridge
	PodRange    string `json:"podRange"`    // addresses of this node's pods
	ClusterPods string `json:"clusterPods"` // addresses of the whole cluster
	ServiceDNS  string `json:"serviceDNS"`  // address of the cluster's DNS service
	Registry    string `json:"registry"`    // host:port of the registry that mirrors all others; may be empty

	CPUs             int   `json:"cpus"`
	MemoryBytes      int64 `json:"memoryBytes"`
	ReservedMilliCPU int64 `json:"reservedMilliCPU"`
	ReservedBytes    int64 `json:"reservedBytes"`

	ContainerNetworks string `json:"containerNetworks"` // directory of the CNI plug-ins
}

// Load reads a spec from a file.
func Load(path string) (s Spec, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read node specification: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read node specification %s: %w", path, err)
	}
	return s, nil
}

// Save writes the spec so that a kill leaves either the old or the new one.
func (s Spec) Save(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
