package provision

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// late is a cloud whose creates are answered late or never, and whose clusters
// appear later than that.
type late struct {
	*world
	silent bool  // the process dies before there is any answer
	later  error // what is said clearly to those who ask again; nil for no answer either
	asked  *environment.Cluster
	at     time.Time
	tries  int
}

func (l *late) Create(_ context.Context, c environment.Cluster) (string, error) {
	if l.tries++; l.asked == nil {
		l.asked, l.at = &c, l.now.Add(createAnswer+10*time.Second)
	} else if l.later != nil {
		return "", l.later
	}
	if l.silent {
		panic(killed)
	}
	l.now = l.now.Add(createAnswer)
	return "", &environment.Error{Code: environment.CodeUnavailable, Ambiguous: true, Message: "No answer."}
}

func (l *late) Observe(ctx context.Context, project string, at environment.ClusterAttempt, op string) (environment.SeenCluster, error) {
	if l.asked != nil && !l.now.Before(l.at) {
		if _, there := l.clusters[l.asked.Name]; !there && l.asked.Name == at.Name && l.peak == 0 {
			_, _ = l.world.Create(ctx, *l.asked)
		}
	}
	return l.world.Observe(ctx, project, at, op)
}

// TestDownWhileACreateIsUnanswered: what may yet appear is waited for, whether
// the answer never came, nobody was there to hear it, or asking once more was
// refused: that says nothing about the first time.
func TestDownWhileACreateIsUnanswered(t *testing.T) {
	slower := environment.Errorf(environment.CodeUnavailable, "Slow down.")
	full := environment.Errorf(environment.CodeQuota, "The quota is used up.")
	for name, tt := range map[string]struct {
		cloud late
		tries int
	}{
		"no answer":        {late{}, 1},
		"killed meanwhile": {late{silent: true}, 1},
		"then slowed down": {late{later: slower}, 2},
		"then refused":     {late{later: full}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(never)
			cloud := &tt.cloud
			cloud.world, w.cloud = w, cloud
			w.up("e1", environment.Dedicated)
			for range 1000 {
				w.run(t, time.Second)
				if cloud.tries == tt.tries {
					break
				}
			}
			w.down("e1")
			w.run(t, time.Hour)
			if e := w.store.envs["e1"]; e.State != environment.StateDeleted || !w.now.After(cloud.at) {
				t.Errorf("it is %s at %s; want deleted, after %s", e.State, w.now, cloud.at)
			}
			if w.peak != 1 {
				t.Errorf("%d clusters appeared; want the one that came late, and went", w.peak)
			}
			w.wantNothing(t)
		})
	}
}

// TestMadeWhileNobodyLooked: what the cloud finished while daskbot was down is
// taken, however long that was, and whether the first look is answered or not.
func TestMadeWhileNobodyLooked(t *testing.T) {
	for name, silent := range map[string]time.Duration{"answered at once": 0, "silent at first": time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(never)
			w.up("e1", environment.Dedicated)
			w.run(t, 10*time.Second)
			if len(w.clusters) != 1 || w.store.clusters["e1"].State != environment.StateCreating {
				t.Fatalf("got %+v; want a cluster in the making", w.store.clusters)
			}
			back := w.now.Add(2 * time.Hour)
			for job := range w.store.due {
				w.store.due[job] = back
			}
			w.silent(back.Add(silent))
			w.run(t, 3*time.Hour)
			if e := w.store.envs["e1"]; e.State != environment.StateReady || w.peak != 1 {
				t.Errorf("got %s %q with %d clusters; want ready on the one", e.State, e.Message, w.peak)
			}
		})
	}
}

// TestACloudThatNeverAnswersIsGivenUp: whoever waits is told in the end.
func TestACloudThatNeverAnswersIsGivenUp(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	w.run(t, 10*time.Second)
	w.silent(w.now.Add(24 * time.Hour))
	w.run(t, 2*time.Hour)
	if e := w.store.envs["e1"]; e.State != environment.StateFailed {
		t.Fatalf("got %s %q; want failed", e.State, e.Message)
	}
	w.run(t, 24*time.Hour)
	w.wantNothing(t)
}

// silent has the cloud not answer looks at clusters until then.
func (w *world) silent(until time.Time) {
	w.chance = func(point string) string {
		if point == "observe-cluster" && w.now.Before(until) {
			return "error"
		}
		return ""
	}
}

// TestAClusterHasRoomForWhatScaleMayAskFor: where workers are counted in nodes,
// what may be asked for is more than the cluster begins with.
func TestAClusterHasRoomForWhatScaleMayAskFor(t *testing.T) {
	w := newWorld(never)
	w.up("e1", environment.Dedicated)
	w.edit("e1", func(e *environment.Environment) {
		e.Recipe.Workers = environment.Workers{Kind: environment.WorkersNodes, Max: 20}
	})
	w.run(t, time.Hour)
	if c := w.store.clusters["e1"]; c.State != environment.StateReady || c.Room != 20 {
		t.Errorf("it is %s with room for %d nodes; want ready, and room for 20", c.State, c.Room)
	}
}

