package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// greet links the Slack account, so that daskbot tells this person things. A
// daskbot that answers while its database does not says so, and links nobody.
func (c *turmoil) greet(ctx context.Context, n int) error {
	var last error
	for try := range 30 {
		cl := &class{stage: &stage{daemonURL: "http://" + c.replicas[(n+try)%len(c.replicas)].addr}, workspace: c.workspace}
		said, err := cl.command(ctx, c.workspace.People[n].ID, "status", n*100+try)
		if err == nil && strings.Contains(said, "You have ") {
			return nil
		}
		last = errors.Join(err, fmt.Errorf("greeted, daskbot said %q", said))
		if waiting := pause(ctx, time.Second); waiting != nil {
			return errors.Join(waiting, last)
		}
	}
	return last
}

// watch looks all the time for two clusters of one row. One without machines
// goes while the next is made.
func (c *turmoil) watch(ctx context.Context) {
	seen := map[string]bool{}
	for pause(ctx, 500*time.Millisecond) == nil {
		var all []struct {
			Name, Status string
			Labels       map[string]string
		}
		if c.control(ctx, http.MethodGet, "/clusters", nil, &all) != nil {
			continue
		}
		of := map[string]string{}
		for _, k := range all {
			row := k.Labels["daskbot-cluster-id"]
			if row == "" || k.Status == "ERROR" || k.Status == "STOPPING" {
				continue
			}
			if other, twice := of[row]; twice && !seen[row] {
				seen[row] = true
				c.violates("doubled: %s and %s are for the same row", other, k.Name)
			}
			of[row] = k.Name
		}
	}
}
