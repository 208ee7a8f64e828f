package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// clusterPass is one look at a cluster row.
type clusterPass struct {
	c    environment.Cluster
	seen environment.ObservedCluster
	step environment.ClusterStep
	now  time.Time
}

type clusterVerb func(*Runner, context.Context, *clusterPass) (clusterOutcome, error)

// clusterOutcome is what to record after a cluster step.
type clusterOutcome struct {
	edit func(*environment.Cluster)
	// tell wakes the tenants in the same transaction.
	tell   bool
	noTurn bool
}

var clusterVerbs = map[environment.ClusterStepKind]clusterVerb{
	environment.ClusterQuota:   (*Runner).clusterQuota,
	environment.ClusterCreate:  (*Runner).clusterCreate,
	environment.ClusterElse:    (*Runner).clusterElse,
	environment.ClusterResize:  (*Runner).clusterResize,
	environment.ClusterReady:   (*Runner).clusterReady,
	environment.ClusterFail:    (*Runner).clusterFail,
	environment.ClusterIdle:    (*Runner).clusterIdle,
	environment.ClusterRetire:  (*Runner).clusterRetire,
	environment.ClusterDelete:  (*Runner).clusterDelete,
	environment.ClusterForget:  (*Runner).clusterForget,
	environment.ClusterDeleted: (*Runner).clusterDeleted,
}

func (r *Runner) clusterOnce(ctx context.Context, id string) (time.Duration, bool, error) {
	c, err := r.Store.Cluster(ctx, id)
	if err != nil {
		return 0, true, err
	}
	p := &clusterPass{c: c, now: r.clock()}
	if err := r.observeCluster(ctx, p); err != nil {
		return 0, false, err
	}
	p.step = environment.NextCluster(p.c, p.seen, p.now)
	return r.actCluster(ctx, p)
}

func (r *Runner) observeCluster(ctx context.Context, p *clusterPass) error {
	if p.c.Given != "" || !p.c.DeletedAt.IsZero() {
		return nil
	}
	if p.c.Placement == environment.Shared {
		tenants, err := r.Store.Tenants(ctx, p.c.ID)
		if err != nil {
			return err
		}
		p.seen.Tenants = len(tenants)
		for _, e := range tenants {
			if e.Desired == environment.Present {
				p.seen.Staying++
			}
		}
	}
	s, err := r.lookUp(ctx, p.c, p.c.At(), p.c.Operation)
	p.seen.Current, p.seen.Known = s, err == nil
	for _, at := range p.c.Abandoned {
		s, _ := r.lookUp(ctx, p.c, at, "") // unknown is a state of its own
		p.seen.Abandoned = append(p.seen.Abandoned, s)
	}
	return nil
}

func (r *Runner) lookUp(ctx context.Context, c environment.Cluster, at environment.ClusterAttempt, op string) (environment.SeenCluster, error) {
	s, err := r.Clusters.Observe(ctx, c.Project, at, op)
	if err != nil {
		r.log.DebugContext(ctx, "not observed", "what", "cluster", "cluster", at.Name, "reason", err.Error())
		return environment.SeenCluster{}, err
	}
	s.Mine = s.Mine && s.ClusterID == c.ID
	return s, nil
}

func (r *Runner) actCluster(ctx context.Context, p *clusterPass) (time.Duration, bool, error) {
	switch p.step.Kind {
	case environment.ClusterRest:
		return r.restCluster(ctx, p)
	case environment.ClusterWait:
		return r.pace.wait(p.now, pollAfter(p.now.Sub(p.c.PhaseSince))), false, r.recordCluster(ctx, p, clusterOutcome{})
	default: // has a verb
	}
	under, end := r.span(ctx, "cluster step "+string(p.step.Kind), slog.String("cluster", p.c.Name))
	out, err := clusterVerbs[p.step.Kind](r, under, p)
	end(err)
	switch {
	case err != nil:
		return r.clusterStumbled(ctx, p, err)
	case out.noTurn:
		return r.pace.wait(p.now, soonest*2), false, nil
	}
	r.log.InfoContext(under, "cluster step done", "cluster", p.c.Name, "step", string(p.step.Kind), "dur", r.now().Sub(p.now))
	return soonest, !slow(p.step.Kind), r.recordCluster(ctx, p, out)
}

// slow steps started something: looking again at once would see nothing new.
func slow(k environment.ClusterStepKind) bool {
	return k == environment.ClusterCreate || k == environment.ClusterDelete || k == environment.ClusterResize
}