func TestStockoutGoesToTheNextLocation(t *testing.T) {
	w := newWorld(never)
	w.stock["a"] = true
	w.up("e1", environment.Dedicated)
	w.run(t, time.Hour)
	if c := w.store.clusters["e1"]; c.State != environment.StateReady || c.Location != "b" || len(c.Abandoned) != 0 {
		t.Fatalf("got %+v; want ready in b with nothing abandoned", c)
	}
	if len(w.clusters) != 1 {
		t.Errorf("the cluster without machines is still there: %v", w.clusters)
	}
}

func TestStockoutEverywhereFailsAndLeavesNothing(t *testing.T) {
	w := newWorld(never)
	w.stock["a"], w.stock["b"] = true, true
	w.up("e1", environment.Dedicated)
	w.run(t, 2*time.Hour)
	if e := w.store.envs["e1"]; e.State != environment.StateFailed || !strings.Contains(e.Message, "machines") {
		t.Fatalf("got %s %q; want failed for want of machines", e.State, e.Message)
	}
	w.wantNothing(t)
}

// TestAConflictOfTheWorldIsWaitedFor: only the store's means to read again at
// once. What is in the way out there stays, and must neither be asked about
// thousands of times a second nor for ever.
func TestAConflictOfTheWorldIsWaitedFor(t *testing.T) {
	for _, point := range []string{"prepare", "converge", "create"} {
		t.Run(point, func(t *testing.T) {
			asked := 0
			w := newWorld(func(at string) string {
				if at != point {
					return ""
				}
				if asked++; asked > 200 {
					t.Fatalf("%s was tried %d times", point, asked)
				}
				return "conflict"
			})
			w.up("e1", environment.Dedicated)
			w.run(t, 3*time.Hour)
			if e := w.store.envs["e1"]; e.State != environment.StateFailed {
				t.Errorf("got %s %q; want failed", e.State, e.Message)
			}
			w.wantNothing(t)
		})
	}
}

// full is a cloud that takes every wish for another size, and then finds no room
// for it until some time.
type full struct {
	*world
	until time.Time
	asked int
}

func (f *full) Resize(_ context.Context, c environment.Cluster) (string, error) {
	f.asked++
	f.clusters[c.Name].maxNodes = c.MaxNodes
	return fmt.Sprintf("operation-resize-%d", f.asked), nil
}

func (f *full) Observe(ctx context.Context, project string, at environment.ClusterAttempt, op string) (environment.SeenCluster, error) {
	s, err := f.world.Observe(ctx, project, at, op)
	switch {
	case !strings.HasPrefix(op, "operation-resize"):
	case f.now.Before(f.until):
		s.Operation, s.Failure = environment.OperationFailed, environment.Errorf(environment.CodeQuota, "The quota is too small.")
	default:
		s.Operation = environment.OperationDone
	}
	return s, err
}

// TestAPoolThatCannotGrowIsAskedLessAndLess: the cloud takes the wish each time, and
// its owner reads what is waited for, until there is room.
func TestAPoolThatCannotGrowIsAskedLessAndLess(t *testing.T) {
	w := newWorld(func(string) string { return "" })
	cloud := &full{world: w, until: w.now.Add(time.Hour)}
	w.cloud = cloud
	w.up("e1", environment.Dedicated)
	w.edit("e1", func(e *environment.Environment) {
		e.Recipe.Workers.Kind = environment.WorkersNodes
		e.Recipe.Cluster.Nodes, e.Recipe.Cluster.MinNodes = 3, 3
		e.Spec.Workers, e.Spec.TTL = 7, 8*time.Hour
	})
	w.run(t, 50*time.Minute)
	if cloud.asked < 3 || cloud.asked > 120 {
		t.Errorf("it was asked %d times in 50 minutes", cloud.asked)
	}
	const waits = "Its cluster cannot have 7 nodes yet, and daskbot keeps asking: The quota is too small."
	if e := w.store.envs["e1"]; e.State != environment.StateReady || !strings.HasSuffix(e.Message, waits) {
		t.Errorf("got %s %q; want ready, and what is waited for", e.State, e.Message)
	}
	w.run(t, 30*time.Minute)
	if e := w.store.envs["e1"]; e.State != environment.StateReady || strings.Contains(e.Message, "quota") {
		t.Errorf("once there is room: got %s %q", e.State, e.Message)
	}
	if c := w.store.clusters["e1"]; c.Failure != nil || c.Sized != 7 || c.Message != "The Kubernetes cluster is ready." {
		t.Errorf("once there is room: got %d nodes, %q, %v", c.Sized, c.Message, c.Failure)
	}
}
