package chaos

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/provision"
	"github.com/daskbot/daskbot/internal/store"
)

// What TestScale reads of its environment: how many environments, on how many
// replicas, and on which store when it is not a file of its own.
const (
	scaleCount    = "DASKBOT_SCALE"
	scaleReplicas = "DASKBOT_SCALE_REPLICAS"
	scaleStore    = "DASKBOT_SCALE_STORE"
)

// quick is a cloud that does what is asked, in the times below: what is left
// is our own work. Several replicas use it at once.
type quick struct {
	mu       sync.Mutex
	made     map[string]time.Time
	released map[string]environment.SeenRelease
}

// The times that quick takes.
const (
	clusterTakes = 10 * time.Second
	helmTakes    = 100 * time.Millisecond
)

// askedAtOnce is how many requests are answered at once.
const askedAtOnce = 50

func (q *quick) Create(_ context.Context, c environment.Cluster) (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.made[c.Name]; !ok {
		q.made[c.Name] = time.Now()
	}
	return "operation-" + c.Name, nil
}

func (q *quick) Observe(_ context.Context, _ string, at environment.ClusterAttempt, _ string) (environment.SeenCluster, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	made, ok := q.made[at.Name]
	switch {
	case !ok:
		return environment.SeenCluster{State: environment.CloudAbsent}, nil
	case time.Since(made) < clusterTakes:
		return environment.SeenCluster{State: environment.CloudProvisioning, Busy: "operation-1", Mine: true, ClusterID: strings.TrimPrefix(at.Name, "dask-")}, nil
	default:
		return environment.SeenCluster{State: environment.CloudRunning, Mine: true, ClusterID: strings.TrimPrefix(at.Name, "dask-"), Nodes: 1, MaxNodes: 3}, nil
	}
}

func (q *quick) Target(_ context.Context, c environment.Cluster) (environment.Target, error) {
	return environment.Target{Host: c.Name}, nil
}

func (q *quick) Delete(context.Context, string, environment.ClusterAttempt) (string, error) {
	return "", nil
}
func (q *quick) Resize(context.Context, environment.Cluster) (string, error)   { return "", nil }
func (q *quick) Check(context.Context, string, environment.ClusterShape) error { return nil }
func (q *quick) Allowed(context.Context, string) error                         { return nil }
func (q *quick) Owned(context.Context, string) ([]environment.OwnedCluster, bool, error) {
	return nil, true, nil
}

type quickInside struct{ *quick }

func (quickInside) Prepare(context.Context, environment.Target, environment.Plan) error { return nil }
func (quickInside) Apply(context.Context, environment.Target, string, string) error     { return nil }
func (quickInside) Remove(context.Context, environment.Target, string, string) error    { return nil }
func (quickInside) Observe(_ context.Context, t environment.Target, p environment.Plan) (environment.SeenWorkloads, error) {
	return environment.SeenWorkloads{Prepared: true, Ready: 3, Wanted: 3, Address: "http://" + p.Namespace + "." + t.Host}, nil
}
func (quickInside) Inventory(context.Context, environment.Target, environment.Plan) ([]environment.Resource, error) {
	return nil, nil
}
func (quickInside) Unexpose(context.Context, environment.Target, environment.Plan) error { return nil }
func (quickInside) Exposed(context.Context, environment.Target, environment.Plan) (int, error) {
	return 0, nil
}
func (quickInside) Logs(context.Context, environment.Target, environment.Plan, string, int, io.Writer) error {
	return nil
}
func (quickInside) Kubeconfig(context.Context, environment.Target, environment.Plan) ([]byte, error) {
	return nil, nil
}

type quickCharts struct{ *quick }

func (quickCharts) Resolve(context.Context, environment.Release) (string, error) { return "1.0.0", nil }
func (quickCharts) Check(context.Context, environment.Release) error             { return nil }
func (q quickCharts) Observe(_ context.Context, t environment.Target, ns, name string) (environment.SeenRelease, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s, ok := q.released[t.Host+"/"+ns+"/"+name]; ok {
		return s, nil
	}
	return environment.SeenRelease{Status: environment.ReleaseAbsent}, nil
}
func (q quickCharts) Converge(ctx context.Context, t environment.Target, ns string, r environment.Release, hash string) error {
	wait := time.NewTimer(helmTakes)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.released[t.Host+"/"+ns+"/"+r.Name] = environment.SeenRelease{Status: environment.ReleaseDeployed, Hash: hash}
	return nil
}
func (quickCharts) Uninstall(context.Context, environment.Target, string, string) error { return nil }

