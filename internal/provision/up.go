package provision

import (
	"context"
	"maps"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// resolve pins chart versions and lints what the charts would be given, so
// that a wrong value costs nothing.
func (r *Runner) resolve(ctx context.Context, p *pass) (outcome, error) {
	if c := p.e.Recipe.Cluster; p.e.ClusterID == "" && p.e.Recipe.Given == "" {
		if err := r.Clusters.Check(ctx, p.e.Project, c); err != nil {
			return outcome{}, err
		}
	}
	versions := maps.Clone(p.e.Spec.Versions)
	if versions == nil {
		versions = map[string]string{}
	}
	for i, rel := range environment.Render(p.e) {
		if versions[rel.Name] != "" {
			continue
		}
		v, err := r.Charts.Resolve(ctx, rel)
		if err != nil {
			return outcome{}, err
		}
		rel.Version = v
		err = r.lints.once(lintKey(p.e, p.e.Recipe.Releases[i], v), func() error { return r.Charts.Check(ctx, rel) })
		if err != nil {
			return outcome{}, err
		}
		versions[rel.Name] = v
	}
	return outcome{edit: func(e *environment.Environment) { e.Spec.Versions = versions }}, nil
}

// prepare makes what the releases need.
func (r *Runner) prepare(ctx context.Context, p *pass) (outcome, error) {
	return outcome{}, r.Workloads.Prepare(ctx, p.target, p.plan)
}

// converge installs or upgrades one release, and applies what goes with it.
func (r *Runner) converge(ctx context.Context, p *pass) (outcome, error) {
	done, ok := r.helm.take()
	if !ok {
		return outcome{noTurn: true}, nil
	}
	defer done()
	rel := p.seen.Rendered[p.step.Release]
	if rel.Manifests != "" {
		if err := r.Workloads.Apply(ctx, p.target, rel.Namespace, rel.Manifests); err != nil {
			return outcome{}, err
		}
	}
	ctx, cancel := r.whileWanted(ctx, p.e.ID)
	defer cancel()
	if err := r.Charts.Converge(ctx, p.target, rel.Namespace, rel, environment.ReleaseHash(rel)); err != nil {
		return outcome{}, err
	}
	// Its load balancers are named from now on. That this look may fail is why
	// ready looks again.
	held, err := r.Workloads.Inventory(ctx, p.target, p.plan)
	if err != nil {
		r.unknown("inventory", p, err)
	}
	return outcome{edit: func(e *environment.Environment) { note(e, held) }}, nil
}

// drop takes away one release that the recipe has no more. What cannot be taken
// away keeps nothing else from going on, and is no reason to take a change back:
// it is left to the way down.
func (r *Runner) drop(ctx context.Context, p *pass) (outcome, error) {
	done, ok := r.helm.take()
	if !ok {
		return outcome{noTurn: true}, nil
	}
	defer done()
	d, _ := p.e.Droppable()
	err := r.Charts.Uninstall(ctx, p.target, d.Namespace, d.Name)
	if err != nil && (ctx.Err() != nil || environment.Retryable(err) && p.tries() < maxTries(p.step)) {
		return outcome{}, err
	}
	out := outcome{edit: func(e *environment.Environment) {
		e.Drop(d, err != nil)
		if p.tries() > 1 {
			e.Failure = nil // it was of this step
		}
	}}
	if err != nil {
		out.events = []environment.Event{r.event(p, environment.EventRetry,
			"The release "+d.Name+", which is no part of it any more, could not be removed; that is tried again when it ends.", err.Error())}
	}
	return out, nil
}

// wantedEvery is how late a long step notices that nobody wants it any more.
const wantedEvery = time.Second

// whileWanted ends a step's context once the environment is to go. A chart may
// wait for minutes until images are pulled; the way down need not.
func (r *Runner) whileWanted(ctx context.Context, id string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(wantedEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if e, err := r.Store.Environment(ctx, id); err == nil && e.Desired == environment.Absent {
				cancel()
				return
			}
		}
	}()
	return ctx, cancel
}

