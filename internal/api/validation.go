package api

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// problems turns huma's own error bodies into Problems just before they are
// written. Doing it here, not by replacing huma.NewError, keeps it out of
// global variables.
func (s *Server) problems(ctx huma.Context, _ string, body any) (any, error) {
	switch b := body.(type) {
	case *Problem:
		return stamped(ctx, b), nil
	case *huma.ErrorModel:
		return stamped(ctx, s.refused(ctx, b)), nil
	default:
		return body, nil
	}
}

// stamped adds the request's id.
func stamped(ctx huma.Context, p *Problem) *Problem {
	if t := traceOf(ctx.Context()); t != nil {
		p.RequestID = t.id
		t.code = p.Code
	}
	return p
}

// refused says what huma refused, without the values it would repeat.
func (s *Server) refused(ctx huma.Context, m *huma.ErrorModel) *Problem {
	if m.Status >= http.StatusInternalServerError {
		return newProblem(environment.CodeInternal, environment.MessageOf(nil))
	}
	p := newProblem(environment.CodeInvalid, "").withStatus(m.Status)
	switch {
	case m.Status == http.StatusUnsupportedMediaType:
		p.Detail = "The body must be JSON: send it with the header Content-Type: application/json."
		return p
	case len(m.Errors) == 0:
		p.Detail = "This needs a JSON body; /docs shows one for every request."
		return p
	case m.Status == http.StatusBadRequest:
		p.Detail = "The body is not valid JSON; /docs shows a valid one for every request."
		return p
	}
	for _, e := range m.Errors {
		p.Errors = append(p.Errors, s.fieldError(ctx, e))
	}
	first := p.Errors[0]
	p.Field, p.Example = first.Field, first.Example
	p.Detail = fmt.Sprintf("The field %q cannot be used: %s.", first.Field, first.Message)
	if first.Example != nil {
		p.Detail += fmt.Sprintf(" A valid example is %v.", first.Example)
	}
	if len(p.Errors) == 1 {
		p.Errors = nil
	}
	return p
}

// fieldError keeps where and why, and drops the value. Some of huma's
// messages end with a parser's words after a colon, which quote the value.
func (s *Server) fieldError(ctx huma.Context, e *huma.ErrorDetail) FieldError {
	why, _, _ := strings.Cut(e.Message, ": ")
	where, name, ok := strings.Cut(e.Location, ".")
	if !ok {
		where, name = e.Location, e.Location
	}
	if _, missing, ok := strings.Cut(why, "expected required property "); ok {
		name, _, _ = strings.Cut(missing, " ")
	}
	if why == "unexpected property" {
		why = "there is no such field"
	}
	return FieldError{Field: printable(name), Message: why, Example: s.example(ctx.Operation(), where, name)}
}

// printable keeps a hostile name of a field from doing harm in a terminal.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, name)
	if r := []rune(name); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return name
}

// example finds a valid value for a field in the API's own description.
func (s *Server) example(op *huma.Operation, where, name string) any {
	name, _, _ = strings.Cut(name, "[")
	if where != "body" {
		for _, p := range op.Parameters {
			if p.Name == name {
				return p.Example
			}
		}
		return nil
	}
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return nil
	}
	schema := op.RequestBody.Content["application/json"].Schema
	if schema.Ref != "" {
		schema = s.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	if field := schema.Properties[name]; field != nil && len(field.Examples) > 0 {
		return field.Examples[0]
	}
	return nil
}
