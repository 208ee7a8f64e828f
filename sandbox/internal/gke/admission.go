package gke

import (
	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// admit is the check of quotas before anything is started. It counts the
// nodes that were asked for, not those an autoscaler may add.
func (s *Server) admit(o cloud.Occasion, c cloud.Cluster, pools []cloud.NodePool) error {
	if f := s.world.Take("quota", o); f != nil {
		return s.scriptedShortage(o, f)
	}
	needs := cloud.Needs{}
	for _, p := range pools {
		needs.Add(cloud.NodeNeeds(p, c.PrivateNodes), p.Count)
	}
	return s.world.CheckQuota(o.Project, cloud.RegionOf(o.Location), c.Spec.Name, needs)
}

// scriptedShortage is the refusal for a quota that was scripted to be used up.
func (s *Server) scriptedShortage(o cloud.Occasion, f *cloud.Fault) *cloud.QuotaError {
	metric := f.Value
	if metric == "" {
		metric = "CPUS"
	}
	short := cloud.Shortage{Metric: metric, Requested: 1}
	if !cloud.IsGlobal(metric) {
		short.Region = cloud.RegionOf(o.Location)
	}
	if p, err := s.world.Project(o.Project); err == nil {
		short.Limit, short.Usage = p.Quotas[metric], p.Quotas[metric]
	}
	return &cloud.QuotaError{Project: o.Project, Object: "gke-" + o.Cluster, Shortages: []cloud.Shortage{short}}
}

// doomed gives an operation the failure that was scripted for it, if any.
func (s *Server) doomed(o cloud.Occasion, op cloud.Operation) cloud.Operation {
	if f := s.world.Take("stockout", o); f != nil {
		op = cloud.Lasting(op.Type, f.Wait(s.world.Latency(cloud.StockoutHold).Draw()))
		op.Doom = failureOf(cloud.StockoutError(o.Project, o.Location))
	} else if f := s.world.Take("quota-late", o); f != nil {
		op.Doom = failureOf(s.scriptedShortage(o, f))
	} else if f := s.world.Take("create-fails", o); f != nil {
		op.Doom = &cloud.OperationError{Code: cloud.Internal, Message: "Internal error: the nodes did not register in time."}
	}
	return op
}
