package environment

import (
	"context"
	"time"
)

// reaperCaller is who the reaper acts as: an admin, by name.
var reaperCaller = Caller{Subject: "reaper", Role: RoleAdmin}

// Expired lists environments whose deadline has passed, at most limit.
func (s *Service) Expired(ctx context.Context, limit int) ([]Environment, error) {
	now := s.clock()
	var due []Environment
	err := s.eachLive(ctx, func(e Environment) bool {
		if expired(e, now) {
			due = append(due, e)
		}
		return len(due) < limit
	})
	return due, err
}

func expired(e Environment, now time.Time) bool {
	return e.Desired == Present && !e.ExpiresAt.IsZero() && !now.Before(e.ExpiresAt)
}

// Expire ends an environment that is still past its deadline: it may have
// been extended since it was listed.
func (s *Service) Expire(ctx context.Context, id string) error {
	_, err := s.change(ctx, reaperCaller, ActionDelete, id, 0, func(e *Environment, now time.Time) (Event, error) {
		if !expired(*e, now) {
			return Event{}, nil
		}
		MarkDown(e, now, "Its time is over; it is being deleted.")
		return event(*e, EventStopping, reaperCaller.Subject, "Its time was over at "+e.ExpiresAt.Format("2006-01-02 15:04 MST")+".", now), nil
	})
	return err
}

// Resync wakes every row that is not at its end, so that the runner compares
// it with the real world; it returns how many. A lost wake-up, or somebody
// who changed things by hand, is found this way.
func (s *Service) Resync(ctx context.Context) (int, error) {
	var jobs []Job
	err := s.each(ctx, Filter{States: []State{StatePending, StateCreating, StateReady, StateUpdating, StateDeleting, StateFailed}}, func(e Environment) bool {
		if e.Phase != PhaseGone {
			jobs = append(jobs, Job{JobEnvironment, e.ID, UrgencySchedule})
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	clusters, err := s.store.Clusters(ctx, false)
	if err != nil {
		return 0, err
	}
	for _, c := range clusters {
		jobs = append(jobs, Job{JobCluster, c.ID, UrgencySchedule})
	}
	if len(jobs) == 0 {
		return 0, nil
	}
	return len(jobs), s.store.Commit(ctx, Change{Wake: jobs})
}

func (s *Service) eachLive(ctx context.Context, visit func(Environment) bool) error {
	return s.each(ctx, Filter{States: []State{StatePending, StateCreating, StateReady, StateUpdating}}, visit)
}

// each visits environments page by page until visit says no.
func (s *Service) each(ctx context.Context, f Filter, visit func(Environment) bool) error {
	f.Limit = 200
	for {
		items, next, err := s.store.Environments(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range items {
			if !visit(e) {
				return nil
			}
		}
		if next == "" {
			return nil
		}
		f.Cursor = next
	}
}
