package cloud

import (
	"cmp"
	"slices"
	"time"
)

// Wait is one span of time the emulated cloud took for something, so that a
// benchmark can tell what it took from what its client added.
type Wait struct {
	Kind    string    `json:"kind"` // an operation type, or a name of a latency
	Name    string    `json:"name"` // the operation, node, load balancer, disk or pod
	Project string    `json:"project,omitempty"`
	Cluster string    `json:"cluster,omitempty"` // cluster name
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"` // zero while it lasts
	Error   string    `json:"error,omitempty"`
}

// maxWaits bounds the memory that the record of waits takes.
const maxWaits = 20000

// Record adds a wait that has ended. The record is kept in memory only: it
// serves a measurement, and a measurement does not span a crash.
func (w *World) Record(wait Wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.state.Clusters[wait.Cluster]; c != nil { // recorded by id
		wait.Project, wait.Cluster = c.Spec.Project, c.Spec.Name
	}
	if len(w.waits) >= maxWaits {
		w.waits = slices.Delete(w.waits, 0, maxWaits/10)
	}
	w.waits = append(w.waits, wait)
}

// Waits lists the operations and recorded waits that ended after since or
// still last, by start.
func (w *World) Waits(since time.Time) []Wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Wait
	keep := func(x Wait) {
		if x.End.IsZero() || x.End.After(since) {
			all = append(all, x)
		}
	}
	for _, op := range w.state.Operations {
		x := Wait{Kind: op.Type, Name: op.Name, Project: op.Project, Cluster: op.Cluster, Start: op.Start, End: op.End}
		if op.Error != nil {
			x.Error = op.Error.Message
		}
		keep(x)
	}
	for _, op := range w.state.ComputeOperations {
		keep(Wait{Kind: "compute." + op.Type, Name: op.Target, Project: op.Project, Start: op.Start, End: op.End})
	}
	for _, x := range w.waits {
		keep(x)
	}
	slices.SortFunc(all, func(a, b Wait) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name)) })
	return all
}

// Recorder is implemented by a Compute that keeps a record of waits. Those
// who draw a Latency and wait for it tell it when they are done, with the
// cluster's ID in Cluster.
type Recorder interface {
	Record(wait Wait)
}
