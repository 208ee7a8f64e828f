package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/daskbot/daskbot/internal/environment"
)

const problemType = "application/problem+json"

// Problem is every error this API answers with, as RFC 9457 describes. Code
// is stable and small; Detail is a sentence for the person who asked. Nothing
// the caller sent is repeated in it, save names of fields and what the domain
// chose to quote.
type Problem struct {
	Type   string `json:"type" doc:"Stable name of the kind of problem, urn:daskbot:problem:<code>." example:"urn:daskbot:problem:invalid"`
	Title  string `json:"title" doc:"The kind of problem in a few words." example:"The request cannot be carried out as it is"`
	Status int    `json:"status" doc:"The HTTP status." example:"422"`
	Code   string `json:"code" enum:"invalid,unauthorized,forbidden,not_found,conflict,quota,budget,unavailable,internal" doc:"What kind of problem it is; branch on this." example:"invalid"`
	Detail string `json:"detail" doc:"A full sentence for the person who asked, with the next step." example:"There is no profile \"daskhab\". Did you mean \"daskhub\"?"`
	// Field and Example are set when one field of the request is at fault.
	Field     string       `json:"field,omitempty" doc:"The field at fault, when there is one." example:"profile"`
	Example   any          `json:"example,omitempty" doc:"A value of that field that would be accepted."`
	Errors    []FieldError `json:"errors,omitempty" doc:"Every field at fault, when there are several."`
	RequestID string       `json:"requestId" doc:"Quote this to the people who run daskbot; their log has it." example:"4f1c2a9be07d5e31"`

	headers http.Header
}

// FieldError is one field that cannot be used.
type FieldError struct {
	Field   string `json:"field" doc:"Where it is." example:"workers"`
	Message string `json:"message" doc:"What is wrong with it." example:"expected integer"`
	Example any    `json:"example,omitempty" doc:"A value that would be accepted."`
}

// Error makes a Problem an error that huma writes as it is.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status, as huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are those that belong to the problem: WWW-Authenticate, Retry-After.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is that of problem details, whatever the client would accept.
func (p *Problem) ContentType(string) string { return problemType }

// kinds says for each code which status it has and what it is called.
var kinds = map[environment.Code]struct {
	status int
	title  string
}{
	environment.CodeInvalid:      {http.StatusUnprocessableEntity, "The request cannot be carried out as it is"},
	environment.CodeUnauthorized: {http.StatusUnauthorized, "Nobody known is asking"},
	environment.CodeForbidden:    {http.StatusForbidden, "Not allowed"},
	environment.CodeNotFound:     {http.StatusNotFound, "There is no such thing"},
	environment.CodeConflict:     {http.StatusConflict, "Something else happened meanwhile"},
	// The Google Cloud mapping of RESOURCE_EXHAUSTED, without a Retry-After:
	// repeating the request does not help until something was given back.
	environment.CodeQuota:       {http.StatusTooManyRequests, "A limit is reached"},
	environment.CodeBudget:      {http.StatusPaymentRequired, "The budget is used up"},
	environment.CodeUnavailable: {http.StatusServiceUnavailable, "Not available now"},
	environment.CodeInternal:    {http.StatusInternalServerError, "A fault of daskbot"},
}

// newProblem makes the problem of a code, with the code's own status.
func newProblem(code environment.Code, detail string) *Problem {
	kind, ok := kinds[code]
	if !ok {
		code, kind = environment.CodeInternal, kinds[environment.CodeInternal]
	}
	p := &Problem{Type: "urn:daskbot:problem:" + string(code), Title: kind.title, Status: kind.status,
		Code: string(code), Detail: detail, headers: http.Header{}}
	if code == environment.CodeUnauthorized {
		p.headers.Set("WWW-Authenticate", `Bearer realm="daskbot"`)
	}
	return p
}

// withStatus gives the problem another status than its code's own.
func (p *Problem) withStatus(status int) *Problem {
	p.Status = status
	return p
}

// problemOf translates an error of the domain. What was not made for people
// becomes a sentence that says so; the log has the rest.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var e *environment.Error
	if !errors.As(err, &e) {
		return newProblem(environment.CodeInternal, environment.MessageOf(err))
	}
	p = newProblem(e.Code, environment.MessageOf(e))
	p.Field = e.Field
	if e.Code == environment.CodeConflict && e.Field == "If-Match" {
		p.Status = http.StatusPreconditionFailed
	}
	if wait := e.RetryAfter; wait > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	} else if e.Code == environment.CodeUnavailable {
		p.headers.Set("Retry-After", "10")
	}
	return p
}

// write sends the problem outside huma: middleware, unknown paths, panics.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	if t := traceOf(r.Context()); t != nil {
		p.RequestID = t.id
	}
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	body, err := json.Marshal(p)
	if err != nil { // Example is ours and always encodes
		body = fmt.Appendf(nil, `{"status":%d,"code":%q}`, p.Status, p.Code)
	}
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody to tell
}
