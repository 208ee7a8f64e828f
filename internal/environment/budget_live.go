package environment

import (
	"context"
	"time"
)

// weighed is which environments count towards a budget that was spent at a
// time, by id.
type weighed struct {
	at    time.Time
	tight map[string]bool
}

// weighFor is how long it is believed which budgets are spent.
const weighFor = 10 * time.Minute

// weigh sums up what is spent of each budget that a live environment counts
// towards, and remembers it for judging.
func (s *Service) weigh(ctx context.Context, now time.Time) ([]liveBudget, error) {
	budgets, err := s.liveBudgets(ctx, now)
	if err != nil {
		return nil, err
	}
	w := weighed{now, map[string]bool{}}
	for i := range budgets {
		b := &budgets[i]
		if b.Spent, err = s.spent(ctx, b.Budget); err != nil {
			return nil, err
		}
		for id, usd := range b.limits {
			own := b.Budget
			own.USD = usd
			w.tight[id] = w.tight[id] || own.reached() == 100
		}
	}
	s.spentOut.Store(&w)
	return budgets, nil
}

// weighAgain is weigh on a process that has not done so lately: Budgets runs
// where the leader is, and what others would do must be what it does.
func (s *Service) weighAgain(ctx context.Context) error {
	now := s.clock()
	if w := s.spentOut.Load(); w != nil && now.Sub(w.at) < weighFor {
		return nil
	}
	_, err := s.weigh(ctx, now)
	return err
}

// tight reports whether a budget that an environment counts towards was spent
// when they were last weighed. Nothing is known before: then nothing ends
// sooner.
func (s *Service) tight(id string) bool {
	w := s.spentOut.Load()
	return w != nil && w.tight[id]
}

// liveBudget is a budget that live environments count towards.
type liveBudget struct {
	Budget
	// limits is what it amounts to for each of those: the profiles of an owner
	// may differ in it. USD is the most of them, since that much may be spent.
	limits map[string]float64
	newest Environment // of those
}

// liveBudgets are those that live environments count towards, each once. They
// are as large as policy says today: how long something may live was promised
// when it was asked for, but whoever raises a budget means what stands there.
func (s *Service) liveBudgets(ctx context.Context, now time.Time) ([]liveBudget, error) {
	classes, err := s.classes(ctx)
	if err != nil {
		return nil, err
	}
	var budgets []liveBudget
	known := map[string]int{}
	err = s.each(ctx, Filter{States: reapable}, func(e Environment) bool {
		for _, b := range budgetsOf(s.policyToday(e, classes), e.Owner, e.Course, now) {
			i, there := known[b.key()]
			if !there {
				i = len(budgets)
				known[b.key()] = i
				budgets = append(budgets, liveBudget{b, map[string]float64{}, e})
			}
			budgets[i].limits[e.ID] = b.USD
			budgets[i].USD = max(budgets[i].USD, b.USD)
		}
		return true
	})
	return budgets, err
}

// classes are all courses, by id.
func (s *Service) classes(ctx context.Context) (map[string]Course, error) {
	all, err := s.roster.Classes(ctx)
	byID := make(map[string]Course, len(all))
	for _, c := range all {
		byID[c.ID] = c
	}
	return byID, err
}

// policyToday is what would hold for an environment if it was asked for now;
// what was promised when its profile or course is no longer there.
func (s *Service) policyToday(e Environment, classes map[string]Course) Policy {
	profile, offered := s.catalogue.Profile(e.Profile)
	class, there := classes[e.Course]
	if !offered || !there && e.Course != "" {
		return s.TermsFor(e).Policy
	}
	return s.policy(profile, class)
}
