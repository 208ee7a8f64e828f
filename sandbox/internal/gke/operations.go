package gke

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// GetOperation shows one operation. It wants the full name.
func (s *Server) GetOperation(_ context.Context, r *containerpb.GetOperationRequest) (*containerpb.Operation, error) {
	t, err := s.target(r)
	if err != nil {
		return nil, err
	}
	op, err := s.world.Operation(t.Project, t.Location, t.Operation)
	if err != nil {
		return nil, err
	}
	return s.operation(op), nil
}

// ListOperations lists the operations of a location, or of all.
func (s *Server) ListOperations(_ context.Context, r *containerpb.ListOperationsRequest) (*containerpb.ListOperationsResponse, error) {
	t, err := s.target(r)
	if err != nil {
		return nil, err
	}
	answer := &containerpb.ListOperationsResponse{MissingZones: s.missing("ListOperations", t)}
	for _, op := range s.world.Operations(t.Project, t.Location) {
		if !slices.Contains(answer.MissingZones, op.Location) {
			answer.Operations = append(answer.Operations, s.operation(op))
		}
	}
	return answer, nil
}

// CancelOperation refuses: GKE cancels node upgrades only, and the sandbox
// has none.
func (s *Server) CancelOperation(_ context.Context, r *containerpb.CancelOperationRequest) (*emptypb.Empty, error) {
	t, err := s.target(r)
	if err != nil {
		return nil, err
	}
	op, err := s.world.Operation(t.Project, t.Location, t.Operation)
	if err != nil {
		return nil, err
	}
	return nil, cloud.Errorf(cloud.FailedPrecondition, "Operation type %s cannot be cancelled", op.Type)
}

// operation is how the API shows an operation.
func (s *Server) operation(op cloud.Operation) *containerpb.Operation {
	m := &containerpb.Operation{
		Name: op.Name, OperationType: containerpb.Operation_Type(containerpb.Operation_Type_value[op.Type]),
		Status: containerpb.Operation_RUNNING, Location: op.Location, Zone: op.Location,
		StartTime: op.Start.Format(time.RFC3339Nano),
		SelfLink:  s.link(op.Project, op.Location, "operations/"+op.Name),
		Progress:  progress(op),
	}
	m.TargetLink = s.link(op.Project, op.Location, "clusters/"+op.Cluster)
	if op.Pool != "" {
		m.TargetLink += "/nodePools/" + op.Pool
	}
	if op.Done() {
		m.Status, m.EndTime = containerpb.Operation_DONE, op.End.Format(time.RFC3339Nano)
	}
	if op.Error != nil {
		m.Error = &rpcstatus.Status{Code: int32(grpcCodes[op.Error.Code]), Message: op.Error.Message}
		m.StatusMessage = op.Error.Message
		m.ClusterConditions = conditions(op.Error.Condition, op.Error.Message)
	}
	return m
}

func conditions(condition, message string) []*containerpb.StatusCondition {
	if condition == "" {
		return nil
	}
	return []*containerpb.StatusCondition{{
		Code:    containerpb.StatusCondition_Code(containerpb.StatusCondition_Code_value[condition]),
		Message: message, CanonicalCode: 8, // RESOURCE_EXHAUSTED: the conditions above are shortages
	}}
}

// link is a resource's address as GKE gives it: with the project's number,
// and by zone where it is zonal.
func (s *Server) link(project, location, rest string) string {
	number := project
	if p, err := s.world.Project(project); err == nil {
		number = fmt.Sprint(p.Number)
	}
	scope := "locations"
	if cloud.IsZone(location) {
		scope = "zones"
	}
	return fmt.Sprintf("https://container.googleapis.com/v1/projects/%s/%s/%s/%s", number, scope, location, rest)
}

// progress shows how far a create is, by the time it has taken of the time it
// takes. The last metric stops at one of two, as on GKE.
func progress(op cloud.Operation) *containerpb.OperationProgress {
	if op.Type != createCluster {
		return nil
	}
	done := 1.0
	if total := op.Due.Sub(op.Start); !op.Done() && total > 0 {
		done = min(0.99, time.Since(op.Start).Seconds()/total.Seconds())
	}
	part := func(from, to float64, steps int64) int64 {
		return int64(float64(steps) * min(1, max(0, (done-from)/(to-from))))
	}
	p := &containerpb.OperationProgress{}
	for _, m := range []struct {
		name         string
		value, total int64
	}{
		{"CLUSTER_CONFIGURING", part(0, 0.3, 8), 8},
		{"CLUSTER_DEPLOYING", part(0.3, 0.9, 12), 12},
		{"CLUSTER_HEALTHCHECKING", part(0.9, 1, 1), 2},
	} {
		p.Metrics = append(p.Metrics,
			&containerpb.OperationProgress_Metric{Name: m.name, Value: &containerpb.OperationProgress_Metric_IntValue{IntValue: m.value}},
			&containerpb.OperationProgress_Metric{Name: m.name + "_TOTAL", Value: &containerpb.OperationProgress_Metric_IntValue{IntValue: m.total}})
	}
	return p
}
