package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// messages counts the direct messages that a person got, by environment and
// kind.
func (c *turmoil) messages(ctx context.Context, n int) (map[string]map[string]int, error) {
	var all []struct {
		ChannelName string
		Metadata    struct {
			Payload struct{ Environment, Kind string } `json:"event_payload"`
		}
	}
	query := url.Values{"team": {workspaceDomain}, "user": {c.workspace.People[n].Name}}
	if err := c.control(ctx, http.MethodGet, "/slack/messages?"+query.Encode(), nil, &all); err != nil {
		return nil, err
	}
	got := map[string]map[string]int{}
	for _, m := range all {
		p := m.Metadata.Payload
		if m.ChannelName != "directmessage" || p.Environment == "" {
			continue
		}
		if got[p.Environment] == nil {
			got[p.Environment] = map[string]int{}
		}
		got[p.Environment][p.Kind]++
	}
	return got, nil
}

// isTold waits until a message tells the owner that the environment is ready.
func (c *turmoil) isTold(ctx context.Context, r *record) error {
	late := time.Now().Add(patience)
	for {
		got, err := c.messages(ctx, r.owner)
		if err != nil {
			return err
		}
		if got[r.id]["ready"] > 0 {
			c.mu.Lock()
			r.told = true
			c.mu.Unlock()
			return nil
		}
		if time.Now().After(late) {
			return fmt.Errorf("untold: nobody was told within %s that %s is ready; told were %v", patience, r.id, got[r.id])
		}
		if err := pause(ctx, 2*c.lookEvery()); err != nil {
			return err
		}
	}
}

// lastWord is how long the outbox may need for what has happened.
const lastWord = 3 * time.Minute

// toldRightly looks through all direct messages: what had to be told was, and
// of each kind there is one an environment.
func (c *turmoil) toldRightly(ctx context.Context) error {
	owners := map[int][]*record{}
	for _, r := range c.all {
		owners[r.owner] = append(owners[r.owner], r)
	}
	late, told := time.Now().Add(lastWord), 0
	for _, n := range slices.Sorted(maps.Keys(owners)) {
		got, err := c.messages(ctx, n)
		for err == nil && len(missing(owners[n], got)) > 0 && time.Now().Before(late) {
			if err = pause(ctx, 2*time.Second); err == nil {
				got, err = c.messages(ctx, n)
			}
		}
		if err != nil {
			return err
		}
		for _, m := range missing(owners[n], got) {
			c.violates("untold: %s to %s", m, c.workspace.People[n].Name)
		}
		for id, kinds := range got {
			for kind, times := range kinds {
				told += times
				if times > 1 {
					c.violates("told %d times: %s of %s to %s", times, kind, id, c.workspace.People[n].Name)
				}
			}
		}
	}
	c.counts("messages", told)
	return nil
}

// missing says what had to be told and was not. That an environment is ready
// need not be told to somebody who changes it at once: then it is not so any
// more.
func missing(records []*record, got map[string]map[string]int) []string {
	var all []string
	for _, r := range records {
		kinds := got[r.id]
		want := map[string]bool{"progress": kinds["progress"] > 0}
		if r.told {
			want["ready"] = kinds["ready"] > 0
		}
		switch {
		case r.alive:
		case r.failed != "":
			want["failed"] = kinds["failed"] > 0
		default:
			want["ended"] = kinds["ended"] > 0
		}
		if r.left && r.failed == "" {
			want["warned"] = slices.ContainsFunc(slices.Collect(maps.Keys(kinds)), func(k string) bool { return strings.HasPrefix(k, "warned:") })
		}
		for _, kind := range slices.Sorted(maps.Keys(want)) {
			if !want[kind] {
				all = append(all, kind+" of "+r.id)
			}
		}
	}
	return all
}

// heardOnce looks through the events of an environment: it began and ended
// once, and was ready as often as it was asked to be.
func (c *turmoil) heardOnce(ctx context.Context, r *record) error {
	var events struct {
		Items []struct{ Type string }
	}
	if err := ask(ctx, c.replicas, 0, http.MethodGet, "/environments/"+r.id+"/events?limit=1000", nil, &events); err != nil {
		return err
	}
	n := map[string]int{}
	for _, e := range events.Items {
		n[e.Type]++
	}
	least, most := map[string]int{"requested": 1}, map[string]int{"requested": 1, "ready": 2, "stopping": 1, "deleted": 1}
	switch {
	case r.failed != "":
		least["failed"], most["failed"] = 1, 1
	case !r.alive:
		least["deleted"], least["ready"] = 1, 1
	default:
		least["ready"] = 1
	}
	for kind := range most {
		if n[kind] > most[kind] {
			c.violates("%s: %d events %q; want at most %d", r.id, n[kind], kind, most[kind])
		}
	}
	for kind, want := range least {
		if n[kind] < want {
			c.violates("%s: %d events %q; want %d", r.id, n[kind], kind, want)
		}
	}
	if n["failed"] > most["failed"] {
		c.violates("%s failed without an excuse", r.id)
	}
	return nil
}
