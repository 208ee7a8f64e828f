package chaos

import (
	"context"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// rows are all environments.
func (w *world) rows() []environment.Environment {
	all, _, err := w.store.Environments(context.Background(), environment.Filter{})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// clusterMayGo: a cluster goes only when nobody is to have anything on it.
func (w *world) clusterMayGo(row environment.Cluster) {
	tenants, err := w.store.Tenants(context.Background(), row.ID)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range tenants {
		if e.Desired == environment.Present {
			w.Fatalf("cluster %s is deleted under %s, which is %s", row.Name, e.ID, e.State)
		}
	}
}

// spaceMayGo: what an environment consists of goes only when it is to go.
func (w *world) spaceMayGo(row environment.Cluster, namespace string) {
	tenants, err := w.store.Tenants(context.Background(), row.ID)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range tenants {
		if e.Namespace == namespace && e.Desired == environment.Present {
			w.Fatalf("%s is taken down while it is wanted and %s", e.ID, e.State)
		}
	}
}

// leftoverMayGo: what is left of a cluster or a namespace is nobody's.
func (w *world) leftoverMayGo(name string) {
	on, namespace, _ := strings.Cut(name, "/")
	if f := w.cloud.alive(on); f != nil {
		w.spaceMayGo(f.row, namespace)
	}
}

// reapedRightly: what the reaper ended was told of its end, had come to it, and
// was not in use.
func (w *world) reapedRightly(before environment.Environment, j environment.Judgement) {
	switch j.Action {
	case environment.ReapWarn:
		w.struck["warned"]++
		return
	case environment.ReapDelete:
		w.struck["reaped"]++
	default:
		return
	}
	if before.Ending == nil || before.Ending.At.After(w.now.Add(skewed)) {
		w.Fatalf("%s was ended at %s and told %+v: %s", before.ID, w.now, before.Ending, j.Reason)
	}
	if w.busy[before.ID] && w.now.Sub(w.busyFrom[before.ID]) > time.Minute+2*skewed {
		w.Fatalf("%s was ended while in use since %s: %s", before.ID, w.busyFrom[before.ID], j.Reason)
	}
}

// oneClusterEach: two clusters never stand for one row.
func (w *world) oneClusterEach() {
	byRow := map[string]string{}
	for name, f := range w.cloud.clusters {
		if w.cloud.alive(name) == nil {
			continue
		}
		if other, twice := byRow[f.row.ID]; twice {
			w.Fatalf("row %s has two clusters, %s and %s", f.row.ID, other, name)
		}
		byRow[f.row.ID] = name
	}
}

// wantSettled: what is wanted is ready, what is not is gone, and every cluster
// is somebody's.
func (w *world) wantSettled() {
	for _, e := range w.rows() {
		switch {
		case e.Desired == environment.Present && e.State != environment.StateReady:
			w.Fatalf("%s is lost: wanted, and %s in phase %s: %s", e.ID, e.State, e.Phase, e.Message)
		case e.Desired == environment.Absent && e.Phase != environment.PhaseGone:
			w.Fatalf("%s is stuck: %s in phase %s: %s", e.ID, e.State, e.Phase, e.Message)
		case e.State == environment.StateReady && e.ObservedGeneration != e.Generation:
			w.Fatalf("%s: generation %d of %d was carried out", e.ID, e.ObservedGeneration, e.Generation)
		}
		if e.State == environment.StateReady && w.cloud.alive("dask-"+e.ClusterID) == nil {
			w.Fatalf("%s is ready and has no cluster", e.ID)
		}
	}
	w.oneClusterEach()
}

// wantNothing: nothing costs money any more.
func (w *world) wantNothing() {
	for name := range w.cloud.clusters {
		if f := w.cloud.alive(name); f != nil {
			w.Fatalf("cluster %s is orphaned", name)
		}
	}
	for _, left := range []map[string]string{w.cloud.disks, w.cloud.rules} {
		for name := range left {
			w.Fatalf("%s is orphaned", name)
		}
	}
	for _, e := range w.rows() {
		if e.Phase != environment.PhaseGone {
			w.Fatalf("%s is %s in phase %s: %s", e.ID, e.State, e.Phase, e.Message)
		}
	}
}

// wantToldOnce: of each thing that happens once there is one event.
func (w *world) wantToldOnce() {
	for _, e := range w.rows() {
		events, err := w.store.Events(context.Background(), e.ID, 0, 0)
		if err != nil {
			w.Fatal(err)
		}
		n := map[environment.EventType]int{}
		for _, ev := range events {
			n[ev.Type]++
		}
		for kind, most := range map[environment.EventType]int{environment.EventRequested: 1, environment.EventDeleted: 1, environment.EventStopping: 1,
			environment.EventFailed: 1, environment.EventReady: 1 + w.changes[e.ID]} {
			if n[kind] > most {
				w.Fatalf("%s was told %q %d times; want at most %d", e.ID, kind, n[kind], most)
			}
		}
		if n[environment.EventRequested] != 1 || n[environment.EventDeleted] != 1 && e.State == environment.StateDeleted {
			w.Fatalf("%s: %v; want one event of its beginning and one of its end", e.ID, n)
		}
	}
}
