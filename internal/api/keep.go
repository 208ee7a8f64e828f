package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Lease says for how long an environment counts as in use.
type Lease struct {
	For string `json:"for" minLength:"1" maxLength:"32" doc:"Such as 30m or 2h, at most 24h." example:"1h"`
}

// ProtectRequest says whether the reaper stays away.
type ProtectRequest struct {
	Off bool `json:"off,omitempty" doc:"Let the reaper back." example:"false"`
}

type keepInput struct {
	ChangeParams
	Body Lease
}

type protectInput struct {
	ChangeParams
	Body *ProtectRequest
}

func (s *Server) keeping() {
	op := func(id, summary, description string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: "/environments/{id}/" + id, Tags: []string{"changes"},
			Summary: summary, Description: description, DefaultStatus: http.StatusOK, Errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}
	}
	add(s, op("keep", "Count it as in use for a while", "For work that cannot be seen from outside. It does not move the deadline; extend does."), s.keep)
	add(s, op("protect", "Keep the reaper away", "For staff of the course and admins. A protected environment ends only when a person ends it."), s.protect)
}

func (s *Server) keep(ctx context.Context, c call[keepInput]) (*oneOutput, error) {
	d, err := environment.ParseDuration("for", c.in.Body.For)
	if err != nil {
		return nil, err
	}
	return s.changed(ctx, c.who, c.in.ChangeParams, http.StatusOK, func(expect int64) (environment.Environment, error) {
		return s.service.Keep(ctx, c.who, c.in.ID, d, expect)
	})
}

func (s *Server) protect(ctx context.Context, c call[protectInput]) (*oneOutput, error) {
	return s.changed(ctx, c.who, c.in.ChangeParams, http.StatusOK, func(expect int64) (environment.Environment, error) {
		return s.service.Protect(ctx, c.who, c.in.ID, !given(c.in.Body).Off, expect)
	})
}
