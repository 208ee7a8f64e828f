package machine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
)

// Packages are the Debian packages that real nodes need.
const Packages = "containerd runc containernetworking-plugins iptables nftables iproute2 conntrack"

// Config is what a Host needs.
type Config struct {
	Dir      string       // below which the nodes' files lie; its path makes the id
	Network  string       // first two bytes of the addresses of nodes and pods, such as "10.77"
	Services string       // where clusters have the addresses of their Services, such as "34.118.224.0/20"
	Node     []string     // program that runs inside nodes
	DNS      []string     // CoreDNS
	Disks    string       // contents of the cloud's disks
	Registry http.Handler // stands for every image registry; nil: images come from where their names say
	Log      *slog.Logger
}

// Host is this computer, as far as one sandbox's real nodes use it.
type Host struct {
	cfg      Config
	id       string
	networks string // directory of the CNI plug-ins
}

// ID is the id of a state directory.
func ID(dir string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(dir)) // never fails
	return fmt.Sprintf("%08x", h.Sum32())
}

// New looks whether this computer can run real nodes and says what it lacks
// when it cannot. It changes nothing.
func New(cfg Config) (*Host, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	h := &Host{cfg: cfg, id: ID(dir)}
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return nil, errors.New("real nodes need root on Linux, because they are made of namespaces, mounts and control groups: use sudo, or --nodes simulated")
	}
	if h.networks, err = networkPlugins(); err != nil {
		return nil, err
	}
	for _, program := range []string{"containerd", "runc", "iptables", "nft", cfg.Node[0], cfg.DNS[0]} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("real nodes need %s, which is not there: apt-get install %s, and scripts/build.sh daskbot-node daskbot-dns", program, Packages)
		}
	}
	return h, h.checkNetwork()
}

// networkPlugins finds the directory with the standard CNI plug-ins: Debian's
// place or the one their own project uses.
func networkPlugins() (string, error) {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(dir, "ptp")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("real nodes need the standard CNI plug-ins, and neither /usr/lib/cni nor /opt/cni/bin has them: apt-get install %s", Packages)
}

// checkNetwork fails when the host itself has an address in our network.
func (h *Host) checkNetwork() error {
	_, network, err := net.ParseCIDR(h.network())
	if err != nil {
		return fmt.Errorf("network %s of the nodes: %w", h.cfg.Network, err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	for _, link := range links {
		if strings.HasPrefix(link.Attrs().Name, h.prefix()) {
			continue // left by a sandbox that was killed
		}
		addresses, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			continue // it went away while we looked
		}
		for _, a := range addresses {
			if network.Contains(a.IP) || a.Contains(network.IP) {
				return fmt.Errorf("the nodes' network %s overlaps with %s of %s on this machine: give the sandbox another --state", network, a.IPNet, link.Attrs().Name)
			}
		}
	}
	return nil
}

// network is where all nodes and pods of this sandbox have their addresses.
func (h *Host) network() string { return h.cfg.Network + ".0.0/16" }

// prefix begins the names of our network interfaces; they may have 15
// characters.
func (h *Host) prefix() string { return "db" + h.id }

// table is the name of our packet filter table.
func table(id string) string { return "daskbot-" + id }

// group is the control group that holds all our nodes.
func group(id string) string { return "/daskbot-" + id }

// Open removes what an earlier run was not allowed to remove, and lets nodes
// reach what this computer reaches. Close undoes it.
func (h *Host) Open(ctx context.Context) error {
	if err := h.Close(ctx); err != nil {
		return fmt.Errorf("clear what an earlier sandbox left: %w", err)
	}
	if err := forwarding.on(); err != nil {
		return fmt.Errorf("let packets through to the nodes: %w", err)
	}
	return h.filter(ctx)
}

// Close removes everything that is not in the state directory. The clusters
// must be down.
func (h *Host) Close(ctx context.Context) error {
	return Clear(ctx, h.cfg.Dir)
}

// filter lets pods reach what this computer reaches, under its address. What
// is meant for a Service that no node knows yet, or for a pod that is gone, is
// refused here: outside, a stranger might answer in its place.
func (h *Host) filter(ctx context.Context) error {
	rules := fmt.Sprintf(`table ip %[1]s {
	chain leave {
		type nat hook postrouting priority srcnat;
		ip saddr %[2]s ip daddr != %[2]s masquerade
	}
	chain stray {
		ip daddr %[3]s meta l4proto tcp reject with tcp reset
		ip daddr %[3]s reject
		ip daddr %[2]s oifname != "%[4]s-*" meta l4proto tcp reject with tcp reset
		ip daddr %[2]s oifname != "%[4]s-*" reject
	}
	chain pass {
		type filter hook forward priority filter;
		ip saddr %[2]s jump stray
	}
	chain send {
		type filter hook output priority filter;
		ip daddr %[2]s oifname != "lo" jump stray
	}
}
`, table(h.id), h.network(), h.cfg.Services, h.prefix())
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make packet filter table: %w: %s", err, out)
	}
	return nil
}
