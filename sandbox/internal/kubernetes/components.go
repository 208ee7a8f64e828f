package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/pki"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/process"
)

// Components are the names of the programs a control plane consists of, the
// keys of Config.Binaries.
var Components = []string{etcdName, apiserverName, controllerManagerName, schedulerName}

const (
	etcdName              = "etcd"
	apiserverName         = "kube-apiserver"
	controllerManagerName = "kube-controller-manager"
	schedulerName         = "kube-scheduler"

	// Every control plane has an address of its own, so ports never clash.
	etcdPort              = 2379
	etcdPeerPort          = 2380
	apiserverPort         = 6443
	controllerManagerPort = 10257
	schedulerPort         = 10259

	// ServiceRange is where GKE gives Services addresses by default.
	ServiceRange   = "34.118.224.0/20"
	serviceFirstIP = "34.118.224.1"
	serviceDNS     = "34.118.224.10"
)

// controllers are the loops of the controller manager that something in a
// cluster here depends on. The node lifecycle is left out because nodes are
// ready for as long as they exist; attach and detach because nothing mounts.
var controllers = []string{
	"serviceaccount-controller", "root-ca-certificate-publisher-controller", "namespace-controller",
	"garbage-collector-controller", "pod-garbage-collector-controller", "resourcequota-controller",
	"deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller",
	"job-controller", "cronjob-controller", "ttl-after-finished-controller", "disruption-controller",
	"endpoints-controller", "endpointslice-controller", "persistentvolume-binder-controller",
	"persistentvolumeclaim-protection-controller", "persistentvolume-protection-controller",
	"clusterrole-aggregation-controller", "serviceaccount-token-controller",
}

// nodeControllers are what real nodes need besides: they can stop answering.
var nodeControllers = []string{"node-lifecycle-controller", "taint-eviction-controller"}

// files are the places of one control plane's files.
type files struct {
	dir        string
	kubeconfig string
	tokens     string
	pki        pki.Files
}

func filesIn(dir string) files {
	return files{
		dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig"), tokens: filepath.Join(dir, "tokens.csv"),
		pki: pki.Layout(filepath.Join(dir, "pki")),
	}
}

