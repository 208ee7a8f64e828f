package provision

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// clusterQuota reads the region's quota before any money is spent. Trying
// another location would not help: the profile's are zones of one region.
func (r *Runner) clusterQuota(ctx context.Context, p *clusterPass) (clusterOutcome, error) {
	short, err := r.Compute.Shortfall(ctx, p.c.Project, p.c.Location, p.c.Shape)
	if err != nil {
		return clusterOutcome{}, err
	}
	if short != "" {
		return clusterOutcome{}, r.short(ctx, p, short)
	}
	return clusterOutcome{edit: func(c *environment.Cluster) { c.QuotaChecked = p.now }}, nil
}

// quotaPatience is how long what a schedule asked for waits for quota, and
// quotaAgain how long between looks.
const (
	quotaPatience = 20 * time.Minute
	quotaAgain    = time.Minute
)

// short says that there is no room in the quota. A person is told at once and
// can decide; a class that a schedule starts waits a while for its turn, since
// the class before it is on its way out.
func (r *Runner) short(ctx context.Context, p *clusterPass, why string) error {
	refused := environment.Errorf(environment.CodeQuota, "%s", why)
	if p.now.Sub(p.c.CreatedAt) >= quotaPatience {
		return refused
	}
	tenants, err := r.Store.Tenants(ctx, p.c.ID)
	if err != nil {
		return err
	}
	if len(tenants) == 0 || slices.ContainsFunc(tenants, func(e environment.Environment) bool { return !e.Scheduled() }) {
		return refused
	}
	return &environment.Error{Code: environment.CodeUnavailable, RetryAfter: quotaAgain, Message: "Waiting for room in the quota: " + why}
}

// createAnswer is how long a create may go unanswered, and unsure how long after
// that what it asked for may still appear.
const (
	createAnswer = 30 * time.Second
	unsure       = 20 * time.Second
)

// clusterCreate records the intent, then asks. Whatever happens to the answer,
// the row says for how long a cluster may appear that nobody sees yet; only a
// clear answer takes that back. A refusal says nothing about an earlier request,
// whose answer was lost: that one may still be carried out.
func (r *Runner) clusterCreate(ctx context.Context, p *clusterPass) (clusterOutcome, error) {
	done, ok := r.creates.take()
	if !ok {
		return clusterOutcome{noTurn: true}, nil
	}
	defer done()
	earlier := p.c.UnsureUntil
	began := r.clock() // the look before this one took time, too
	if err := r.intend(ctx, p, began); err != nil {
		return clusterOutcome{}, unrecorded{err}
	}
	asking, cancel := context.WithTimeout(ctx, createAnswer-r.clock().Sub(began))
	defer cancel()
	op, err := r.Clusters.Create(asking, p.c)
	var e *environment.Error
	if errors.As(err, &e) && e.Ambiguous {
		return clusterOutcome{}, err
	}
	if err != nil {
		p.c.UnsureUntil = earlier
		return clusterOutcome{}, err
	}
	return clusterOutcome{edit: func(c *environment.Cluster) { c.Operation, c.Failure, c.UnsureUntil = op, nil, time.Time{} }}, nil
}

// intend writes down that a create is about to be asked for.
func (r *Runner) intend(ctx context.Context, p *clusterPass, now time.Time) error {
	asked := p.c
	asked.UnsureUntil = now.Add(createAnswer + unsure)
	if asked.AskedAt.IsZero() {
		asked.AskedAt, asked.State, asked.PhaseSince = p.now, environment.StateCreating, p.now
	}
	if err := r.Store.Commit(ctx, environment.Change{Cluster: &asked}); err != nil {
		return err
	}
	p.c = asked
	p.c.Version++
	return nil
}

// clusterElse goes on under another name, in the next location; the old name
// is kept until it is confirmed gone.
func (r *Runner) clusterElse(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	return clusterOutcome{edit: func(c *environment.Cluster) {
		if p.seen.Current.Mine {
			c.Abandoned = append(c.Abandoned, c.At())
		}
		nameAttempt(c, c.Attempt+1)
		c.State, c.PhaseSince, c.Message = environment.StatePending, p.now, p.step.Message
	}}, nil
}

