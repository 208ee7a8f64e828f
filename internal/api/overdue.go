package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// How long an operation may take before its answer is that it took too long.
// A look over every project, a run of the reaper and a whole class ask many.
const (
	answerWithin = time.Minute
	surveyWithin = 10 * time.Minute
)

var surveys = map[string]bool{"orphans": true, "deleteOrphans": true, "reaperRun": true, "courseUp": true, "courseDown": true}

// errOverdue is why a request was given up by us rather than by its client.
var errOverdue = errors.New("the deadline of the operation passed")

// bounded gives an operation its deadline. Event streams have none: each of
// their writes does.
func (s *Server) bounded(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation().OperationID
	if op == "events" && strings.Contains(ctx.Header("Accept"), eventStream) {
		next(ctx)
		return
	}
	within := answerWithin
	if surveys[op] {
		within = surveyWithin
	}
	bound, cancel := context.WithTimeoutCause(ctx.Context(), within, errOverdue)
	defer cancel()
	next(huma.WithContext(ctx, bound))
}

// overdue makes what came of a passed deadline a sentence about it. What was
// decided in time stays as it is.
func overdue(ctx context.Context, err error) error {
	if !errors.Is(context.Cause(ctx), errOverdue) {
		return err
	}
	if code := environment.CodeOf(err); code != environment.CodeUnavailable && code != environment.CodeInternal {
		return err
	}
	return &environment.Error{Code: environment.CodeUnavailable, Err: err,
		Message: "This took too long and was given up. It may have been carried out all the same: look first, and try again in a minute."}
}
