package class

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/lms"
	"github.com/daskbot/daskbot/internal/reaper"
	"github.com/daskbot/daskbot/internal/store"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

const profile = "lab"

// school is a daskbot without a cloud. Its clock is that of the bubble.
type school struct {
	*testing.T
	environment.Catalogue
	store     *store.Store
	service   *environment.Service
	hooks     *lms.Hooks
	rest      http.Handler
	placement environment.Placement
	making    map[string]time.Time // since when
	peak      int                  // how many were being made at once
}

// creates is how many environments the cloud makes at once.
const creates = 50

var admin = environment.Caller{Subject: "admin", Role: environment.RoleAdmin}

// open starts one with its reaper, and a builder in place of the runner.
func open(t *testing.T, placement environment.Placement) *school {
	s := &school{T: t, store: storetest.Open(t), placement: placement, making: map[string]time.Time{}}
	s.service = environment.NewService(environment.ServiceConfig{Store: s.store, Feed: &environment.Feed{}, Catalogue: s, Clusters: noCloud{}, Prober: s,
		CheckSchedule: reaper.CheckSchedule, Installation: "test", Inbox: s.store})
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	r, err := reaper.New(reaper.Config{Commands: s.service, Classes: s.service, Schedule: "*/2 * * * *", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.doors(log); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- r.Run(ctx) }()
	go func() { done <- s.build(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Profile and its like are the configuration.
func (s *school) Profile(name string) (environment.Profile, bool) {
	return environment.Profile{Name: profile, Placement: s.placement, Namespace: profile, Workers: environment.Workers{Max: 4}}, name == profile
}

func (s *school) DefaultProfile() string { return profile }
func (s *school) Project() string        { return "class-project" }
func (s *school) Policy() environment.Policy {
	return environment.Policy{TTL: 4 * time.Hour, MaxTTL: 8 * time.Hour, Idle: 45 * time.Minute, Unused: 2 * time.Hour, MaxPerOwner: 1, MaxTotal: 200,
		Warnings: []time.Duration{10 * time.Minute}}
}

type noCloud struct{ environment.Clusters }

func (noCloud) Target(context.Context, environment.Cluster) (environment.Target, error) {
	return environment.Target{}, nil
}

// Everybody works from eight to nine.
func today(hour, minute int) time.Time {
	y, m, d := time.Now().UTC().Date()
	return time.Date(y, m, d, hour, minute, 0, 0, time.UTC)
}

// Probe says that everybody works while there is class.
func (s *school) Probe(_ context.Context, p environment.Probe) (environment.Activity, map[string]string) {
	signal := environment.Signal{Source: "hub", Kind: environment.SignalQuiet, Message: "nobody logged in yet"}
	switch begin, end := today(8, 0), today(9, 0); {
	case p.Now.After(end):
		signal.Last, signal.Message = end, "last used at nine"
	case p.Now.After(begin):
		signal.Kind, signal.Message = environment.SignalBusy, "a kernel is busy"
	}
	return environment.Activity{At: p.Now, Signals: []environment.Signal{signal}}, nil
}

// buildsIn is how long an environment takes to be ready.
const buildsIn = 5 * time.Minute

// build does once a minute what the runner would have done by then.
func (s *school) build(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, e := range s.all(ctx, environment.StatePending, environment.StateDeleting) {
			if err := s.step(ctx, e); err != nil && environment.CodeOf(err) != environment.CodeConflict && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (s *school) step(ctx context.Context, e environment.Environment) error {
	now := time.Now().UTC()
	switch {
	case e.State == environment.StateDeleting:
		e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, now
		return s.store.Commit(ctx, environment.Change{Environment: &e})
	case s.making[e.ID].IsZero():
		if len(s.making) < creates {
			s.making[e.ID] = now
			s.peak = max(s.peak, len(s.making))
		}
		return nil
	case now.Sub(s.making[e.ID]) < buildsIn:
		return nil
	}
	delete(s.making, e.ID)
	c, err := s.cluster(ctx, e)
	if err != nil {
		return err
	}
	e.State, e.Phase, e.ReadyAt, e.ExpiresAt, e.ClusterID, e.URL = environment.StateReady, environment.PhaseReady, now, now.Add(e.Spec.TTL), c, "http://203.0.113.7"
	return s.store.Commit(ctx, environment.Change{Environment: &e})
}

// cluster is the one an environment stands on: its own, or the course's.
func (s *school) cluster(ctx context.Context, e environment.Environment) (string, error) {
	c := environment.Cluster{ID: "c" + e.ID, Placement: s.placement, State: environment.StateReady, Desired: environment.Present, Environment: e.ID,
		Location: "europe-west1-b", AskedAt: e.CreatedAt, CreatedAt: e.CreatedAt, Nodes: 2, Shape: environment.ClusterShape{MachineType: "e2-standard-2", Nodes: 2, DiskGB: 50}}
	if s.placement == environment.Shared {
		c.ID, c.Key, c.Environment, c.Nodes = "shared", e.Course, "", 15
		if _, err := s.store.Cluster(ctx, c.ID); environment.CodeOf(err) != environment.CodeNotFound {
			return c.ID, err
		}
	}
	return c.ID, s.store.Commit(ctx, environment.Change{Cluster: &c})
}

// all lists the course's environments in these states; in any for none.
func (s *school) all(ctx context.Context, states ...environment.State) (all []environment.Environment) {
	f := environment.Filter{States: states, Limit: 200}
	for {
		items, next, err := s.store.Environments(ctx, f)
		if err != nil && ctx.Err() == nil {
			s.Error(err)
		}
		if all = append(all, items...); next == "" || err != nil {
			return all
		}
		f.Cursor = next
	}
}

// until lets time pass.
func (s *school) until(at time.Time) {
	s.Helper()
	wait := time.NewTimer(time.Until(at))
	<-wait.C
}
