package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// record is what is known here of an environment, to hold against what daskbot
// says of it.
type record struct {
	id    string
	owner int // of the people
	// told: its owner waited until a message said that it was ready.
	told    bool
	hurried bool     // its owner does not wait for that
	left    bool     // to the reaper
	alive   bool     // it has not come to its end
	failed  string   // the reason, when it came to an end that a mortal fault excuses
	excuses []string // kinds of mortal faults that may have hit it
}

// born begins the record of an environment.
func (c *turmoil) born(owner int, id string) *record {
	r := &record{id: id, owner: owner, alive: true, excuses: c.script.mortal(time.Now())}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, r)
	return r
}

// excuseLiving notes that a mortal fault may hit whoever is alive.
func (c *turmoil) excuseLiving(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.all {
		if r.alive {
			r.excuses = append(r.excuses, kind)
		}
	}
}

// excused says whether a mortal fault may be why it failed in that phase. Only
// one of them strikes after the cluster was made.
func (c *turmoil) excused(r *record, phase string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(r.excuses, func(kind string) bool {
		return kind == anyCall || phase == "cluster" || phase == "queued"
	})
}

// over ends a record.
func (c *turmoil) over(r *record, failed string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.alive, r.failed = false, failed
}

// failures counts the ends that were excused, and says why they were.
func (c *turmoil) failures() (n int, notes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	exposed, reasons := 0, map[string]int{}
	for _, r := range c.all {
		if len(r.excuses) > 0 {
			exposed++
		}
		if r.failed != "" {
			n++
			reasons[r.failed]++
		}
	}
	notes = []string{fmt.Sprintf("chaos, failed with an excuse: %d of %d environments, of which %d were alive while a mortal fault could strike", n, len(c.all), exposed)}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		notes = append(notes, fmt.Sprintf("  %d times: %s", reasons[reason], reason))
	}
	return n, notes
}
