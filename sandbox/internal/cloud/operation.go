package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Operation is one long-running GKE operation. It is done when End is set,
// and failed when Error is set too.
type Operation struct {
	Name      string          `json:"name"`
	Project   string          `json:"project"`
	Location  string          `json:"location"`
	Type      string          `json:"type"` // CREATE_CLUSTER, …
	Cluster   string          `json:"cluster"`
	ClusterID string          `json:"clusterId"`
	Pool      string          `json:"pool,omitempty"`
	Start     time.Time       `json:"start"`
	Due       time.Time       `json:"due"` // when it may end at the earliest
	End       time.Time       `json:"end"`
	Error     *OperationError `json:"error,omitempty"`
	// Doom is the error the operation will end with, decided when it began.
	Doom *OperationError `json:"doom,omitempty"`
}

// OperationError is how an operation failed.
type OperationError struct {
	Code      Code   `json:"code"`
	Condition string `json:"condition,omitempty"` // GCE_STOCKOUT, GCE_QUOTA_EXCEEDED
	Message   string `json:"message"`
}

// Done says whether the operation has ended, well or badly.
func (o *Operation) Done() bool { return !o.End.IsZero() }

// keptOperations is how many ended operations a list still shows.
const keptOperations = 1000

// Begin starts an operation on a cluster and applies change to it, unless
// another one runs: then it answers FailedPrecondition and names that one.
// The operation is due in its cluster's time, drawn from latency.
func (w *World) Begin(op Operation, change func(*Cluster) error) (Operation, error) {
	err := w.change(func(s *state) error {
		c := s.Clusters[op.ClusterID]
		if c == nil {
			return Errorf(NotFound, "Not found: %s.", ClusterPath(op.Project, op.Location, op.Cluster))
		}
		if busy := s.running(c.Spec.ID); busy != nil {
			return Errorf(FailedPrecondition, "Cluster is running incompatible operation %s.", busy.Name)
		}
		if change != nil {
			if err := change(c); err != nil {
				return err
			}
		}
		op = s.begin(op, c)
		return nil
	})
	return op, err
}

// begin stores op for c. op.Due holds the duration as an offset from the zero
// time, see Lasting.
func (s *state) begin(op Operation, c *Cluster) Operation {
	lasts := op.Due.Sub(time.Time{})
	op.Start = now()
	op.Due = op.Start.Add(lasts)
	op.Name = fmt.Sprintf("operation-%d-%s", op.Start.UnixMilli(), uuid.NewString())
	op.Project, op.Location, op.Cluster, op.ClusterID = c.Spec.Project, c.Spec.Location, c.Spec.Name, c.Spec.ID
	s.Operations[op.Name] = &op
	s.pruneOperations()
	return op
}

// Lasting makes an operation of a type that takes d from when it begins.
func Lasting(kind string, d time.Duration) Operation {
	return Operation{Type: kind, Due: time.Time{}.Add(d)}
}

// Finish ends an operation, with an error or without, and applies change to
// its cluster when that still exists. An operation that has ended stays as it is.
func (w *World) Finish(name string, failure *OperationError, change func(*Cluster)) error {
	return w.change(func(s *state) error {
		op := s.Operations[name]
		if op == nil || op.Done() {
			return nil
		}
		op.End, op.Error = now(), failure
		if c := s.Clusters[op.ClusterID]; c != nil && change != nil {
			change(c)
		}
		return nil
	})
}

// Operation finds an operation by its full name; NotFound when the location
// is not its own.
func (w *World) Operation(project, location, name string) (Operation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.state.Operations[name]
	if op == nil || op.Project != project || op.Location != location {
		return Operation{}, Errorf(NotFound, "Not found: projects/%s/locations/%s/operations/%s.", project, location, name)
	}
	return *op, nil
}

// Operations lists the operations of a project (of all when empty) in a
// location (in all when empty or "-"), oldest first.
func (w *World) Operations(project, location string) []Operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Operation
	for _, op := range w.state.Operations {
		if (project == "" || op.Project == project) && inLocation(op.Location, location) {
			all = append(all, *op)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name)) })
	return all
}

// running is the operation that holds the lock of a cluster, nil when none does.
func (s *state) running(clusterID string) *Operation {
	for _, op := range s.Operations {
		if op.ClusterID == clusterID && !op.Done() {
			return op
		}
	}
	return nil
}

func (s *state) pruneOperations() {
	if len(s.Operations) < keptOperations+100 {
		return
	}
	ended := make([]*Operation, 0, len(s.Operations))
	for _, op := range s.Operations {
		if op.Done() {
			ended = append(ended, op)
		}
	}
	slices.SortFunc(ended, func(a, b *Operation) int { return a.End.Compare(b.End) })
	for _, op := range ended[:max(0, len(ended)-keptOperations)] {
		delete(s.Operations, op.Name)
	}
}

// Busy says whether an operation holds the lock of a cluster.
func (w *World) Busy(clusterID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.running(clusterID) != nil
}
