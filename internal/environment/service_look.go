package environment

import (
	"context"
	"io"
	"sync"
	"time"
)

// Look is what is cheap to know about an environment beside its row.
type Look struct {
	Cluster Cluster
	// Estimate is when it will be ready; zero when it is not being made.
	Estimate    time.Time
	Step, Steps int
	Cost        Cost
	Now         time.Time // when it was looked
	Use         Use       // as the reaper last saw it
	Terms       Terms
	Judgement   Judgement // what the reaper would do now
}

// Look gathers it from the store alone.
func (s *Service) Look(ctx context.Context, who Caller, id string) (Look, error) {
	e, err := s.fetch(ctx, who, ActionView, id)
	if err != nil {
		return Look{}, err
	}
	uses, err := s.store.Uses(ctx, []string{id})
	if err != nil {
		return Look{}, err
	}
	l, err := s.lookAt(ctx, e, uses[id])
	l.Terms = s.TermsFor(e)
	l.Use = uses[id].leased(l.Terms.Policy, e)
	l.Judgement = Judge(l.Terms.Policy, e, l.Use, l.Now)
	return l, err
}

// lookAt is Look without what the reaper knows.
func (s *Service) lookAt(ctx context.Context, e Environment, u Use) (Look, error) {
	c, tenants, err := s.standing(ctx, e)
	if err != nil {
		return Look{}, err
	}
	now := s.clock()
	l := Look{Cluster: c, Now: now, Cost: costWith(s.listed(), e, c, tenants, s.volumesOf(ctx, c), u, now)}
	l.Step, l.Steps = StepOf(e.Phase)
	if l.Steps > 0 {
		l.Estimate = EstimateReady(e, s.median(ctx, e), now)
	}
	return l, nil
}

// standing is the cluster that an environment stands on, and how many share
// it; the zero Cluster before there is one.
func (s *Service) standing(ctx context.Context, e Environment) (c Cluster, tenants int, err error) {
	if e.ClusterID == "" {
		return c, 1, nil
	}
	if c, err = s.store.Cluster(ctx, e.ClusterID); err != nil && CodeOf(err) != CodeNotFound {
		return c, 0, err
	}
	if c.Placement != Shared {
		return c, 1, nil
	}
	all, err := s.store.Tenants(ctx, c.ID)
	return c, len(all), err
}

// median reads how long phases took before; a store that does not answer
// costs an estimate its precision, nothing else.
func (s *Service) median(ctx context.Context, e Environment) func(Phase) time.Duration {
	return func(p Phase) time.Duration {
		return s.learnt.get(DurationKey(e, p), s.clock(), func(key string) time.Duration {
			samples, _ := s.store.Took(ctx, key)
			return Median(samples, usual[p])
		})
	}
}

// medians remembers what was learnt for a while: a list of a class asks for
// the same few numbers hundreds of times.
type medians struct {
	mu   sync.Mutex
	took map[string]median
}

type median struct {
	value time.Duration
	until time.Time
}

// learntFor is how long a median is believed; it moves slowly.
const learntFor = 30 * time.Second

func (m *medians) get(key string, now time.Time, ask func(string) time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.took[key]; ok && now.Before(known.until) {
		return known.value
	}
	if m.took == nil {
		m.took = map[string]median{}
	}
	known := median{ask(key), now.Add(learntFor)}
	m.took[key] = known
	return known.value
}

// Describe asks the cluster what there is: nodes, pods, services, workers.
// CodeUnavailable when it does not answer, CodeConflict while there is none.
func (s *Service) Describe(ctx context.Context, who Caller, id string) (SeenWorkloads, error) {
	t, p, err := s.reach(ctx, who, ActionView, id)
	if err != nil {
		return SeenWorkloads{}, err
	}
	return s.workloads.Observe(ctx, t, p)
}

// Logs copies the last tail lines of a component (a release, a Deployment or
// a component label; "" for the front door) to w.
func (s *Service) Logs(ctx context.Context, who Caller, id, component string, tail int, w io.Writer) error {
	t, p, err := s.reach(ctx, who, ActionView, id)
	if err != nil {
		return err
	}
	return s.workloads.Logs(ctx, t, p, component, tail, w)
}

// Kubeconfig makes a kubeconfig bound to the environment's namespace; owner
// and admins only.
func (s *Service) Kubeconfig(ctx context.Context, who Caller, id string) ([]byte, error) {
	t, p, err := s.reach(ctx, who, ActionUse, id)
	if err != nil {
		return nil, err
	}
	return s.workloads.Kubeconfig(ctx, t, p)
}

// Credentials tells the owner, and admins, how to log in. CodeConflict while
// there is nothing to log in to.
func (s *Service) Credentials(ctx context.Context, who Caller, id string) (Credentials, error) {
	e, err := s.fetch(ctx, who, ActionUse, id)
	if err != nil {
		return Credentials{}, err
	}
	if e.URL == "" || e.Desired == Absent {
		return Credentials{}, Errorf(CodeConflict, "There is nothing to log in to: the environment is %s.", e.State)
	}
	creds := CredentialsOf(e)
	if e.Recipe.Access.Kind == AccessJupyterHub {
		creds.Token = Secret{} // at a hub the token is daskbot's own, not the owner's
	}
	return creds, nil
}

func (s *Service) reach(ctx context.Context, who Caller, a Action, id string) (Target, Plan, error) {
	e, err := s.fetch(ctx, who, a, id)
	if err != nil {
		return Target{}, Plan{}, err
	}
	none := Errorf(CodeConflict, "There is no Kubernetes cluster to ask: the environment is %s.", e.State)
	if e.ClusterID == "" {
		return Target{}, Plan{}, none
	}
	c, err := s.store.Cluster(ctx, e.ClusterID)
	if err != nil {
		return Target{}, Plan{}, err
	}
	if c.State != StateReady {
		return Target{}, Plan{}, none
	}
	t, err := TargetOf(ctx, c, s.clusters, s.given)
	return t, PlanFor(e, c, s.install, ""), err
}

// TargetOf finds the API server of a cluster, whoever made it.
func TargetOf(ctx context.Context, c Cluster, clusters Clusters, given Given) (Target, error) {
	if c.Given != "" {
		return given.Target(c.Given)
	}
	return clusters.Target(ctx, c)
}

// Events lists what happened after a sequence number, oldest first.
func (s *Service) Events(ctx context.Context, who Caller, id string, after int64, limit int) ([]Event, error) {
	if _, err := s.fetch(ctx, who, ActionView, id); err != nil {
		return nil, err
	}
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	return s.store.Events(ctx, id, after, limit)
}

// followEvery is how often a follower looks without being told: another
// replica may have written.
const followEvery = 2 * time.Second

// Follow emits events after a sequence number as they happen. It returns nil
// once the environment is in a terminal state and every event was emitted,
// emit's error, or ctx's.
func (s *Service) Follow(ctx context.Context, who Caller, id string, after int64, emit func(Event) error) error {
	told, unsubscribe := s.feed.Subscribe(id)
	defer unsubscribe()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		// State is read before the events, so that none is missed in between.
		e, err := s.fetch(ctx, who, ActionView, id)
		if err != nil {
			return err
		}
		events, err := s.store.Events(ctx, id, after, 1000)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := emit(ev); err != nil {
				return err
			}
			after = ev.Seq
		}
		if e.State.Terminal() && len(events) < 1000 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-told:
		case <-tick.C:
		}
	}
}
