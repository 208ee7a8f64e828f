package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// settled is what must hold in the end.
func (c *turmoil) settled(ctx context.Context) error {
	if err := c.toldRightly(ctx); err != nil {
		return err
	}
	for _, r := range c.all {
		if err := c.heardOnce(ctx, r); err != nil {
			return err
		}
	}
	var rows struct{ Items []environment }
	if err := ask(ctx, c.replicas, 0, http.MethodGet, "/environments?state=pending,creating,ready,updating,deleting&limit=200", nil, &rows); err != nil {
		return err
	}
	for _, e := range rows.Items {
		c.violates("%s is still there: %s", e.ID, e.State)
	}
	return c.nothingLeft(ctx, clearance, 2*time.Second)
}

// clearance is how long it may take until nothing of the bench's is in the
// cloud any more: the classes' clusters wait for the next student for
// idleMinutes, and are deleted then.
const clearance = 10 * time.Minute

// nothingLeft waits until the cloud is empty by its own account, and so is
// what daskbot finds when it compares cloud and store now. What stays is a
// violation.
func (c *turmoil) nothingLeft(ctx context.Context, within, every time.Duration) error {
	began := time.Now()
	for {
		left, err := c.leftovers(ctx)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			c.counts("seconds until nothing was left", int(time.Since(began).Seconds()))
			return nil
		}
		if time.Since(began) >= within {
			for _, what := range slices.Sorted(maps.Keys(left)) {
				c.violates("orphaned: %s", what)
			}
			return nil
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}

// leftovers asks both: the cloud what there is, and daskbot what it makes of
// that. What daskbot cannot tell is as bad as an orphan.
func (c *turmoil) leftovers(ctx context.Context) (map[string]bool, error) {
	left := map[string]bool{}
	var there []struct{ Kind, Name, Location, Cluster, Status string }
	if err := c.control(ctx, http.MethodGet, "/resources?project="+project, nil, &there); err != nil {
		return nil, err
	}
	for _, r := range there {
		left[fmt.Sprintf("%s %s in %s, of cluster %q, is in the cloud: %s", r.Kind, r.Name, r.Location, r.Cluster, r.Status)] = true
	}
	var found struct {
		Items    []struct{ Kind, Name, Reason string }
		Lost     []string
		Unsure   []struct{ Project, Reason string }
		Projects int
		Held     string
	}
	if err := ask(ctx, c.replicas, 0, http.MethodGet, "/orphans?fresh=true", nil, &found); err != nil {
		return nil, err
	}
	for _, o := range found.Items {
		left[fmt.Sprintf("%s %s, says daskbot: %s", o.Kind, o.Name, o.Reason)] = true
	}
	for _, id := range found.Lost {
		left["daskbot counts on a cluster that is not there: "+id] = true
	}
	for _, u := range found.Unsure {
		left[fmt.Sprintf("daskbot cannot tell what is in %s: %s", u.Project, u.Reason)] = true
	}
	if found.Projects == 0 {
		left["daskbot compared no project"] = true
	}
	if found.Held != "" {
		left["daskbot deletes nothing by itself: "+found.Held] = true
	}
	return left, nil
}
