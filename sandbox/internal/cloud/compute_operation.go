package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// ComputeOperation is the receipt of a change in Compute. The change itself is
// made at once; the receipt is done when its time has come.
type ComputeOperation struct {
	Name       string    `json:"name"`
	ID         uint64    `json:"id"`
	Project    string    `json:"project"`
	Location   string    `json:"location"`
	Type       string    `json:"type"`   // insert, delete, …
	Target     string    `json:"target"` // path of the resource below the API's base
	TargetID   uint64    `json:"targetId"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	FailedCode string    `json:"failedCode,omitempty"`
	FailedText string    `json:"failedText,omitempty"`
}

// AddComputeOperation records a change that a client may wait for.
func (w *World) AddComputeOperation(op ComputeOperation) (ComputeOperation, error) {
	err := w.change(func(s *state) error {
		op.ID, op.Start = numericID(), now()
		op.Name = fmt.Sprintf("operation-%d-%s", op.Start.UnixMilli(), uuid.NewString())
		op.End = op.Start.Add(s.Latencies[ComputeCall].Draw())
		kept := op
		s.ComputeOperations[op.Name] = &kept
		s.pruneComputeOperations()
		return nil
	})
	return op, err
}

// ComputeOperation finds one; NotFound when there is none in the location.
func (w *World) ComputeOperation(project, location, name string) (ComputeOperation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.state.ComputeOperations[name]
	if op == nil || op.Project != project || op.Location != location {
		return ComputeOperation{}, notFound("operation", project, location, name)
	}
	return *op, nil
}

// ComputeOperations lists those of a project, oldest first.
func (w *World) ComputeOperations(project string) []ComputeOperation {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []ComputeOperation
	for _, op := range w.state.ComputeOperations {
		if op.Project == project {
			all = append(all, *op)
		}
	}
	slices.SortFunc(all, func(a, b ComputeOperation) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (s *state) pruneComputeOperations() {
	if len(s.ComputeOperations) < keptOperations+100 {
		return
	}
	all := make([]*ComputeOperation, 0, len(s.ComputeOperations))
	for _, op := range s.ComputeOperations {
		all = append(all, op)
	}
	slices.SortFunc(all, func(a, b *ComputeOperation) int { return a.End.Compare(b.End) })
	for _, op := range all[:len(all)-keptOperations] {
		delete(s.ComputeOperations, op.Name)
	}
}
