package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Load is how much work there is.
type Load struct {
	// Waiting counts jobs that are due and not taken; Working those that any
	// replica is working on; Later those whose time has not come.
	Waiting, Working, Later int
	Oldest                  time.Duration // for how long the oldest of those waiting is due
	States                  map[environment.State]int
}

// Queue is the work at a glance.
type Queue struct {
	Waiting       int            `json:"waiting" doc:"Jobs that are due and that nobody has taken yet." example:"3"`
	Working       int            `json:"working" doc:"Jobs that are being worked on, on any replica." example:"2"`
	Later         int            `json:"later" doc:"Jobs whose time has not come." example:"40"`
	OldestSeconds int            `json:"oldestSeconds" doc:"For how long the oldest of those waiting is due." example:"1"`
	Environments  map[string]int `json:"environments" doc:"How many there are, by state."`
	Moving        []Moving       `json:"moving" nullable:"false" doc:"What something is to happen to next; who is nearest to being given up comes first."`
}

// Moving is an environment on its way up, down or to a change.
type Moving struct {
	Environment string     `json:"environment" example:"kq7wm2xd"`
	Owner       string     `json:"owner" example:"alice"`
	Course      string     `json:"course" example:"de-2026"`
	State       string     `json:"state" example:"creating"`
	Phase       string     `json:"phase" example:"cluster"`
	Since       time.Time  `json:"since" doc:"When the phase began."`
	GivenUpAt   *time.Time `json:"givenUpAt" doc:"When the phase's time is over; null for a phase without a limit."`
	Slow        bool       `json:"slow" doc:"More than half of the phase's time is over."`
	Message     string     `json:"message" example:"Making the Kubernetes cluster."`
}

type queueOutput struct{ Body Queue }

// movingStates are those in which something is to happen next.
var movingStates = []environment.State{environment.StatePending, environment.StateCreating, environment.StateUpdating, environment.StateDeleting}

// mostMoving bounds one look at the queue: what is most urgent is at its top.
const mostMoving = 500

func (s *Server) queueing() {
	add(s, huma.Operation{OperationID: "queue", Method: http.MethodGet, Path: "/queue", Tags: []string{"access"},
		Summary: "The work at a glance", Description: "Admins only. How many jobs wait and are worked on, and every environment that something is to happen to next, with how much of its time is over."}, s.queue)
}

func (s *Server) queue(ctx context.Context, c call[struct{}]) (*queueOutput, error) {
	if err := environment.Authorize(c.who, environment.ActionAdminister, "", ""); err != nil {
		return nil, err
	}
	load, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	out := &queueOutput{Body: Queue{Waiting: load.Waiting, Working: load.Working, Later: load.Later, OldestSeconds: int(load.Oldest.Seconds()),
		Environments: map[string]int{}, Moving: []Moving{}}}
	for state, n := range load.States {
		out.Body.Environments[string(state)] = n
	}
	rows, _, err := s.service.List(ctx, c.who, environment.Filter{States: movingStates, Limit: mostMoving})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	slices.SortStableFunc(rows, func(a, b environment.Environment) int { return cmp.Compare(spent(b, now), spent(a, now)) })
	for _, e := range rows {
		out.Body.Moving = append(out.Body.Moving, movingOf(e, now))
	}
	return out, nil
}

func movingOf(e environment.Environment, now time.Time) Moving {
	m := Moving{Environment: e.ID, Owner: e.Owner, Course: e.Course, State: string(e.State), Phase: string(e.Phase), Since: e.PhaseSince.UTC(),
		Slow: spent(e, now) > 0.5, Message: e.Message}
	if limit := e.Phase.Limit(); limit > 0 {
		until := e.PhaseSince.Add(limit).UTC()
		m.GivenUpAt = &until
	}
	return m
}

// spent is how much of its phase's time is over, 1 for all of it.
func spent(e environment.Environment, now time.Time) float64 {
	limit := e.Phase.Limit()
	if limit <= 0 {
		return 0
	}
	return float64(now.Sub(e.PhaseSince)) / float64(limit)
}
