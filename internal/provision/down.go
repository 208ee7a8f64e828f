package provision

import (
	"context"
	"slices"

	"github.com/daskbot/daskbot/internal/environment"
)

// inventory writes down what could outlive the cluster, before anything of it
// is deleted and its names are lost.
func (r *Runner) inventory(ctx context.Context, p *pass) (outcome, error) {
	found, err := r.Workloads.Inventory(ctx, p.target, p.plan)
	if err != nil {
		return outcome{}, err
	}
	return outcome{edit: func(e *environment.Environment) {
		note(e, found)
		e.InventoryDone = true
	}}, nil
}

// note adds resources to the record of what could outlive the cluster.
func note(e *environment.Environment, found []environment.Resource) {
	for _, res := range found {
		if !slices.Contains(e.Inventory, res) {
			e.Inventory = append(slices.Clip(e.Inventory), res)
		}
	}
}

// uninstall removes the environment's releases, last one first. Releases that
// serve a whole cluster stay for the others; on a dedicated cluster they go
// with it.
func (r *Runner) uninstall(ctx context.Context, p *pass) (outcome, error) {
	done, ok := r.helm.take()
	if !ok {
		return outcome{noTurn: true}, nil
	}
	defer done()
	if m := p.plan.Workers.Manifest; m != "" && p.e.WorkersHash != "" && p.plan.Workers.Kind == environment.WorkersDaskCluster {
		if err := r.Workloads.Remove(ctx, p.target, p.e.Namespace, m); err != nil {
			return outcome{}, err
		}
	}
	for _, rel := range slices.Backward(p.plan.Releases) {
		if rel.ClusterWide {
			continue
		}
		if err := r.Charts.Uninstall(ctx, p.target, rel.Namespace, rel.Name); err != nil {
			return outcome{}, err
		}
	}
	return outcome{edit: func(e *environment.Environment) { e.Uninstalled = true }}, nil
}

// unexpose asks for the deletion of what costs money inside the cluster.
func (r *Runner) unexpose(ctx context.Context, p *pass) (outcome, error) {
	return outcome{}, r.Workloads.Unexpose(ctx, p.target, p.plan)
}

// skip ends a phase on the way down: done, or given up because deleting the
// cluster and the sweep finish it.
func (r *Runner) skip(_ context.Context, p *pass) (outcome, error) {
	return outcome{edit: func(e *environment.Environment) {
		e.InventoryDone, e.Uninstalled = true, true
		if p.step.Phase == environment.PhaseExposed {
			e.Unexposed = true
		} else {
			e.Phase, e.PhaseSince = environment.PhaseExposed, p.now
		}
	}}, nil
}

// release asks for the deletion of the dedicated cluster.
func (r *Runner) release(_ context.Context, p *pass) (outcome, error) {
	c := *p.seen.Cluster
	c.Desired = environment.Absent
	if !c.State.Terminal() {
		c.State = environment.StateDeleting
	}
	c.PhaseSince = p.now
	return outcome{cluster: &c, edit: func(*environment.Environment) {},
		wake: []environment.Job{{Kind: environment.JobCluster, ID: c.ID, Urgency: environment.UrgencyDelete}}}, nil
}

// sweep deletes leftovers in the order in which they hold each other. One
// that cannot go yet does not keep the others. What was only found by others is
// written down first: without them nobody would find it again.
func (r *Runner) sweep(ctx context.Context, p *pass) (outcome, error) {
	unrecorded := func(res environment.Resource) bool { return !slices.Contains(p.e.Inventory, res) }
	if slices.ContainsFunc(p.seen.Leftovers, unrecorded) {
		return outcome{edit: func(e *environment.Environment) { note(e, p.seen.Leftovers) }}, nil
	}
	var failed error
	for _, kind := range environment.ResourceKinds() {
		for _, res := range p.seen.Leftovers {
			if res.Kind != kind {
				continue
			}
			r.log.InfoContext(ctx, "deleting leftover", "env_id", p.e.ID, "kind", string(res.Kind), "name", res.Name)
			if err := r.Compute.Delete(ctx, res); err != nil {
				failed = err
			}
		}
	}
	return outcome{}, failed
}

// gone ends the life: nothing of it costs money any more.
func (r *Runner) gone(_ context.Context, p *pass) (outcome, error) {
	out := outcome{edit: func(e *environment.Environment) {
		e.Phase, e.PhaseSince = environment.PhaseGone, p.now
		e.Secrets, e.URL, e.DashboardURL = nil, "", "" // nothing is left that they open
		e.ObservedGeneration = e.Generation
		if e.State != environment.StateFailed {
			e.State, e.Message, e.DeletedAt = environment.StateDeleted, "Deleted; nothing is left that costs money.", p.now
		}
	}}
	if p.e.State != environment.StateFailed {
		ev := r.event(p, environment.EventDeleted, "Deleted; nothing is left that costs money.", "")
		ev.State, ev.Phase = environment.StateDeleted, environment.PhaseGone
		out.events = []environment.Event{ev}
	}
	if c := p.seen.Cluster; c != nil && c.Placement == environment.Shared {
		// Its row is looked at when this is written, and then sees who is left.
		out.wake = []environment.Job{{Kind: environment.JobCluster, ID: c.ID, Urgency: environment.UrgencySchedule}}
	}
	return out, nil
}
