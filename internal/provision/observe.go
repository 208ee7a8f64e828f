package provision

import (
	"context"
	"errors"

	"github.com/daskbot/daskbot/internal/environment"
)

// observe looks at what the next decision needs, and at no more. Only the
// store's errors are errors: a world that does not answer is not known.
func (r *Runner) observe(ctx context.Context, p *pass) error {
	if p.e.ClusterID == "" {
		return nil
	}
	c, err := r.Store.Cluster(ctx, p.e.ClusterID)
	if err != nil {
		return err
	}
	p.seen.Cluster = &c
	switch {
	case c.State == environment.StateReady && c.Desired == environment.Present && !p.e.Unexposed:
		return r.observeInside(ctx, p, c)
	case p.e.Desired == environment.Absent:
		r.observeLeftovers(ctx, p, c)
	}
	return nil
}

func (r *Runner) observeInside(ctx context.Context, p *pass, c environment.Cluster) error {
	person, err := r.Store.Person(ctx, p.e.Owner)
	if err != nil && environment.CodeOf(err) != environment.CodeNotFound {
		return err
	}
	p.plan = environment.PlanFor(p.e, c, r.installation, person.Email)
	p.target, err = environment.TargetOf(ctx, c, r.Clusters, r.Given)
	if err != nil {
		r.unknown("target", p, err)
		return nil
	}
	if p.e.Desired == environment.Absent {
		for _, d := range p.e.Dropped { // what was not taken away yet goes, too
			p.plan.Releases = append(p.plan.Releases, environment.Release{Name: d.Name, Namespace: d.Namespace})
		}
		r.observeExposed(ctx, p)
		return nil
	}
	r.observeUp(ctx, p)
	return nil
}

func (r *Runner) observeUp(ctx context.Context, p *pass) {
	var err error
	if p.seen.Workloads, err = r.Workloads.Observe(ctx, p.target, p.plan); err != nil {
		r.unknown("workloads", p, err)
		return
	}
	p.seen.Rendered = p.plan.Releases
	for _, rel := range p.seen.Rendered {
		s, err := r.Charts.Observe(ctx, p.target, rel.Namespace, rel.Name)
		if err != nil {
			r.unknown("release", p, err)
			return
		}
		p.seen.Releases = append(p.seen.Releases, s)
	}
	p.seen.Known = true
	r.observeDoor(ctx, p)
}

// observeDoor knocks only when everything else is done: a probe is a login, and
// a login counts. An address that let the owner in before is knocked at again
// only after a change, which may have put another server behind it; the old
// one counts as gone before the new one listens.
func (r *Runner) observeDoor(ctx context.Context, p *pass) {
	w := p.seen.Workloads
	if w.Address == "" || w.Ready < w.Wanted {
		return
	}
	if p.e.URL == w.Address && p.e.Good != nil && p.e.Generation == p.e.ObservedGeneration {
		p.seen.DoorOpen = true
		return
	}
	creds := p.plan.Credentials
	creds.URL = w.Address
	err := r.Door.Open(ctx, p.e.Recipe.Access.Kind, creds)
	if err == nil {
		p.seen.DoorOpen = true
		return
	}
	r.unknown("door", p, err)
	errors.As(err, &p.seen.DoorError)
}

func (r *Runner) observeExposed(ctx context.Context, p *pass) {
	n, err := r.Workloads.Exposed(ctx, p.target, p.plan)
	if err != nil {
		r.unknown("exposed", p, err)
		return
	}
	p.seen.Known, p.seen.ExposedKnown, p.seen.Exposed = true, true, n
}

// observeLeftovers asks the cloud what of the environment still exists. Disks
// carry the cluster's label, so on a dedicated cluster also those that were
// never recorded are found.
func (r *Runner) observeLeftovers(ctx context.Context, p *pass, c environment.Cluster) {
	dedicated := c.Placement == environment.Dedicated && c.Given == ""
	if c.Given != "" || dedicated && c.DeletedAt.IsZero() {
		return
	}
	name := ""
	if dedicated {
		name = c.Name
	}
	left, err := r.Compute.Leftovers(ctx, c.Project, name, p.e.Inventory)
	if err != nil {
		r.unknown("leftovers", p, err)
		return
	}
	p.seen.Leftovers, p.seen.LeftoversKnown = left, true
}
