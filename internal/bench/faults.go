package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is one thing that the sandbox can be told to do wrong.
type fault map[string]any

func (f fault) kind() string { return f["kind"].(string) }

// cloudFaults are those that an environment must survive. Between them they
// find their occasion: the classes have Dask and hubs, and so volumes; clusters
// come and go; and the sweep for orphans lists them every minute.
var cloudFaults = []fault{
	{"kind": "unavailable", "times": 3}, {"kind": "slow", "times": 3, "delay": "500ms"},
	{"kind": "lost-reply", "method": "CreateCluster", "times": 1}, {"kind": "lost-reply", "method": "DeleteCluster", "times": 1},
	{"kind": "lost-reply", "method": "disks.delete", "times": 1}, {"kind": "rate-limit", "times": 1}, {"kind": "delete-fails", "times": 2},
	{"kind": "spontaneous-upgrade", "times": 1, "delay": "2s"}, {"kind": "missing-zones", "zone": "europe-west1-b", "times": 2},
	{"kind": "empty-list", "times": 1}, {"kind": "slow-api", "times": 50, "delay": "60ms"}, {"kind": "api-down", "times": 20},
	{"kind": "hub-down", "times": 5}, {"kind": "stockout", "times": 1, "delay": "1s"},
	{"kind": "scheduler-down", "times": 5}, {"kind": "disk-fails", "times": 2}, {"kind": "no-address", "times": 2}, {"kind": "never-ready", "times": 2},
}

// mortalFaults are answers that waiting does not change: what an environment
// is asked for then may be refused, or fail with a reason.
var mortalFaults = []fault{
	{"kind": "quota", "times": 1, "value": "CPUS"}, {"kind": "quota-late", "times": 1, "value": "CPUS"}, {"kind": "create-fails", "times": 1},
	{"kind": anyCall, "times": 1},
}

// anyCall is the mortal fault that may end an environment in any phase; the
// others do so only while its cluster is made.
const anyCall = "permission-denied"

var slackFaults = []fault{
	{"kind": "slack-429", "times": 5, "delay": "1s"}, {"kind": "slack-500", "times": 5}, {"kind": "slack-hang", "times": 3, "delay": "2s"},
	{"kind": "slack-lost", "method": "chat.postMessage", "times": 2, "delay": "1s"},
}

var allFaults = slices.Concat(cloudFaults, mortalFaults, slackFaults)

// scripted is a fault that the sandbox was told of.
type scripted struct {
	id, kind    string
	times, left int
	over        time.Time // when it was seen to be used up; zero: it may still strike
}

// aftermath is how long after a mortal fault struck somebody may still be
// drawn in: an operation that fails later, a cluster that others wait for.
const aftermath = time.Minute

// script is what the sandbox was told to do wrong, and what it did.
type script struct {
	mu  sync.Mutex
	all []*scripted
}

func (s *script) add(f *scripted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, f)
}

// pending are the faults that may still strike.
func (s *script) pending() []*scripted {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*scripted
	for _, f := range s.all {
		if f.over.IsZero() {
			all = append(all, f)
		}
	}
	return all
}

// learn takes how often each of those that were pending may still strike.
func (s *script) learn(pending []*scripted, left map[string]int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range pending {
		if f.left = left[f.id]; f.left == 0 {
			f.over = now
		}
	}
}

// mortal are the kinds of mortal faults that may strike just now, or whose
// aftermath is not over.
func (s *script) mortal(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, f := range s.all {
		if mortalKind(f.kind) && (f.over.IsZero() || now.Sub(f.over) < aftermath) {
			kinds = append(kinds, f.kind)
		}
	}
	return kinds
}

func mortalKind(kind string) bool {
	return slices.ContainsFunc(mortalFaults, func(f fault) bool { return f.kind() == kind })
}

// struck is how often each kind did.
func (s *script) struck() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, f := range s.all {
		if did := f.times - f.left; did > 0 {
			n[f.kind] += did
		}
	}
	return n
}

// missed are the kinds that never struck.
func (s *script) missed() []string {
	struck, kinds := s.struck(), map[string]bool{}
	for _, f := range allFaults {
		if struck[f.kind()] == 0 {
			kinds[f.kind()] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// misbehaves scripts one fault after the other until the storm is over, every
// kind at least twice in ten minutes: in each round first what has not struck.
func (c *turmoil) misbehaves(ctx, storm context.Context) {
	random := rand.New(rand.NewPCG(c.seed, 1)) //nolint:gosec // it must be the same again
	every := min(max(c.lasts/time.Duration(2*len(allFaults)), 4*time.Second), 12*time.Second)
	for {
		round := slices.Clone(allFaults)
		random.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		struck := c.script.struck()
		slices.SortStableFunc(round, func(a, b fault) int { return min(struck[a.kind()], 1) - min(struck[b.kind()], 1) })
		for _, f := range round {
			if pause(storm, every) != nil {
				return
			}
			if err := c.scripts(ctx, f); err != nil && ctx.Err() == nil {
				c.violates("the sandbox takes no fault %v: %v", f, err)
				return
			}
		}
	}
}

// scripts tells the sandbox of a fault. Whoever is alive when it is a mortal
// one is excused.
func (c *turmoil) scripts(ctx context.Context, f fault) error {
	told := fault{"project": project}
	if strings.HasPrefix(f.kind(), "slack-") {
		told["project"] = workspaceDomain
	}
	maps.Copy(told, f)
	c.tell("fault: %v", f)
	if mortalKind(f.kind()) {
		c.excuseLiving(f.kind()) // before it can strike
	}
	var made struct{ ID string }
	if err := c.control(ctx, http.MethodPost, "/faults", told, &made); err != nil {
		return err
	}
	times := f["times"].(int)
	c.script.add(&scripted{id: made.ID, kind: f.kind(), times: times, left: times})
	if mortalKind(f.kind()) {
		c.excuseLiving(f.kind()) // and who was born while the sandbox was told
	}
	return nil
}

// watchFaults looks all the time which faults struck.
func (c *turmoil) watchFaults(ctx context.Context) {
	for pause(ctx, 500*time.Millisecond) == nil {
		_ = c.lookAtFaults(ctx) // the next look says as much
	}
}

func (c *turmoil) lookAtFaults(ctx context.Context) error {
	pending := c.script.pending()
	var shown []struct {
		ID    string
		Times int
	}
	if err := c.control(ctx, http.MethodGet, "/faults", nil, &shown); err != nil {
		return err
	}
	left := map[string]int{}
	for _, f := range shown {
		left[f.ID] = f.Times
	}
	c.script.learn(pending, left, time.Now())
	return nil
}

// takesBack ends all faults that may still strike.
func (c *turmoil) takesBack(ctx context.Context) error {
	if err := c.lookAtFaults(ctx); err != nil {
		return err
	}
	for _, f := range c.script.pending() {
		_ = c.control(ctx, http.MethodDelete, "/faults/"+f.id, nil, nil) // it may be used up since
		c.script.mu.Lock()
		f.over = time.Now()
		c.script.mu.Unlock()
	}
	return nil
}

// faultNotes say what struck, and what did not.
func (c *turmoil) faultNotes() []string {
	all := []string{fmt.Sprintf("chaos, faults that struck: %v", c.script.struck())}
	if missed := c.script.missed(); len(missed) > 0 {
		all = append(all, "chaos, faults that found no occasion: "+strings.Join(missed, ", "))
	}
	return all
}