// restCluster: a shared cluster without tenants wants to be looked at again
// when its time is over.
func (r *Runner) restCluster(ctx context.Context, p *clusterPass) (time.Duration, bool, error) {
	var again time.Duration
	if p.c.Desired == environment.Present && !p.c.IdleSince.IsZero() && p.seen.Tenants == 0 {
		again = max(time.Duration(p.c.Shape.IdleMinutes)*time.Minute-p.now.Sub(p.c.IdleSince), time.Second)
	}
	out := clusterOutcome{}
	if p.c.Failure != nil && p.c.Desired == environment.Present && p.c.State == environment.StateReady {
		out.edit = func(c *environment.Cluster) { c.Failure = nil } // what was refused is done
	}
	return again, false, r.recordCluster(ctx, p, out)
}

// unrecorded is an error of the store's within a step. Only there a conflict
// means to read again at once; one of the world may last, and is waited for.
type unrecorded struct{ error }

func (u unrecorded) Unwrap() error { return u.error }

func (r *Runner) clusterStumbled(ctx context.Context, p *clusterPass, err error) (time.Duration, bool, error) {
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	if errors.As(err, new(unrecorded)) {
		return 0, true, err
	}
	var e *environment.Error
	errors.As(err, &e)
	tries := 1
	if p.c.Failure != nil {
		tries = p.c.Failure.Tries + 1
	}
	r.log.WarnContext(ctx, "cluster step failed", "cluster", p.c.Name, "step", string(p.step.Kind), "attempt", tries, "reason", err.Error())
	if p.c.Desired == environment.Present && p.c.State != environment.StateReady && !environment.Retryable(err) && e != nil {
		p.step = environment.ClusterStep{Kind: environment.ClusterFail, Failure: e}
		return r.actCluster(ctx, p)
	}
	failure := &environment.Failure{Code: environment.CodeOf(err), Message: environment.MessageOf(err), Detail: err.Error(), At: p.now, Tries: tries}
	return backOff(tries, err), false, r.recordCluster(ctx, p, clusterOutcome{edit: func(c *environment.Cluster) {
		c.Failure = failure
		p.say(c, e)
	}})
}

// say writes down what people are to read about a step that was refused; e is nil
// for an error that was not made for people.
func (p *clusterPass) say(c *environment.Cluster, e *environment.Error) {
	switch {
	case p.step.Kind == environment.ClusterResize:
		c.Operation, c.Sized = "", environment.SizeUnknown
		c.Message = environment.NotResized(*c, c.Failure.Message)
	case e != nil && e.Busy != "" && p.step.Kind == environment.ClusterDelete:
		c.Message = "Waiting for another operation on the cluster to end."
	case e != nil && p.step.Kind == environment.ClusterQuota:
		c.Message = e.Message
	}
}

// recordCluster writes the row when there is something to write.
func (r *Runner) recordCluster(ctx context.Context, p *clusterPass, out clusterOutcome) error {
	next := p.c
	if out.edit != nil {
		out.edit(&next)
	}
	if p.step.Message != "" && next.Message == p.c.Message {
		next.Message = p.step.Message
	}
	looked := p.look(&next)
	moved := next.Message != p.c.Message
	if out.edit == nil && !moved && !looked {
		return nil
	}
	change := environment.Change{Cluster: &next}
	if out.tell || moved {
		tenants, err := r.Store.Tenants(ctx, p.c.ID)
		if err != nil {
			return err
		}
		for _, t := range tenants {
			change.Wake = append(change.Wake, environment.Job{Kind: environment.JobEnvironment, ID: t.ID, Urgency: environment.UrgencyPerson})
		}
	}
	return r.Store.Commit(ctx, change)
}

// look writes down what the cloud said of the cluster, or since when it says
// nothing of one that is being made, and reports whether that is news.
func (p *clusterPass) look(c *environment.Cluster) bool {
	switch {
	case p.seen.Known:
		c.Nodes, c.Progress, c.SilentSince = p.seen.Current.Nodes, p.seen.Current.Progress, time.Time{}
	case c.Desired == environment.Present && c.State != environment.StateReady && c.SilentSince.IsZero():
		c.SilentSince = p.now
	}
	return c.Nodes != p.c.Nodes || c.Progress != p.c.Progress || !c.SilentSince.Equal(p.c.SilentSince)
}
