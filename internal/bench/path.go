package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// wait is one span of time that the emulated cloud took, as the sandbox logs
// it: an operation, a node's boot, a disk, a load balancer, a pod's start.
type wait struct {
	Kind, Name, Project, Cluster string
	Start, End                   time.Time
}

// span is a stretch of time in which the cloud did nothing: daskbot's own, or
// that of Kubernetes's real components.
type span struct {
	from, to time.Time
	after    string // what had just ended
}

func (s span) String() string {
	return fmt.Sprintf("%.2f s after %s", s.to.Sub(s.from).Seconds(), s.after)
}

// criticalPath tells what of the time between a request and its being ready
// the cloud took, and in which stretches it took nothing.
//
// It is the union of the waits that began after the request and ended before
// ready, so that waits side by side count once. One that still lasts at ready
// gated nothing and does not count; one that ended before did, or ran beside
// one that did.
func criticalPath(waits []wait, asked, ready time.Time) (cloud time.Duration, idle []span) {
	waits = slices.DeleteFunc(slices.Clone(waits), func(w wait) bool {
		return w.Start.Before(asked) || w.End.IsZero() || w.End.After(ready)
	})
	slices.SortFunc(waits, func(a, b wait) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	at, last := asked, "the request"
	for _, w := range waits {
		if w.Start.After(at) {
			idle = append(idle, span{at, w.Start, last})
			at = w.Start
		}
		if w.End.After(at) {
			cloud += w.End.Sub(at)
			at, last = w.End, w.Kind+" "+w.Name
		}
	}
	if ready.After(at) {
		idle = append(idle, span{at, ready, last})
	}
	return cloud, idle
}