// workers asks for the Dask workers in the way of the profile.
func (r *Runner) workers(ctx context.Context, p *pass) (outcome, error) {
	hash := environment.WorkersHash(p.e)
	out := outcome{edit: func(e *environment.Environment) { e.WorkersHash = hash }}
	if p.e.Recipe.Workers.Kind == environment.WorkersNodes {
		c := *p.seen.Cluster
		c.MaxNodes = max(p.e.Spec.Workers, c.Shape.MinNodes, 1)
		out.cluster, out.wake = &c, []environment.Job{{Kind: environment.JobCluster, ID: c.ID, Urgency: environment.UrgencyPerson}}
		return out, nil
	}
	if p.e.Spec.Workers == 0 {
		return out, r.Workloads.Remove(ctx, p.target, p.e.Namespace, p.plan.Workers.Manifest)
	}
	return out, r.Workloads.Apply(ctx, p.target, p.e.Namespace, p.plan.Workers.Manifest)
}

// ready tells the owner where to log in, or that a change is carried out.
// What it holds is written down now: when it is to go, its API server may be
// the first that has gone.
func (r *Runner) ready(ctx context.Context, p *pass) (outcome, error) {
	held, err := r.Workloads.Inventory(ctx, p.target, p.plan)
	if err != nil {
		return outcome{}, err
	}
	w := p.seen.Workloads
	message := "Ready: open " + w.Address
	firstTime := p.e.ReadyAt.IsZero()
	if !firstTime {
		message = "The change is carried out; " + w.Address + " is ready."
	}
	edit := func(e *environment.Environment) {
		e.State, e.Phase, e.PhaseSince = environment.StateReady, environment.PhaseReady, p.now
		e.URL, e.DashboardURL, e.Message = w.Address, w.DashboardAddress, message
		e.ObservedGeneration, e.Failure = e.Generation, nil
		good := e.Spec
		e.Good, e.Former = &good, nil
		note(e, held)
		if firstTime {
			e.ReadyAt = p.now
			if e.ExpiresAt.IsZero() && e.Spec.TTL > 0 {
				e.ExpiresAt = p.now.Add(e.Spec.TTL)
			}
		}
	}
	ev := r.event(p, environment.EventReady, message, "")
	ev.State, ev.Phase = environment.StateReady, environment.PhaseReady
	return outcome{edit: edit, events: []environment.Event{ev}}, nil
}

// fail gives up, says why, and turns to releasing what there is.
func (r *Runner) fail(_ context.Context, p *pass) (outcome, error) {
	why := p.step.Failure
	ev := r.event(p, environment.EventFailed, why.Message, why.Error())
	ev.State = environment.StateFailed
	return outcome{events: []environment.Event{ev}, edit: func(e *environment.Environment) {
		e.Failure = &environment.Failure{Code: why.Code, Message: why.Message, Detail: why.Error(), Phase: p.step.Phase, At: p.now}
		e.State, e.Desired, e.Message = environment.StateFailed, environment.Absent, why.Message
		e.Phase, e.PhaseSince = environment.PhaseStopping, p.now
	}}, nil
}

// rollBack takes back a change that did not work.
func (r *Runner) rollBack(_ context.Context, p *pass) (outcome, error) {
	why := p.step.Failure
	ev := r.event(p, environment.EventRolledBack, p.step.Message, why.Error())
	return outcome{events: []environment.Event{ev}, edit: func(e *environment.Environment) {
		e.Failure = &environment.Failure{Code: why.Code, Message: why.Message, Detail: why.Error(), Phase: p.step.Phase, At: p.now}
		e.TakeBack()
		e.Message = p.step.Message
		e.Phase, e.PhaseSince = environment.PhaseInstall, p.now
	}}, nil
}

// settle keeps an environment that its owner may be using although what was
// asked for cannot be reached, and says so.
func (r *Runner) settle(_ context.Context, p *pass) (outcome, error) {
	why := p.step.Failure
	return outcome{
		events: []environment.Event{r.event(p, environment.EventRetry, why.Message, why.Error())},
		edit: func(e *environment.Environment) {
			e.State, e.Phase, e.PhaseSince = environment.StateReady, environment.PhaseReady, p.now
			e.ObservedGeneration, e.Message = e.Generation, why.Message
			e.Failure = &environment.Failure{Code: why.Code, Message: why.Message, Detail: why.Error(), Phase: p.step.Phase, At: p.now}
		}}, nil
}