// clusterResize asks for the size that the pool is to have. What the cloud took
// and could not carry out is a refusal like one that it says at once: else it
// would be asked again at every look. What was refused before stays written down
// until the cloud is done, so that each wait is longer than the last.
func (r *Runner) clusterResize(ctx context.Context, p *clusterPass) (clusterOutcome, error) {
	if s := p.seen.Current; s.Operation == environment.OperationFailed && p.c.Sized == p.c.MaxNodes {
		if s.Failure == nil {
			return clusterOutcome{}, environment.Errorf(environment.CodeUnavailable, "Google Cloud reports a fault.")
		}
		return clusterOutcome{}, s.Failure
	}
	op, err := r.Clusters.Resize(ctx, p.c)
	if err != nil {
		return clusterOutcome{}, err
	}
	return clusterOutcome{tell: true, edit: func(c *environment.Cluster) {
		c.Operation, c.Sized = op, p.c.MaxNodes
	}}, nil
}

func (r *Runner) clusterReady(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	return clusterOutcome{tell: true, edit: func(c *environment.Cluster) {
		c.State, c.PhaseSince, c.ReadyAt = environment.StateReady, p.now, p.now
		c.Operation, c.Failure, c.Message = "", nil, "The Kubernetes cluster is ready."
	}}, nil
}

// clusterFail gives up on the cluster and deletes what there is of it; the
// tenants are told why.
func (r *Runner) clusterFail(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	why := p.step.Failure
	return clusterOutcome{tell: true, edit: func(c *environment.Cluster) {
		c.State, c.Desired, c.PhaseSince, c.Message = environment.StateFailed, environment.Absent, p.now, why.Message
		c.Failure = &environment.Failure{Code: why.Code, Message: why.Message, Detail: why.Error(), At: p.now}
	}}, nil
}

// clusterIdle notes when the last tenant went. It is the cluster's own look that
// says so: of two tenants that go at the same moment, each still sees the other.
func (r *Runner) clusterIdle(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	return clusterOutcome{edit: func(c *environment.Cluster) { c.IdleSince = p.now }}, nil
}

func (r *Runner) clusterRetire(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	return clusterOutcome{edit: func(c *environment.Cluster) {
		c.Desired, c.State, c.PhaseSince = environment.Absent, environment.StateDeleting, p.now
		c.Message = "Nobody has used the cluster for a while; it is being deleted."
	}}, nil
}

func (r *Runner) clusterDelete(ctx context.Context, p *clusterPass) (clusterOutcome, error) {
	done, ok := r.deletes.take()
	if !ok {
		return clusterOutcome{noTurn: true}, nil
	}
	defer done()
	op, err := r.Clusters.Delete(ctx, p.c.Project, p.step.Attempt)
	if err != nil {
		return clusterOutcome{}, err
	}
	return clusterOutcome{edit: func(c *environment.Cluster) {
		if p.step.Attempt == c.At() {
			c.Operation = op
		}
	}}, nil
}

func (r *Runner) clusterForget(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	return clusterOutcome{edit: func(c *environment.Cluster) {
		kept := []environment.ClusterAttempt{}
		for _, at := range c.Abandoned {
			if at != p.step.Attempt {
				kept = append(kept, at)
			}
		}
		c.Abandoned = kept
	}}, nil
}

func (r *Runner) clusterDeleted(_ context.Context, p *clusterPass) (clusterOutcome, error) {
	return clusterOutcome{tell: true, edit: func(c *environment.Cluster) {
		c.DeletedAt, c.PhaseSince = p.now, p.now
		if c.State != environment.StateFailed {
			c.State = environment.StateDeleted
		}
		c.Message = "The Kubernetes cluster is confirmed gone."
	}}, nil
}
