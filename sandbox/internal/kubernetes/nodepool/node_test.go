package nodepool

import (
	"regexp"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

func TestName(t *testing.T) {
	tests := map[string]struct{ cluster, pool, want string }{
		"usual":           {"dask-hub-k8s", "default-pool", `^gke-dask-hub-k8s-default-pool-[0-9a-f]{8}-[a-z0-9]{4}$`},
		"long":            {"a-cluster-name-of-forty-characters-abcdef", "a-pool-name-of-forty-characters-abcdefgh", `^gke-a-cluster-name-of-fo-a-pool-name-of-forty-[0-9a-f]{8}-[a-z0-9]{4}$`},
		"cut at a hyphen": {"nineteen-characters-x", "p", `^gke-nineteen-characters-p-[0-9a-f]{8}-[a-z0-9]{4}$`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Name(cloud.ClusterSpec{ID: "c1", Name: test.cluster}, test.pool, "z")
			if !regexp.MustCompile(test.want).MatchString(got) {
				t.Errorf("got %s; want %s", got, test.want)
			}
			if errs := validation.IsDNS1123Label(got); len(errs) > 0 {
				t.Errorf("%s is no DNS label: %v", got, errs)
			}
		})
	}
}

// The figures are those GKE documents for its machine types.
func TestAllocatable(t *testing.T) {
	const gib = 1 << 30
	tests := map[string]struct{ milli, wantMilli, bytes, wantMiB int64 }{
		"e2-standard-2": {2000, 1930, 8 * gib, 8192 - 1024 - 820 - 100 + 1},
		"n1-standard-4": {4000, 3920, 15 * gib, 15360 - 1024 - 820 - 717 - 100 + 1},
		"n2-standard-8": {8000, 7910, 32 * gib, 32768 - 1024 - 820 - 820 - 984 - 100 + 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := AllocatableCPU(test.milli); got != test.wantMilli {
				t.Errorf("CPU is %d; want %d", got, test.wantMilli)
			}
			if got := AllocatableMemory(test.bytes) >> 20; got < test.wantMiB-2 || got > test.wantMiB+2 {
				t.Errorf("memory is %d MiB; want about %d", got, test.wantMiB)
			}
		})
	}
}

func TestWanted(t *testing.T) {
	auto := cloud.NodePool{Name: "p", Autoscaling: true, Count: 1, Min: 1, Max: 5}
	resized := auto
	resized.Count = 4
	narrowed := auto
	narrowed.Max = 2
	tests := map[string]struct {
		pool   cloud.NodePool
		before []cloud.NodePool
		size   int
		want   int
	}{
		"new pool":                     {pool: auto, want: 1},
		"the autoscaler's size stays":  {pool: auto, before: []cloud.NodePool{auto}, size: 3, want: 3},
		"an explicit resize wins":      {pool: resized, before: []cloud.NodePool{auto}, size: 3, want: 4},
		"limits narrow":                {pool: narrowed, before: []cloud.NodePool{auto}, size: 3, want: 2},
		"fixed pools are what is said": {pool: cloud.NodePool{Name: "p", Count: 0}, before: []cloud.NodePool{auto}, size: 3, want: 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := wanted(test.pool, test.before, test.size); got != test.want {
				t.Errorf("got %d; want %d", got, test.want)
			}
		})
	}
}
