package environment

import "context"

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
