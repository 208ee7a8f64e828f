package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// ChangeParams are what every change of an environment takes beside its body.
type ChangeParams struct {
	PathID
	Match string `header:"If-Match" doc:"An ETag; 412 unless it still holds." example:"\"v3\""`
}

// Extension says by how much the deadline moves.
type Extension struct {
	Duration string `json:"duration" minLength:"1" maxLength:"32" doc:"Such as 30m, 2h or 1d." example:"2h"`
}

// Scaling says how many workers there should be.
type Scaling struct {
	Workers int `json:"workers" minimum:"0" maximum:"100000" doc:"Dask workers (with some profiles: nodes)." example:"4"`
}

// PackageChange names packages to add and to remove.
type PackageChange struct {
	Add    []string `json:"add,omitempty" maxItems:"200" nullable:"false" doc:"To install on every side." example:"[\"xgboost\"]"`
	Remove []string `json:"remove,omitempty" maxItems:"200" nullable:"false" doc:"To take away again." example:"[\"s3fs\"]"`
}

type extendInput struct {
	ChangeParams
	Body Extension
}

type scaleInput struct {
	ChangeParams
	Body Scaling
}

type packagesInput struct {
	ChangeParams
	Body PackageChange
}

func (s *Server) changes() {
	schema := s.api.OpenAPI().Components.Schemas.Schema(environmentGoType, true, "Environment")
	op := func(id, method, path, summary, description string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/environments/{id}" + path, Tags: []string{"changes"},
			Summary: summary, Description: description, DefaultStatus: http.StatusAccepted, Errors: changeErrors,
			Responses: map[string]*huma.Response{"202": {Description: "Accepted; follow its events to see it carried out."}}}
	}
	down := op("down", http.MethodDelete, "", "Take an environment away", "Accepted in every state, also while it is still being made. It is gone when its state is deleted.")
	down.Responses["200"] = s.answer("It was already gone.", "application/json", schema)
	add(s, down, s.down)
	add(s, op("extend", http.MethodPost, "/extend", "Move the deadline", "Moves it by the duration, as far as the policy allows."), s.extend)
	add(s, op("scale", http.MethodPost, "/scale", "Change the number of workers", "Asks for so many Dask workers, or nodes."), s.scale)
	add(s, op("packages", http.MethodPost, "/packages", "Change the extra packages", "Adds and removes Python packages, on every side alike."), s.packages)
	add(s, op("upgrade", http.MethodPost, "/upgrade", "Take the newest release", "Takes the profile and the charts as they are configured now."), s.upgrade)
}

// expect reads the request's If-Match.
func (s *Server) expect(ctx context.Context, who environment.Caller, in ChangeParams) (int64, error) {
	return expected(in.Match, func() (int64, error) {
		e, err := s.service.Get(ctx, who, in.ID)
		return e.Version, err
	})
}

// change carries out one command that takes time and answers with the
// environment.
func (s *Server) change(ctx context.Context, who environment.Caller, in ChangeParams,
	command func(expect int64) (environment.Environment, error)) (*oneOutput, error) {
	return s.changed(ctx, who, in, http.StatusAccepted, command)
}

func (s *Server) changed(ctx context.Context, who environment.Caller, in ChangeParams, status int,
	command func(expect int64) (environment.Environment, error)) (*oneOutput, error) {
	expect, err := s.expect(ctx, who, in)
	if err != nil {
		return nil, err
	}
	e, err := command(expect)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, who, e, status)
}

func (s *Server) down(ctx context.Context, c call[ChangeParams]) (*oneOutput, error) {
	expect, err := s.expect(ctx, c.who, *c.in)
	if err != nil {
		return nil, err
	}
	e, already, err := s.service.Down(ctx, c.who, c.in.ID, expect)
	if err != nil {
		return nil, err
	}
	if already {
		return s.one(ctx, c.who, e, http.StatusOK)
	}
	return s.one(ctx, c.who, e, http.StatusAccepted)
}

func (s *Server) extend(ctx context.Context, c call[extendInput]) (*oneOutput, error) {
	d, err := environment.ParseDuration("duration", c.in.Body.Duration)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, c.who, c.in.ChangeParams, func(expect int64) (environment.Environment, error) {
		return s.service.Extend(ctx, c.who, c.in.ID, d, expect)
	})
}

func (s *Server) scale(ctx context.Context, c call[scaleInput]) (*oneOutput, error) {
	return s.change(ctx, c.who, c.in.ChangeParams, func(expect int64) (environment.Environment, error) {
		return s.service.Scale(ctx, c.who, c.in.ID, c.in.Body.Workers, expect)
	})
}

func (s *Server) packages(ctx context.Context, c call[packagesInput]) (*oneOutput, error) {
	return s.change(ctx, c.who, c.in.ChangeParams, func(expect int64) (environment.Environment, error) {
		return s.service.ChangePackages(ctx, c.who, c.in.ID, c.in.Body.Add, c.in.Body.Remove, expect)
	})
}

func (s *Server) upgrade(ctx context.Context, c call[ChangeParams]) (*oneOutput, error) {
	return s.change(ctx, c.who, *c.in, func(expect int64) (environment.Environment, error) {
		return s.service.Upgrade(ctx, c.who, c.in.ID, expect)
	})
}
