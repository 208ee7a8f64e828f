package cloud

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir string) *World {
	t.Helper()
	w, err := Open(Config{Dir: dir, Network: "127.201"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func smallPool() NodePool {
	return NodePool{Name: "default-pool", MachineType: "n1-standard-4", DiskGB: 100, DiskType: "pd-standard", Zones: []string{"europe-west1-b"}, Count: 1}
}

// runningCluster adds a cluster that has come up.
func runningCluster(t *testing.T, w *World, project, name string) Cluster {
	t.Helper()
	op, err := w.AddCluster(Cluster{Spec: ClusterSpec{
		Project: project, Location: "europe-west1-b", Region: "europe-west1", Name: name, Pools: []NodePool{smallPool()},
	}}, Lasting("CREATE_CLUSTER", time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(op.Name, nil, func(c *Cluster) { c.Status = Running }); err != nil {
		t.Fatal(err)
	}
	c, err := w.Cluster(project, "europe-west1-b", name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMachineTypes(t *testing.T) {
	tests := map[string]struct {
		cpus     int64
		memoryGB float64
		known    bool
	}{
		"n1-standard-4":  {4, 15, true},
		"e2-standard-2":  {2, 8, true},
		"e2-highmem-2":   {2, 16, true},
		"e2-medium":      {1, 4, true},
		"n2-highmem-8":   {8, 64, true},
		"n1-standard-5":  {},
		"z9-standard-4":  {},
		"n1-standard-4x": {},
		"":               {},
	}
	for name, want := range tests {
		m, ok := LookupMachineType(name)
		if ok != want.known || m.CPUs != want.cpus || m.MemoryGB() != want.memoryGB {
			t.Errorf("%s: got %d CPUs, %g GB, %t; want %+v", name, m.CPUs, m.MemoryGB(), ok, want)
		}
	}
}

// The prices are computed from rates; these are rows of the price list.
func TestMachineRatesAgreeWithThePriceList(t *testing.T) {
	tests := []struct {
		machine, region string
		onDemand, spot  float64
	}{
		{"n1-standard-4", "us-central1", 0.19000, 0.06701},
		{"n1-standard-4", "europe-west1", 0.20901, 0.08716},
		{"e2-standard-2", "us-central1", 0.06701, 0.04021},
		{"e2-standard-4", "europe-west4", 0.14754, 0.07053},
		{"e2-medium", "asia-southeast1", 0.04133, 0.02158},
		{"e2-highmem-2", "us-east4", 0.10181, 0.05582},
		{"n2-standard-4", "us-central1", 0.19424, 0.09212},
		{"n2d-standard-4", "us-central1", 0.16898, 0.04891},
	}
	for _, tc := range tests {
		m, _ := LookupMachineType(tc.machine)
		for spot, want := range map[bool]float64{false: tc.onDemand, true: tc.spot} {
			if got := machineRate(m, tc.region, spot); math.Abs(got-want)/want > 0.003 {
				t.Errorf("%s in %s, spot %t: got %.5f; want %.5f", tc.machine, tc.region, spot, got, want)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	tests := map[string]struct {
		region string
		zone   bool
	}{
		"europe-west1": {"europe-west1", false}, "europe-west1-b": {"europe-west1", true},
		"europe-west1-a": {"", false}, "mars": {"", false}, "": {"", false}, "-": {"", false},
	}
	for location, want := range tests {
		if RegionOf(location) != want.region || IsZone(location) != want.zone {
			t.Errorf("%q: got %q, %t; want %q, %t", location, RegionOf(location), IsZone(location), want.region, want.zone)
		}
	}
}

func TestStateSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	c := runningCluster(t, w, "sandbox-project", "one")
	if err := w.AddNodes(t.Context(), c.Spec.ID, "default-pool", []string{"n1"}); err != nil {
		t.Fatal(err)
	}
	op, err := w.Begin(func() Operation { op := Lasting("UPDATE_CLUSTER", time.Hour); op.ClusterID = c.Spec.ID; return op }(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// A write that a kill has cut short leaves its half behind.
	if err := os.WriteFile(filepath.Join(dir, "world.json.next"), []byte(`{"clusters":`), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if diff := cmp.Diff(w.Inventory(), again.Inventory()); diff != "" {
		t.Errorf("inventory after reopening (-before +after):\n%s", diff)
	}
	if got, err := again.Operation("sandbox-project", "europe-west1-b", op.Name); err != nil || got.Done() {
		t.Errorf("operation after reopening: got %+v, %v; want it running", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "world.json"), []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("a broken state file was taken for an empty one")
	}
}

func TestOneLockPerCluster(t *testing.T) {
	w := open(t, t.TempDir())
	a, b := runningCluster(t, w, "sandbox-project", "a"), runningCluster(t, w, "sandbox-project", "b")
	begin := func(c Cluster) (Operation, error) {
		op := Lasting("UPDATE_CLUSTER", time.Hour)
		op.ClusterID = c.Spec.ID
		return w.Begin(op, nil)
	}
	first, err := begin(a)
	if err != nil {
		t.Fatal(err)
	}
	_, err = begin(a)
	if CodeOf(err) != FailedPrecondition || !strings.Contains(err.Error(), "Cluster is running incompatible operation "+first.Name) {
		t.Errorf("second operation: got %v; want it refused with the name of the first", err)
	}
	if _, err := begin(b); err != nil {
		t.Errorf("operation on another cluster: %v", err)
	}
	if err := w.Finish(first.Name, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(a); err != nil {
		t.Errorf("operation after the first has ended: %v", err)
	}
}

func TestQuota(t *testing.T) {
	tests := map[string]struct {
		nodes int
		want  []string // metrics that are short
	}{
		"fits":           {nodes: 2},
		"cpus":           {nodes: 3, want: []string{"CPUS"}},
		"everything":     {nodes: 5, want: []string{"CPUS", "CPUS_ALL_REGIONS", "IN_USE_ADDRESSES"}},
		"nothing needed": {nodes: 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := open(t, t.TempDir())
			n := Needs{}
			n.Add(NodeNeeds(smallPool(), false), tc.nodes)
			err := w.CheckQuota("tiny-project", "europe-west1", "node", n)
			var got []string
			var q *QuotaError
			if errors.As(err, &q) {
				for _, s := range q.Shortages {
					got = append(got, s.Metric)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("shortages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuotaTexts(t *testing.T) {
	one := &QuotaError{Project: "p", Object: "vm", Shortages: []Shortage{{Metric: "CPUS", Region: "r", Requested: 12, Limit: 8}}}
	want := `Insufficient regional quota to satisfy request: resource "CPUS": request requires '12.0' and is short '4.0'. ` +
		`project has a quota of '8.0' with '8.0' available.`
	if got := one.Preflight(); !strings.HasPrefix(got, want) {
		t.Errorf("got %q; want it to begin %q", got, want)
	}
	two := &QuotaError{Project: "p", Object: "vm", Shortages: []Shortage{{Metric: "CPUS_ALL_REGIONS"}, {Metric: "CPUS", Region: "r"}}}
	if got := two.Preflight(); !strings.Contains(got, "(1) insufficient project quota") || !strings.Contains(got, "(2) insufficient regional quota") {
		t.Errorf("got %q; want numbered shortages", got)
	}
	if got := one.Error(); !strings.Contains(got, "Quota 'CPUS' exceeded. Limit: 8.0 in region r.") {
		t.Errorf("got %q", got)
	}
}

func TestNodesTakeQuotaAndLeaveWithTheCluster(t *testing.T) {
	ctx := t.Context()
	w := open(t, t.TempDir())
	c := runningCluster(t, w, "tiny-project", "one")
	if err := w.AddNodes(ctx, c.Spec.ID, "default-pool", []string{"n1", "n2"}); err != nil {
		t.Fatal(err)
	}
	if err := w.AddNodes(ctx, c.Spec.ID, "default-pool", []string{"n1", "n2"}); err != nil {
		t.Errorf("adding the same nodes again: %v", err)
	}
	err := w.AddNodes(ctx, c.Spec.ID, "default-pool", []string{"n2", "n3"})
	if CodeOf(err) != ResourceExhausted || w.NodeCount(c.Spec.ID, "") != 2 {
		t.Errorf("third node: got %v and %d nodes; want a quota error and 2", err, w.NodeCount(c.Spec.ID, ""))
	}
	if err := w.CreateDisk(ctx, "tiny-project", "europe-west1-b", Disk{Name: "pvc-1", Type: "pd-balanced", SizeGB: 5}); err != nil {
		t.Fatal(err)
	}
	if err := w.AttachDisk(ctx, "tiny-project", "europe-west1-b", "pvc-1", "n1"); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteDisk(ctx, "tiny-project", "europe-west1-b", "pvc-1"); CodeOf(err) != InUse {
		t.Errorf("deleting an attached disk: got %v; want %s", err, InUse)
	}
	op := Lasting("DELETE_CLUSTER", 0)
	op.ClusterID = c.Spec.ID
	if op, err = w.Begin(op, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.FinishDeletion(op.Name); err != nil {
		t.Fatal(err)
	}
	left := w.Inventory()
	if len(left) != 1 || left[0].Name != "pvc-1" {
		t.Errorf("left after the cluster: %+v; want the volume's disk alone", left)
	}
	if err := w.DeleteDisk(ctx, "tiny-project", "europe-west1-b", "pvc-1"); err != nil {
		t.Errorf("deleting the disk of a cluster that is gone: %v", err)
	}
}

func TestLoadBalancer(t *testing.T) {
	ctx := t.Context()
	w := open(t, t.TempDir())
	c := runningCluster(t, w, "sandbox-project", "one")
	lb := func(name string) LoadBalancer {
		return LoadBalancer{Name: name, Service: "ns/" + name, ClusterID: c.Spec.ID, ClusterName: "one", Ports: []int32{18080}}
	}
	ip, err := w.CreateLoadBalancer(ctx, "sandbox-project", "europe-west1", lb("aa"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.CreateLoadBalancer(ctx, "sandbox-project", "europe-west1", lb("aa")); err != nil || again != ip {
		t.Errorf("second create: got %s, %v; want %s", again, err, ip)
	}
	if other, err := w.CreateLoadBalancer(ctx, "sandbox-project", "europe-west1", lb("bb")); err != nil || other == ip {
		t.Errorf("another load balancer: got %s, %v; want another address than %s", other, err, ip)
	}
	for kind, location := range map[Kind]string{KindTargetPool: "europe-west1", KindAddress: "europe-west1"} {
		if _, err := w.Remove(kind, "sandbox-project", location, "aa"); CodeOf(err) != InUse {
			t.Errorf("removing the %s of a forwarding rule: got %v; want %s", kind, err, InUse)
		}
	}
	for _, name := range []string{"aa", "aa", "bb"} {
		if err := w.DeleteLoadBalancer(ctx, "sandbox-project", "europe-west1", name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if left := w.Inventory(); len(left) != 1 {
		t.Errorf("left after the load balancers: %+v; want the cluster alone", left)
	}
}

func TestFaultsFit(t *testing.T) {
	create := Occasion{Method: "CreateCluster", Project: "p", Location: "europe-west1-b", Cluster: "c"}
	tests := map[string]struct {
		fault Fault
		at    Occasion
		want  bool
	}{
		"any":               {Fault{Kind: "stockout"}, create, true},
		"other method":      {Fault{Kind: "stockout"}, Occasion{Method: "GetCluster"}, false},
		"by cluster":        {Fault{Kind: "stockout", Cluster: "c"}, create, true},
		"other cluster":     {Fault{Kind: "stockout", Cluster: "d"}, create, false},
		"by zone":           {Fault{Kind: "stockout", Zone: "europe-west1-b"}, create, true},
		"by region":         {Fault{Kind: "stockout", Zone: "europe-west1"}, create, true},
		"other zone":        {Fault{Kind: "stockout", Zone: "europe-west1-c"}, create, false},
		"other project":     {Fault{Kind: "stockout", Project: "q"}, create, false},
		"any method":        {Fault{Kind: "unavailable"}, Occasion{Method: "disks.list"}, true},
		"one method":        {Fault{Kind: "unavailable", Method: "disks.list"}, create, false},
		"method of a point": {Fault{Kind: "delete-fails", Method: "disks.delete"}, Occasion{Method: "disks.delete"}, true},
	}
	for name, tc := range tests {
		if got := tc.fault.fits(tc.at); got != tc.want {
			t.Errorf("%s: got %t; want %t", name, got, tc.want)
		}
	}
}

func TestFaultsAreUsedUp(t *testing.T) {
	w := open(t, t.TempDir())
	if _, err := w.AddFault(Fault{Kind: "no-such"}); CodeOf(err) != InvalidArgument {
		t.Errorf("unknown kind: got %v", err)
	}
	twice, err := w.AddFault(Fault{Kind: "no-address", Cluster: "hub", Times: 2})
	if err != nil {
		t.Fatal(err)
	}
	if f := w.Fault("no-address", "other"); f != nil {
		t.Errorf("fault of another cluster: got %+v", f)
	}
	var ids []string
	for range 3 {
		if f := w.Fault("load-balancer", "hub"); f != nil {
			ids = append(ids, f.ID)
		}
	}
	if diff := cmp.Diff([]string{twice.ID, twice.ID}, ids); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
	if len(w.Faults()) != 0 {
		t.Errorf("faults left: %v", w.Faults())
	}
}

func TestLatencies(t *testing.T) {
	w := open(t, t.TempDir())
	if err := w.SetLatencies("gke", map[string]Latency{DiskCreate: {Min: time.Second, Max: time.Second}}); err != nil {
		t.Fatal(err)
	}
	if got := w.Latency(DiskCreate).Draw(); got != time.Second {
		t.Errorf("disk: got %s; want 1s", got)
	}
	if got := w.Latency(ClusterCreate).Draw(); got < 190*time.Second || got > 214*time.Second {
		t.Errorf("cluster create at gke's times: got %s", got)
	}
	for name, err := range map[string]error{
		"preset":  w.SetLatencies("slow", nil),
		"name":    w.SetLatencies("", map[string]Latency{"tea": {}}),
		"reverse": w.SetLatencies("", map[string]Latency{PodStart: {Min: 2, Max: 1}}),
	} {
		if CodeOf(err) != InvalidArgument {
			t.Errorf("%s: got %v; want %s", name, err, InvalidArgument)
		}
	}
}

func TestRemoveRulesByCode(t *testing.T) {
	w := open(t, t.TempDir())
	if _, err := w.Remove(KindDisk, "sandbox-project", "europe-west1-b", "none"); CodeOf(err) != NotFound {
		t.Errorf("got %v; want %s", err, NotFound)
	}
	if err := w.DeleteDisk(t.Context(), "sandbox-project", "europe-west1-b", "none"); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

func TestDetachingADiskThatIsGoneSucceeds(t *testing.T) {
	w := open(t, t.TempDir())
	if err := w.AttachDisk(t.Context(), "sandbox-project", "europe-west1-b", "gone", ""); err != nil {
		t.Errorf("detach: got %v; want nil", err)
	}
	if err := w.AttachDisk(t.Context(), "sandbox-project", "europe-west1-b", "gone", "node"); CodeOf(err) != NotFound {
		t.Errorf("attach: got %v; want %s", err, NotFound)
	}
}
