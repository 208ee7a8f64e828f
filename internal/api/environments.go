package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Request asks for an environment.
type Request struct {
	Owner    string     `json:"owner,omitempty" maxLength:"128" doc:"Whose it will be; the caller's own when left out." example:"alice"`
	Course   string     `json:"course,omitempty" maxLength:"63" doc:"The course it belongs to." example:"de-2026"`
	Profile  string     `json:"profile,omitempty" maxLength:"63" doc:"The recipe; the default one when left out." example:"daskhub"`
	Project  string     `json:"project,omitempty" maxLength:"63" doc:"The cloud project that pays; left out, the owner's linked one, else the course's, else the default." example:"my-class-2026"`
	TTL      string     `json:"ttl,omitempty" maxLength:"32" doc:"How long it lives once it is ready, such as 90m, 4h, 2d or 1d12h. Not together with until." example:"4h"`
	Until    *time.Time `json:"until,omitempty" doc:"When it is taken away. Not together with ttl." example:"2026-11-24T18:00:00Z"`
	Idle     string     `json:"idle,omitempty" maxLength:"32" doc:"How long it may stand idle, no longer than policy lets it; as long when left out." example:"20m"`
	Workers  *int       `json:"workers,omitempty" minimum:"0" maximum:"100000" doc:"Dask workers; the profile's default when left out." example:"4"`
	Packages []string   `json:"packages,omitempty" maxItems:"200" nullable:"false" doc:"Extra Python packages." example:"[\"xgboost\",\"s3fs==2026.1.0\"]"`
}

// List is one page.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next" doc:"Give it back as cursor for the next page; empty at the end." example:""`
}

type upInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" doc:"Repeat a request with the same key and it is carried out once." example:"4b1c6d2e-up"`
	Body Request
}

type oneOutput struct {
	Status     int
	ETag       string `header:"ETag" doc:"The version, for If-Match, and what else is shown, for If-None-Match." example:"\"v3-1f0c5a9e77d2\""`
	Location   string `header:"Location" doc:"Where the environment is." example:"/api/v1/environments/kq7wm2xd"`
	RetryAfter string `header:"Retry-After" doc:"Seconds after which a look is worth while." example:"2"`
	Body       *Environment
}

type listInput struct {
	Owner  string   `query:"owner" maxLength:"128" doc:"Only this owner's." example:"alice"`
	Course string   `query:"course" maxLength:"63" doc:"Only this course's." example:"de-2026"`
	State  []string `query:"state,explode" doc:"Only in these states: several times, or separated by commas." example:"ready,creating"`
	Limit  int      `query:"limit" default:"50" minimum:"1" maximum:"200" doc:"At most so many." example:"50"`
	Cursor string   `query:"cursor" maxLength:"200" doc:"The next of the page before." example:"kq7wm2xd"`
}

type listOutput struct{ Body List[Environment] }

// PathID is the part of an address that names an environment. It, and the other
// embedded inputs, are exported only because huma skips what is not.
type PathID struct {
	ID string `path:"id" maxLength:"200" doc:"The environment." example:"kq7wm2xd"`
}

type getInput struct {
	PathID
	NoneMatch string `header:"If-None-Match" doc:"An ETag; 304 when it still holds. Only the cost may move within one." example:"\"v3-1f0c5a9e77d2\""`
	Describe  bool   `query:"describe" doc:"Also ask the cluster what runs there; slower." example:"true"`
}

func (s *Server) environments() {
	schema := s.api.OpenAPI().Components.Schemas.Schema(environmentGoType, true, "Environment")
	add(s, huma.Operation{OperationID: "up", Method: http.MethodPost, Path: "/environments", Tags: []string{"environments"},
		Summary: "Ask for an environment", Description: "Makes the owner's environment, or finds the one the owner already has with this course and profile.",
		DefaultStatus: http.StatusAccepted, Errors: createErrors,
		Responses: map[string]*huma.Response{
			"202": {Description: "Asked for. Follow its events to see how far it is."},
			"200": s.answer("The owner already has one with this course and profile; this is it.", "application/json", schema)},
	}, s.up)
	add(s, huma.Operation{OperationID: "list", Method: http.MethodGet, Path: "/environments", Tags: []string{"environments"},
		Summary: "List environments", Description: "Newest first. Students see their own, staff their courses', admins all."}, s.list)
	add(s, huma.Operation{OperationID: "get", Method: http.MethodGet, Path: "/environments/{id}", Tags: []string{"environments"},
		Summary: "Look at an environment", Description: "State, address, deadline and cost; with describe=true also what runs there.",
		Responses: map[string]*huma.Response{"304": s.answer("Nothing changed since.", "", nil)},
	}, s.get)
}

func (s *Server) up(ctx context.Context, c call[upInput]) (*oneOutput, error) {
	r, err := c.in.Body.command(c.in.Key)
	if err != nil {
		return nil, err
	}
	e, created, err := s.service.Up(ctx, c.who, r)
	if err != nil {
		return nil, err
	}
	if !created {
		return s.one(ctx, c.who, e, http.StatusOK)
	}
	return s.one(ctx, c.who, e, http.StatusAccepted)
}

// command turns the wire's words into the domain's.
func (r Request) command(key string) (environment.Request, error) {
	out := environment.Request{Owner: r.Owner, Course: r.Course, Profile: r.Profile, Project: r.Project,
		Workers: r.Workers, Packages: r.Packages, IdempotencyKey: key}
	if r.Until != nil {
		out.Until = r.Until.UTC()
	}
	for _, d := range []struct {
		field, text string
		into        *time.Duration
	}{{"ttl", r.TTL, &out.TTL}, {"idle", r.Idle, &out.Idle}} {
		if d.text == "" {
			continue
		}
		var err error
		if *d.into, err = environment.ParseDuration(d.field, d.text); err != nil {
			return out, err
		}
	}
	return out, nil
}

