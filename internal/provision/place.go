package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// place finds the cluster the environment belongs on, or records a new one.
// Nothing is asked of the cloud: the cluster's own reconcile does that.
func (r *Runner) place(ctx context.Context, p *pass) (outcome, error) {
	key := clusterKey(p.e)
	c, err := r.Store.LiveCluster(ctx, key)
	switch {
	case environment.CodeOf(err) == environment.CodeNotFound:
		c = newCluster(p.e, key, p.now)
	case err != nil:
		return outcome{}, err
	}
	// Writing the row of a shared cluster, even unchanged, makes a retirement
	// at the same moment lose its compare-and-set.
	c.IdleSince = time.Time{}
	edit := func(e *environment.Environment) {
		e.ClusterID = c.ID
		if c.Given == "" {
			e.Project = c.Project
		}
	}
	return outcome{edit: edit, cluster: &c,
		wake: []environment.Job{{Kind: environment.JobCluster, ID: c.ID, Urgency: environment.UrgencyPerson}}}, nil
}

// clusterKey is what environments that share a cluster have in common.
func clusterKey(e environment.Environment) string {
	switch {
	case e.Recipe.Given != "":
		return "given/" + e.Recipe.Given
	case e.Recipe.Placement == environment.Shared:
		return fmt.Sprintf("shared/%s/%s/%s", e.Project, e.Course, e.Profile)
	default:
		return "environment/" + e.ID
	}
}

// graceBeforeDeleteAfter is how far beyond the longest life the safety-net
// label lies: a cluster whose daskbot died is found by it, one in use is not.
const graceBeforeDeleteAfter = 24 * time.Hour

func newCluster(e environment.Environment, key string, now time.Time) environment.Cluster {
	c := environment.Cluster{
		Key: key, Placement: environment.Shared, Course: e.Course, Project: e.Project, Shape: e.Recipe.Cluster,
		Given: e.Recipe.Given, Desired: environment.Present, State: environment.StatePending, CreatedAt: now, PhaseSince: now,
		MaxNodes: e.Recipe.Cluster.MaxNodes,
	}
	if e.Recipe.Placement == environment.Dedicated && e.Recipe.Given == "" {
		// One id for both: whoever sees the cluster in the console finds the
		// environment, and a second insert for it is refused.
		c.Placement, c.ID, c.Environment = environment.Dedicated, e.ID, e.ID
	} else {
		c.ID = environment.NewID()
	}
	if e.Recipe.Workers.Kind == environment.WorkersNodes {
		c.Room = e.Recipe.Workers.Max
	}
	life := max(e.Spec.TTL, e.ExpiresAt.Sub(now), e.Recipe.Policy.MaxTTL)
	c.DeleteAfter = now.Add(life + graceBeforeDeleteAfter)
	nameAttempt(&c, 0)
	return c
}

// nameAttempt gives the row the name and location of its nth attempt. Names
// follow from the id alone, so a create that is repeated after a crash meets
// its own cluster.
func nameAttempt(c *environment.Cluster, n int) {
	c.Attempt = n
	c.Name = "dask-" + c.ID
	if n > 0 {
		c.Name = fmt.Sprintf("%s-%d", c.Name, n+1)
	}
	if len(c.Shape.Locations) > 0 {
		c.Location = c.Shape.Locations[min(n, len(c.Shape.Locations)-1)]
	}
	c.AskedAt, c.UnsureUntil, c.Operation, c.QuotaChecked = time.Time{}, time.Time{}, "", time.Time{}
	c.Progress = environment.Progress{}
}