// write makes the token file and the kubeconfig of the control plane's own
// parts.
func (f files) write(ip, token string) error {
	line := fmt.Sprintf("%s,daskbot-sandbox,daskbot-sandbox,\"system:masters\"\n", token)
	if err := os.WriteFile(f.tokens, []byte(line), 0o600); err != nil {
		return err
	}
	return os.WriteFile(f.kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://%s:%d", certificate-authority: %q}}]
users: [{name: u, user: {token: %q}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, ip, apiserverPort, f.pki.CACert, token), 0o600)
}

// etcd is the shared store.
func (p *Planes) etcd() *process.Process {
	url := fmt.Sprintf("http://%s:%d", p.etcdIP(), etcdPort)
	peer := fmt.Sprintf("http://%s:%d", p.etcdIP(), etcdPeerPort)
	return p.process(etcdName, p.cfg.StateDir, 3*time.Second,
		"--name=sandbox", "--data-dir="+filepath.Join(p.cfg.StateDir, "etcd"),
		// A machine that loses power may lose the sandbox; a killed process
		// loses nothing, and that is what the sandbox promises.
		"--unsafe-no-fsync",
		"--listen-client-urls="+url, "--advertise-client-urls="+url,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=sandbox="+peer,
		"--quota-backend-bytes=8589934592", "--snapshot-count=5000", "--log-level=error",
	)
}

func (c *cluster) apiserver() *process.Process {
	f := c.files
	flags := []string{
		fmt.Sprintf("--etcd-servers=http://%s:%d", c.planes.etcdIP(), etcdPort), "--etcd-prefix=" + c.prefix(),
		"--bind-address=" + c.apiIP(), fmt.Sprintf("--secure-port=%d", apiserverPort),
		"--tls-cert-file=" + f.pki.ServingCert, "--tls-private-key-file=" + f.pki.ServingKey, "--client-ca-file=" + f.pki.CACert,
		"--service-account-key-file=" + f.pki.ServiceAccountPublic, "--service-account-signing-key-file=" + f.pki.ServiceAccountKey,
		"--service-account-issuer=https://kubernetes.default.svc", "--token-auth-file=" + f.tokens,
		"--authorization-mode=RBAC", "--allow-privileged=true", "--service-cluster-ip-range=" + ServiceRange,
		// What follows only costs memory and wake-ups in a cluster of one
		// server that a test soon deletes.
		"--enable-priority-and-fairness=false", "--profiling=false",
		"--max-requests-inflight=200", "--max-mutating-requests-inflight=100", "--v=0",
	}
	return c.planes.process(apiserverName, f.dir, 0, append(flags, c.nodeFlags()...)...)
}

// nodeFlags are how the API server deals with nodes.
func (c *cluster) nodeFlags() []string {
	flags := []string{"--kubelet-client-certificate=" + c.files.pki.KubeletClientCert, "--kubelet-client-key=" + c.files.pki.KubeletClientKey}
	if c.machines == nil {
		return append(flags,
			// Where simulated nodes say that their kubelet is.
			"--kubelet-preferred-address-types=InternalDNS",
			"--advertise-address=10.128.0.1", "--endpoint-reconciler-type=none",
			// Nodes are schedulable from the start; no node controller is
			// there to remove the taint this plugin sets.
			"--disable-admission-plugins=TaintNodesByCondition",
		)
	}
	return append(flags,
		"--advertise-address="+c.apiIP(),
		"--kubelet-preferred-address-types=InternalIP",
		// Webhooks and extension servers are called at their pods' addresses,
		// because the host does not know the addresses of Services.
		"--enable-aggregator-routing=true",
	)
}

func (c *cluster) controllerManager() *process.Process {
	f, loops := c.files, controllers
	if c.machines != nil {
		loops = append(slices.Clone(controllers), nodeControllers...)
	}
	return c.planes.process(controllerManagerName, f.dir, 0,
		"--kubeconfig="+f.kubeconfig, "--authentication-kubeconfig="+f.kubeconfig, "--authorization-kubeconfig="+f.kubeconfig,
		"--authentication-skip-lookup=true",
		"--bind-address="+c.ip(), fmt.Sprintf("--secure-port=%d", controllerManagerPort), "--leader-elect=false",
		"--service-account-private-key-file="+f.pki.ServiceAccountKey, "--root-ca-file="+f.pki.CACert,
		"--controllers="+strings.Join(loops, ","), "--cluster-name="+c.record.Spec.Name,
		"--kube-api-qps=200", "--kube-api-burst=400", "--profiling=false", "--v=0",
	)
}

func (c *cluster) scheduler() *process.Process {
	f := c.files
	return c.planes.process(schedulerName, f.dir, 0,
		"--kubeconfig="+f.kubeconfig, "--authentication-kubeconfig="+f.kubeconfig, "--authorization-kubeconfig="+f.kubeconfig,
		"--authentication-skip-lookup=true",
		"--bind-address="+c.ip(), fmt.Sprintf("--secure-port=%d", schedulerPort), "--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400", "--profiling=false", "--v=0",
	)
}

// process is a child that runs one component and logs beside its files.
func (p *Planes) process(component, dir string, grace time.Duration, flags ...string) *process.Process {
	argv := append(append([]string{}, p.cfg.Binaries[component]...), flags...)
	return &process.Process{
		Name: component, Argv: argv, Grace: grace, Log: filepath.Join(dir, component+".log"),
		// Memory is what limits how many clusters there can be; collecting
		// garbage twice as often is the cheaper side.
		Env: []string{"GOGC=50", "GOMAXPROCS=2"},
	}
}
