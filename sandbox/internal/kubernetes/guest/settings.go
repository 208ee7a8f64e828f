package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeproxyconfig "k8s.io/kube-proxy/config/v1alpha1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

// settings are the files that configure a node's programs, by path.
type settings map[string][]byte

// SpecFile is where a node's own processes read its specification.
const SpecFile = settingsDir + "/spec.json"

const (
	containerdSettings = settingsDir + "/containerd.toml"
	kubeletSettings    = settingsDir + "/kubelet.yaml"
	proxySettings      = settingsDir + "/kube-proxy.yaml"
	kubeconfigFile     = settingsDir + "/kubeconfig"
	clientCAFile       = settingsDir + "/client-ca.crt"
	resolvFile         = settingsDir + "/resolv.conf"
	networksDir        = settingsDir + "/net.d"
	registriesDir      = settingsDir + "/registries"
)

// readSettings prepares everything that has to be written below /run, while
// the host's files can still be seen.
func readSettings(spec Spec) (settings, error) {
	kubeconfig, err := os.ReadFile(spec.Kubeconfig)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(spec.ClientCA)
	if err != nil {
		return nil, err
	}
	kubelet, err := yaml.Marshal(kubeletConfiguration(spec))
	if err != nil {
		return nil, err
	}
	proxy, err := yaml.Marshal(proxyConfiguration(spec))
	if err != nil {
		return nil, err
	}
	own, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	all := settings{
		SpecFile:       own,
		kubeconfigFile: kubeconfig, clientCAFile: ca, kubeletSettings: kubelet, proxySettings: proxy,
		containerdSettings:             containerdConfiguration(spec),
		networksDir + "/pods.conflist": podNetwork(spec),
		// Names outside the cluster are the cluster DNS's to ask for.
		resolvFile: []byte("nameserver " + spec.ServiceDNS + "\n"),
	}
	if spec.Registry != "" {
		all[registriesDir+"/_default/hosts.toml"] = registryMirror(spec)
	}
	return all, nil
}

func (s settings) write() error {
	for path, data := range s {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// containerdConfiguration is understood by containerd 1.6 and later.
func containerdConfiguration(spec Spec) []byte {
	return fmt.Appendf(nil, `version = 2
root = %q
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  # A host may itself be a container that is not allowed to lower the score.
  restrict_oom_score_adj = true
  stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  # What is unpacked is not needed packed a second time.
  discard_unpacked_layers = true
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
`, containerdDir, socket, spec.ContainerNetworks, networksDir, registriesDir)
}

// registryMirror sends the pulls of every image, whatever its registry, to one
// address. The upstream registry's name comes along as ?ns=. It is the server
// too: containerd asks that one last, and without it that is the upstream
// registry, whose answer about a name that is not here is another one.
func registryMirror(spec Spec) []byte {
	return fmt.Appendf(nil, "server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", spec.Registry)
}

// podNetwork connects each pod to the node alone, as on GKE, so that all its
// traffic passes kube-proxy's rules there; a bridge would let the answer of a
// pod on the same node go past them.
func podNetwork(spec Spec) []byte {
	return fmt.Appendf(nil, `{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "mtu": 1460, "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`, spec.PodRange)
}

func kubeletConfiguration(spec Spec) *kubeletconfig.KubeletConfiguration {
	config := &kubeletconfig.KubeletConfiguration{
		TypeMeta:                 metav1.TypeMeta{APIVersion: kubeletconfig.SchemeGroupVersion.String(), Kind: "KubeletConfiguration"},
		ContainerRuntimeEndpoint: "unix://" + socket,
		CgroupRoot:               spec.Cgroup, CgroupDriver: "cgroupfs",
		FailCgroupV1: ptr.To(false), FailSwapOn: ptr.To(false),
		ClusterDomain: "cluster.local", ClusterDNS: []string{spec.ServiceDNS}, ResolverConfig: ptr.To(resolvFile),
		RotateCertificates: false, SerializeImagePulls: ptr.To(false), RegistryPullQPS: ptr.To(int32(0)),
		MaxPods: 110, PodCIDR: spec.PodRange,
		KubeReserved: map[string]string{
			"cpu": fmt.Sprintf("%dm", spec.ReservedMilliCPU), "memory": fmt.Sprint(spec.ReservedBytes),
		},
		// The disk is the host's: a host that is nine tenths full is not a
		// node in need.
		EvictionHard:                map[string]string{"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
		ImageGCHighThresholdPercent: ptr.To(int32(100)),
	}
	config.Authentication.X509.ClientCAFile = clientCAFile
	config.Authentication.Anonymous.Enabled = ptr.To(false)
	config.Authentication.Webhook.Enabled = ptr.To(false)
	config.Authorization.Mode = kubeletconfig.KubeletAuthorizationModeAlwaysAllow
	return config
}

func proxyConfiguration(spec Spec) *kubeproxyconfig.KubeProxyConfiguration {
	config := &kubeproxyconfig.KubeProxyConfiguration{
		TypeMeta:         metav1.TypeMeta{APIVersion: kubeproxyconfig.SchemeGroupVersion.String(), Kind: "KubeProxyConfiguration"},
		HostnameOverride: spec.Name, Mode: "iptables", ClusterCIDR: spec.ClusterPods,
	}
	config.ClientConnection.Kubeconfig = kubeconfigFile
	// The connection tracking limits are the host's.
	config.Conntrack.MaxPerCore, config.Conntrack.Min = ptr.To(int32(0)), ptr.To(int32(0))
	config.Conntrack.TCPEstablishedTimeout = &metav1.Duration{}
	config.Conntrack.TCPCloseWaitTimeout = &metav1.Duration{}
	return config
}
