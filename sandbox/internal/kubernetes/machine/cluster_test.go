package machine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/guest"
)

func testHost(t *testing.T) *Host {
	t.Helper()
	dir := t.TempDir()
	return &Host{cfg: Config{Dir: dir, Network: "10.77", Log: slog.New(slog.DiscardHandler)}, id: ID(dir)}
}

// TestAddressPlan sees that no two nodes, pods' ranges or clusters share an
// address, and that names fit into the kernel's 15 characters.
func TestAddressPlan(t *testing.T) {
	h := testHost(t)
	var taken []*net.IPNet
	claim := func(cidr string) {
		t.Helper()
		_, n, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range taken {
			if other.Contains(n.IP) || n.Contains(other.IP) {
				t.Fatalf("%s overlaps with %s", n, other)
			}
		}
		taken = append(taken, n)
	}
	for i := range Clusters {
		c := h.Cluster(ClusterConfig{Index: i})
		claim(c.Gateway() + "/32")
		_, all, err := net.ParseCIDR(c.network())
		if err != nil {
			t.Fatal(err)
		}
		for n := range nodesPerCluster {
			claim(c.nodeAddress(n) + "/32")
			claim(c.podRange(n))
			if !all.Contains(net.ParseIP(c.nodeAddress(n))) || !all.Contains(taken[len(taken)-1].IP) {
				t.Errorf("node %d of cluster %d lies outside %s", n, i, all)
			}
			if name := c.plugName(n); len(name) > 15 {
				t.Errorf("interface name %s is too long", name)
			}
		}
	}
}

// TestIndex sees that a node keeps its addresses over a restart and that a
// removed node's are given away again.
func TestIndex(t *testing.T) {
	h := testHost(t)
	dir := t.TempDir()
	c := h.Cluster(ClusterConfig{Dir: dir, Discard: os.RemoveAll})
	add := func(name string) int {
		t.Helper()
		n, err := c.index(name)
		if err != nil {
			t.Fatal(err)
		}
		spec := c.spec(Machine{Name: name}, n)
		if err := os.MkdirAll(spec.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := spec.Save(filepath.Join(spec.Dir, specName)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	got := []int{add("a"), add("b"), add("a"), add("c"), add("b")}
	if diff := cmp.Diff([]int{0, 1, 0, 2, 1}, got); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	if err := c.Shut(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if n := add("d"); n != 1 {
		t.Errorf("index of a new node is %d; want 1, which is free", n)
	}
	for i := 3; i < nodesPerCluster; i++ {
		add(fmt.Sprint("n", i))
	}
	if _, err := c.index("one-more"); err == nil {
		t.Error("a node that has no room got an index")
	}
}

func TestSpec(t *testing.T) {
	h := testHost(t)
	c := h.Cluster(ClusterConfig{Index: 1, Dir: "/d", ServiceDNS: "34.118.224.10"})
	got := c.spec(Machine{Name: "n", Zone: "z", MilliCPU: 940, MemoryBytes: 4 << 30, AllocatableCPU: 900, AllocatableBytes: 3 << 30}, 2)
	want := guest.Spec{
		Name: "n", Zone: "z", Dir: "/d/n", Cgroup: "/daskbot-" + h.id + "/n",
		Address: "10.77.16.4/24", Gateway: "10.77.16.1", PodRange: "10.77.18.0/25", ClusterPods: "10.77.16.0/20",
		ServiceDNS: "34.118.224.10", CPUs: 1, MemoryBytes: 4 << 30, ReservedMilliCPU: 40, ReservedBytes: 1<<30 - 100<<20,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestBootAfterTheEnd(t *testing.T) {
	c := testHost(t).Cluster(ClusterConfig{Dir: t.TempDir()})
	close(c.over)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Boot(ctx, Machine{Name: "n"}); err == nil {
		t.Error("a node was booted in a cluster that has ended")
	}
	if len(c.nodes) > 0 {
		t.Errorf("nodes are %v; want none", c.nodes)
	}
}

// TestOneNodesEnd sees that a node whose control group cannot be removed ends
// alone: an error would end its whole cluster.
func TestOneNodesEnd(t *testing.T) {
	busy := t.TempDir() // stands for a group that is never empty
	if err := os.WriteFile(filepath.Join(busy, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		h := testHost(t)
		h.cfg.Node = []string{"daskbot-node"}
		c := h.Cluster(ClusterConfig{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
		n := &node{cluster: c, asked: ctx, gone: make(chan struct{}), spec: guest.Spec{Name: "n", Cgroup: "/../../../../../../../.." + busy}}
		if err := n.run(ctx); err != nil {
			t.Errorf("got %v; want nothing, since the node has ended", err)
		}
		<-n.gone
	})
}

// TestUnplugged sees a node's cable go although something holds on to the
// node's network: a socket whose last bytes nobody acknowledges does for minutes,
// and here an open file does.
func TestUnplugged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	namespace := exec.Command("sleep", "60")
	namespace.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := namespace.Start(); err != nil {
		t.Skipf("this machine allows no network namespaces: %v", err)
	}
	held, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", namespace.Process.Pid))
	_ = namespace.Process.Kill()
	_ = namespace.Wait() // killed
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()

	c := testHost(t).Cluster(ClusterConfig{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	n := &node{cluster: c, spec: guest.Spec{Name: "n"}}
	cable := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: guest.Interface, PeerNamespace: netlink.NsFd(held.Fd())}
	cable.Name = c.plugName(0)
	if err := netlink.LinkAdd(cable); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"plugged in", "unplugged"} {
		if err := n.unplug(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if link, err := netlink.LinkByName(cable.Name); !errors.As(err, &netlink.LinkNotFoundError{}) {
			t.Errorf("%s: got %v, %v; want no cable", when, link, err)
		}
	}
}

// TestForwardingIsPutBack sees the kernel's switch stay on as long as any
// sandbox needs it, and no longer.
func TestForwardingIsPutBack(t *testing.T) {
	dir, users := t.TempDir(), 0
	s := toggle{kernel: filepath.Join(dir, "kernel"), note: filepath.Join(dir, "note"), users: func() (int, error) { return users, nil }}
	must := func(err error, want string) {
		t.Helper()
		got, _ := os.ReadFile(s.kernel)
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Fatalf("the switch is %q, %v; want %s", got, err, want)
		}
	}
	must(os.WriteFile(s.kernel, []byte("0\n"), 0o600), "0")
	must(s.on(), "1") // the first sandbox
	must(s.on(), "1") // a second one
	users = 1
	must(s.back(), "1") // the first one goes
	users = 0
	must(s.back(), "0")
	if _, err := os.Stat(s.note); err == nil {
		t.Error("the note stays, with nothing left to put back")
	}
	must(os.WriteFile(s.kernel, []byte("1\n"), 0o600), "1")
	must(s.on(), "1")
	must(s.back(), "1") // it was on before anybody came
}

func TestNothingIsLeftOfNothing(t *testing.T) {
	got, err := Leftovers(t.Context(), filepath.Join(t.TempDir(), "no-sandbox-was-here"))
	if err != nil || len(got) > 0 {
		t.Errorf("Leftovers = %v, %v; want nothing", got, err)
	}
}
