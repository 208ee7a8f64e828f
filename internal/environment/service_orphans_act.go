package environment

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A part of a load balancer can be deleted once the part before it is gone,
// which takes seconds: what was in use is tried again this often, after this
// long. What is in use even then waits for the next sweep.
const (
	orphanRounds = 10
	orphanPause  = 2 * time.Second
)

// actOnOrphans acts on all, in order, and notes in each what became of it.
func (s *Service) actOnOrphans(ctx context.Context, ripe []*Orphan, by string) {
	for round := range orphanRounds {
		if round > 0 && !pause(ctx, orphanPause) {
			return
		}
		var busy []*Orphan
		for _, o := range ripe {
			s.actOnOrphan(ctx, o, by)
			if e, ok := errorAs(o.Err); ok && e.Busy != "" {
				busy = append(busy, o)
			}
		}
		if ripe = busy; len(ripe) == 0 {
			return
		}
	}
}

// pause waits; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// actOnOrphan decides again, on what is true now, and then acts.
func (s *Service) actOnOrphan(ctx context.Context, o *Orphan, by string) {
	act := s.deleteLeftover
	switch {
	case o.Action == OrphanAdopt:
		act = s.adopt
	case o.Kind == KindCluster:
		act = s.deleteUnknown
	}
	told, err := act(ctx, *o, by)
	switch {
	case err != nil:
		o.Done, o.Err = OrphanFailed, err
	case !told:
		o.Done, o.Err = OrphanSpared, nil
	default:
		o.Done, o.Err = OrphanAsked, nil
	}
}

// adopt hands a cluster to the runner by its row.
func (s *Service) adopt(ctx context.Context, o Orphan, by string) (bool, error) {
	row, err := s.store.Cluster(ctx, o.ClusterID)
	if err != nil {
		return false, err
	}
	envs := map[string]Environment{}
	if row.Environment != "" {
		e, err := s.store.Environment(ctx, row.Environment)
		if err != nil && CodeOf(err) != CodeNotFound {
			return false, err
		}
		if err == nil {
			envs[e.ID] = e
		}
	}
	now := books{rows: map[string]Cluster{row.ID: row}, envs: envs}
	listed := OwnedCluster{ClusterAttempt: ClusterAttempt{Name: o.Name, Location: o.Location}, Labels: map[string]string{LabelClusterID: row.ID}}
	if now.keeps(listed) {
		return false, nil
	}
	adopted := Adopt(row, o)
	return true, s.store.Commit(ctx, Change{Cluster: &adopted, Events: []Event{s.swept(o, by)},
		Wake: []Job{{JobCluster, row.ID, UrgencyDelete}}})
}

// deleteUnknown deletes a cluster of ours that no row knows, after one more
// look at both.
func (s *Service) deleteUnknown(ctx context.Context, o Orphan, by string) (bool, error) {
	at := ClusterAttempt{Name: o.Name, Location: o.Location}
	seen, err := s.clusters.Observe(ctx, o.Project, at, "")
	if err != nil {
		return false, err
	}
	if !seen.Mine || seen.State == CloudAbsent || seen.State == CloudStopping {
		return false, nil
	}
	if seen.ClusterID != "" {
		if _, err := s.store.Cluster(ctx, seen.ClusterID); CodeOf(err) != CodeNotFound {
			return false, err
		}
	}
	if _, err := s.clusters.Delete(ctx, o.Project, at); err != nil {
		return false, err
	}
	return true, s.tellSwept(ctx, o, by)
}

// deleteLeftover deletes a resource of Compute, unless its row came back.
func (s *Service) deleteLeftover(ctx context.Context, o Orphan, by string) (bool, error) {
	if o.ClusterID != "" && o.Environment == "" || labelled(o.Kind) && o.ClusterID != "" {
		row, err := s.store.Cluster(ctx, o.ClusterID)
		if err != nil && CodeOf(err) != CodeNotFound {
			return false, err
		}
		if err == nil && row.DeletedAt.IsZero() && row.Placement == Dedicated {
			return false, nil
		}
	}
	if err := s.orphans.Leavings.Delete(ctx, o.Resource); err != nil {
		return false, err
	}
	return true, s.tellSwept(ctx, o, by)
}

func (s *Service) tellSwept(ctx context.Context, o Orphan, by string) error {
	return s.store.Commit(ctx, Change{Events: []Event{s.swept(o, by)}})
}

// swept is the event of an act of the sweep. Owners read that something was
// left over; what it was is for staff.
func (s *Service) swept(o Orphan, by string) Event {
	return Event{At: s.clock(), Environment: o.Environment, Cluster: first(o.ClusterID, o.Cluster), Type: EventSwept, State: StateDeleted, Phase: PhaseGone,
		Message: "Something that was left over in the cloud is being deleted.", Actor: by,
		Detail: fmt.Sprintf("%s: %s About $%.4f an hour, found %s.", o.key(), o.Reason, o.USDPerHour, o.FirstSeen.Format(time.RFC3339))}
}

// Acted are the orphans that a sweep tried to do something about.
func (o Orphans) Acted() []Orphan {
	return slices.DeleteFunc(slices.Clone(o.Items), func(it Orphan) bool { return it.Done == "" })
}