// one shapes the answer that is a single environment.
func (s *Server) one(ctx context.Context, who environment.Caller, e environment.Environment, status int) (*oneOutput, error) {
	body, err := s.wire(ctx, who, e)
	if err != nil {
		return nil, err
	}
	out := &oneOutput{Status: status, ETag: etagShown(e.Version, body), Body: &body}
	if status == http.StatusAccepted {
		out.Location, out.RetryAfter = Base+"/environments/"+e.ID, "2"
	}
	return out, nil
}

// wire adds to the row what is cheap to know beside it. A row that went away
// meanwhile is shown as it was read.
func (s *Server) wire(ctx context.Context, who environment.Caller, e environment.Environment) (Environment, error) {
	look, err := s.service.Look(ctx, who, e.ID)
	if err != nil && environment.CodeOf(err) != environment.CodeNotFound {
		return Environment{}, err
	}
	return wireEnvironment(who, e, look), nil
}

func (s *Server) list(ctx context.Context, c call[listInput]) (*listOutput, error) {
	f := environment.Filter{Owner: c.in.Owner, Course: c.in.Course, Limit: c.in.Limit, Cursor: c.in.Cursor}
	var err error
	if f.States, err = states(c.in.State); err != nil {
		return nil, err
	}
	items, next, err := s.service.List(ctx, c.who, f)
	if err != nil {
		return nil, err
	}
	out := &listOutput{Body: List[Environment]{Items: []Environment{}, Next: next}}
	for _, e := range items {
		body, err := s.wire(ctx, c.who, e)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, body)
	}
	return out, nil
}

// states reads the parameter, which may come several times, each a list.
func states(lists []string) ([]environment.State, error) {
	var out []environment.State
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			state := environment.State(strings.TrimSpace(name))
			if !slices.Contains(environment.States(), state) {
				return nil, unknownState(name)
			}
			out = append(out, state)
		}
	}
	return out, nil
}

func unknownState(name string) error {
	var names []string
	for _, st := range environment.States() {
		names = append(names, string(st))
	}
	hint := ""
	if n := environment.Nearest(name, names); n != "" {
		hint = fmt.Sprintf(" Did you mean %q?", n)
	}
	return environment.Invalid("state", "There is no such state.%s States: %s.", hint, strings.Join(names, ", "))
}

func (s *Server) get(ctx context.Context, c call[getInput]) (*oneOutput, error) {
	e, err := s.service.Get(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	out, err := s.one(ctx, c.who, e, http.StatusOK)
	switch {
	case err != nil:
		return nil, err
	case !c.in.Describe && matches(c.in.NoneMatch, out.ETag):
		return &oneOutput{Status: http.StatusNotModified, ETag: out.ETag}, nil
	case !c.in.Describe:
		return out, nil
	}
	out.Body.Workloads, err = s.workloads(ctx, c.who, e)
	return out, err
}

// etag names a version of a course, a person or an environment.
func etag(version int64) string { return `"v` + strconv.FormatInt(version, 10) + `"` }

// etagShown names a version of an environment and what is shown beside the row:
// its use, what the reaper would do and the limits move without a new version,
// and whoever waits for them must not be told that nothing changed. The cost
// moves all the time and is left out. The version comes first, for If-Match.
func etagShown(version int64, shown Environment) string {
	shown.Cost, shown.Workloads = Cost{}, nil
	text, err := json.Marshal(shown)
	if err != nil { // plain data of ours always encodes
		return etag(version)
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf(`"v%d-%x"`, version, sum[:6])
}

// matches says whether If-None-Match names the tag; comparison is weak, as for
// every cache.
func matches(header, current string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == current {
			return true
		}
	}
	return false
}

var errNoMatch = &environment.Error{Code: environment.CodeConflict, Field: "If-Match",
	Message: "It is not the version that If-Match names any more; read it again and decide again."}

// expected reads If-Match: 0 for none, the version for one tag. Of several
// tags the one that holds now counts, which current tells.
func expected(header string, current func() (int64, error)) (int64, error) {
	header = strings.TrimSpace(header)
	if header == "" || header == "*" {
		return 0, nil
	}
	var versions []int64
	for tag := range strings.SplitSeq(header, ",") {
		if v, err := version(strings.TrimSpace(tag)); err == nil {
			versions = append(versions, v)
		}
	}
	switch len(versions) {
	case 0:
		return 0, errNoMatch
	case 1:
		return versions[0], nil
	}
	now, err := current()
	if err != nil {
		return 0, err
	}
	if !slices.Contains(versions, now) {
		return 0, errNoMatch
	}
	return now, nil
}

var errNotOurs = errors.New("not a tag of ours")

// version reads a strong tag of ours. What else was shown with that version is
// no part of it: a change is meant for what a person asked for, not for how it
// is used.
func version(tag string) (int64, error) {
	inner, ok := strings.CutPrefix(tag, `"v`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !ok || !closed {
		return 0, errNotOurs
	}
	inner, _, _ = strings.Cut(inner, "-")
	v, err := strconv.ParseInt(inner, 10, 64)
	if err != nil || v <= 0 {
		return 0, errNotOurs
	}
	return v, nil
}