type quickCompute struct{}

func (quickCompute) Shortfall(context.Context, string, string, environment.ClusterShape) (string, error) {
	return "", nil
}
func (quickCompute) Leftovers(context.Context, string, string, []environment.Resource) ([]environment.Resource, error) {
	return nil, nil
}
func (quickCompute) Delete(context.Context, environment.Resource) error { return nil }

type openDoor struct{}

func (openDoor) Open(context.Context, environment.AccessKind, environment.Credentials) error {
	return nil
}

// roomy is the shelf without limits.
type roomy struct{ shelf }

func (r roomy) Policy() environment.Policy {
	p := r.shelf.Policy()
	p.MaxPerOwner, p.MaxPerCourse, p.MaxTotal = 1e6, 1e6, 1e6
	return p
}

// TestScale brings many environments up at once and says how long it took; it
// is what `make bench BENCH=scale` runs. All replicas are in this process.
func TestScale(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv(scaleCount))
	if n == 0 {
		t.Skip(scaleCount + " says how many; make bench BENCH=scale sets it")
	}
	replicas, _ := strconv.Atoi(os.Getenv(scaleReplicas))
	url := os.Getenv(scaleStore)
	if url == "" {
		url = "sqlite:" + filepath.Join(t.TempDir(), "scale.db")
	}
	began, used := time.Now(), cpu(t)
	q := &quick{made: map[string]time.Time{}, released: map[string]environment.SeenRelease{}}
	var mu sync.Mutex
	passes := make([]int, max(replicas, 1))
	var service *environment.Service
	var kept environment.Store
	for i := range passes {
		s, err := store.Open(t.Context(), store.Config{URL: url, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		service, kept = q.service(s), s
		runner := provision.New(provision.Ports{Store: s, Clusters: q, Given: given{}, Workloads: quickInside{q}, Charts: quickCharts{q}, Compute: quickCompute{}, Door: openDoor{}},
			provision.Config{Installation: installation, Log: slog.New(slog.DiscardHandler), Limits: provision.Limits{Creates: 100, Helm: 20}})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			done <- s.Run(ctx, func(ctx context.Context, job environment.Job) (time.Duration, error) {
				mu.Lock()
				passes[i]++
				mu.Unlock()
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("a pass over %s: %v", job.ID, p)
						panic(p)
					}
				}()
				return runner.Work(ctx, job)
			})
		}()
		t.Cleanup(func() { stop(); <-done; _ = s.Close() })
	}
	var asking errgroup.Group
	asking.SetLimit(askedAtOnce)
	for i := range n {
		asking.Go(func() error {
			_, _, err := service.Up(t.Context(), boss, environment.Request{Owner: fmt.Sprintf("s%05d", i), Profile: "own"})
			return err
		})
	}
	if err := asking.Wait(); err != nil {
		t.Fatal(err)
	}
	asked := time.Since(began)
	awaitReady(t, kept, n)
	took := time.Since(began)
	total := 0
	for _, p := range passes {
		total += p
	}
	t.Logf("scale: n %d replicas %d asked %.2f seconds %.2f cpu %.2f rss %.1f passes %d (%v)", n, len(passes), asked.Seconds(), took.Seconds(),
		(cpu(t) - used).Seconds(), peakMB(t), total, passes)
}

func (q *quick) service(s environment.Store) *environment.Service {
	return environment.NewService(environment.ServiceConfig{Store: s, Feed: &environment.Feed{}, Catalogue: roomy{}, Clusters: q, Given: given{},
		Workloads: quickInside{q}, Installation: installation})
}

// awaitReady looks seldom, since looking is work, too.
func awaitReady(t *testing.T, s environment.Store, n int) {
	t.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	late := time.Now().Add(30 * time.Minute)
	for range tick.C {
		if time.Now().After(late) {
			t.Fatal("it took too long")
		}
		if t.Failed() {
			t.FailNow()
		}
		items, _, err := s.Environments(t.Context(), environment.Filter{States: []environment.State{environment.StatePending, environment.StateCreating, environment.StateFailed}, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			break
		}
		if items[0].State == environment.StateFailed {
			t.Fatalf("%s failed: %s", items[0].ID, items[0].Message)
		}
	}
	if live, err := s.CountLive(t.Context(), "", ""); live != n || err != nil {
		t.Fatalf("%d are live, %v; want %d", live, err, n)
	}
}

// cpu is what this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMB is the most memory that this process has had.
func peakMB(t *testing.T) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Maxrss) / 1024
}
