package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// apiVersion is that of the description, not of the program: it changes when
// the interface does.
const apiVersion = "1.0.0"

const description = "daskbot gives every student of a class a Dask environment on Kubernetes on request, and takes it away again.\n\n" +
	"Every change is accepted at once (202) and carried out behind it; follow `GET " + Base + "/environments/{id}/events` to see how far it is. " +
	"Every error is `application/problem+json` (RFC 9457) with a stable `code`. Times are RFC 3339 in UTC. " +
	"Changes honour `If-Match` with the `ETag` of the environment (412 when it moved on). " +
	"More fields and more values of `state` and `type` may be added; skip what you do not know."

func (s *Server) humaConfig() huma.Config {
	c := huma.DefaultConfig("daskbot", apiVersion)
	c.Info.Description = description
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.DocsPath, c.SchemasPath = "", "" // the pages of ours need no outside host
	c.CreateHooks = nil                // no $schema links in answers
	c.RejectUnknownQueryParameters = true
	c.Transformers = []huma.Transformer{s.problems}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A token made with `daskbot token create`."},
	}
	c.Tags = []*huma.Tag{
		{Name: "environments", Description: "What `daskbot up` gives: one owner, an address, credentials, a deadline."},
		{Name: "changes", Description: "Commands on an environment. Each is accepted at once and carried out behind it."},
		{Name: "use", Description: "How the owner gets in, and what goes on inside."},
		{Name: "people", Description: "Who somebody is elsewhere, and whose cloud credits pay."},
		{Name: "access", Description: "Tokens, for admins."},
	}
	return c
}

// call is one request to an operation: who asks, and for what.
type call[I any] struct {
	who environment.Caller
	in  *I
}

// add registers an operation. It declares the token, documents the errors and
// translates those of the service, so that handlers only ask and shape.
func add[I, O any](s *Server, op huma.Operation, handle func(ctx context.Context, c call[I]) (*O, error)) {
	op.Path = Base + op.Path
	op.Security = []map[string][]string{{"token": {}}}
	// The body was read, and bounded, before. A deadline now would end the
	// whole connection under an answer that takes longer.
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	for _, status := range append(op.Errors, always...) {
		op.Responses[strconv.Itoa(status)] = s.problemResponse(status)
	}
	op.Errors = nil
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, call[I]{who: traceOf(ctx).caller, in: in})
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		return out, nil
	})
}

// always are the errors any request can meet.
var always = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}

// Errors beyond those, by what an operation does.
var (
	createErrors = []int{http.StatusPaymentRequired, http.StatusConflict, http.StatusTooManyRequests}
	changeErrors = []int{http.StatusPaymentRequired, http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooManyRequests}
)

var problemSays = map[int]string{
	http.StatusBadRequest:            "The request cannot be read (code `invalid`).",
	http.StatusUnauthorized:          "No token, or one that is not valid (any more) (code `unauthorized`).",
	http.StatusPaymentRequired:       "A limit on money is reached (code `budget`).",
	http.StatusForbidden:             "The caller may not do this (code `forbidden`).",
	http.StatusNotFound:              "There is no such thing, or the caller may not know of it (code `not_found`).",
	http.StatusRequestTimeout:        "The body took too long to arrive (code `invalid`).",
	http.StatusConflict:              "What was asked for does not fit the state it is in (code `conflict`).",
	http.StatusPreconditionFailed:    "It changed since `If-Match` was read; read again and decide again (code `conflict`).",
	http.StatusRequestEntityTooLarge: "The body is too large (code `invalid`).",
	http.StatusUnsupportedMediaType:  "The body is not JSON (code `invalid`).",
	http.StatusUnprocessableEntity:   "A field cannot be used; `field` and `example` say which and what would do (code `invalid`).",
	http.StatusTooManyRequests:       "A limit of a person, a course or a cloud project is reached (code `quota`): trying again helps only after something was given back. With `Retry-After` it was asked too often: ask again after so many seconds.",
	http.StatusInternalServerError:   "A fault of daskbot (code `internal`).",
	http.StatusServiceUnavailable:    "Something daskbot needs does not answer; try again after `Retry-After` seconds (code `unavailable`).",
}

func (s *Server) problemResponse(status int) *huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(problemGoType, true, "Problem")
	r := &huma.Response{Description: problemSays[status],
		Content: map[string]*huma.MediaType{problemType: {Schema: schema}}}
	text := func(says string) *huma.Param {
		return &huma.Param{Description: says, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	switch status {
	case http.StatusUnauthorized:
		r.Headers = map[string]*huma.Param{"WWW-Authenticate": text("How to authenticate.")}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		r.Headers = map[string]*huma.Param{"Retry-After": text("Seconds to wait.")}
	}
	return r
}

// answer documents an answer other than the operation's usual one.
func (s *Server) answer(says string, contentType string, schema *huma.Schema) *huma.Response {
	r := &huma.Response{Description: says}
	if contentType != "" {
		r.Content = map[string]*huma.MediaType{contentType: {Schema: schema}}
	}
	return r
}
