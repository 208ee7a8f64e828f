package api

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"github.com/daskbot/daskbot/internal/environment"
)

// CourseService is what this package needs to change courses.
type CourseService interface {
	CourseDocument(ctx context.Context, who environment.Caller, id string) (environment.Course, error)
	ApplyCourse(ctx context.Context, who environment.Caller, doc environment.Course, expect int64, dry bool) (environment.CourseChange, error)
	PutMembers(ctx context.Context, who environment.Caller, course string, members []environment.Member, expect int64, dry bool) (environment.CourseChange, error)
	DeleteCourse(ctx context.Context, who environment.Caller, id string, expect int64) error
}

// CourseChange is what writing a course changes, or changed.
type CourseChange struct {
	Course  CourseDocument     `json:"course" doc:"As it is afterwards."`
	Created bool               `json:"created" example:"false"`
	DryRun  bool               `json:"dryRun" doc:"Nothing was written." example:"false"`
	Changes []CourseDifference `json:"changes" nullable:"false" doc:"Empty when nothing is different."`
	Skipped []FieldError       `json:"skipped,omitempty" doc:"Lines of a list that were left out because they are bad."`
}

// CourseDifference is one thing that is not as it was.
type CourseDifference struct {
	Field string `json:"field" example:"members[alice@example.edu]"`
	Was   string `json:"was" doc:"Empty for what is new." example:""`
	Is    string `json:"is" doc:"Empty for what is no longer there." example:"student"`
}

// CourseParams are what every change of a course takes beside its body.
type CourseParams struct {
	PathCourse
	Match string `header:"If-Match" doc:"An ETag; 412 unless it still holds." example:"\"v3\""`
}

type putCourseInput struct {
	CourseParams
	DryRun bool `query:"dryRun" doc:"Only say what would change." example:"true"`
	Body   CourseDocument
}

type putMembersInput struct {
	CourseParams
	DryRun  bool   `query:"dryRun" doc:"Only say what would change." example:"true"`
	SkipBad bool   `query:"skipBad" doc:"Leave out bad lines of a CSV list instead of refusing it. A list of which no line is good is refused all the same." example:"false"`
	Type    string `header:"Content-Type" doc:"application/json or text/csv." example:"text/csv"`
	RawBody []byte
}

type courseChangeOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The version, for If-Match." example:"\"v3\""`
	Body   CourseChange
}

type getMembersInput struct {
	PathCourse
	Accept string `header:"Accept" doc:"application/json or text/csv." example:"text/csv"`
}

type membersOutput struct {
	Type string `header:"Content-Type"`
	ETag string `header:"ETag" doc:"The version of the course, for If-Match." example:"\"v3\""`
	Body []byte
}

func (s *Server) writeCourses() {
	tags := []string{"courses"}
	add(s, huma.Operation{OperationID: "putCourse", Method: http.MethodPut, Path: "/courses/{id}", Tags: tags,
		Summary: "Make a course, or bring it to what the document says", Description: "The whole document: members who are not in it are dropped, and what they have ends after the policy's grace. " +
			"Admins make courses and change who pays, how much, and which course of a learning platform it is; staff of the course change the rest. " +
			"A course of the configuration is changed there (409).",
		Errors: changeErrors, Responses: map[string]*huma.Response{"201": {Description: "Made."}}}, s.putCourse)
	add(s, huma.Operation{OperationID: "deleteCourse", Method: http.MethodDelete, Path: "/courses/{id}", Tags: tags,
		Summary: "End a course", Description: "It is found no more; what lives in it ends after the policy's grace, announced. Admins only.",
		DefaultStatus: http.StatusNoContent, Errors: changeErrors}, s.deleteCourse)
	body := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: Member{}.Schema(s.api.OpenAPI().Components.Schemas)}},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Description: "A header line that names columns: email, and any of name, subject, lmsId, slackId, project, role."}}}}
	add(s, huma.Operation{OperationID: "putMembers", Method: http.MethodPut, Path: "/courses/{id}/members", Tags: tags, RequestBody: body, SkipValidateBody: true, // CSV has no schema
		Summary: "Replace the roster", Description: "By a JSON list or a CSV file. Who is not in it is dropped, and what they have ends after the policy's grace. " +
			"A CSV file with a bad line changes nothing: 422, with every bad line in errors.",
		Errors: changeErrors}, s.putMembers)
	add(s, huma.Operation{OperationID: "members", Method: http.MethodGet, Path: "/courses/{id}/members", Tags: tags,
		Summary: "The roster", Description: "As JSON, or as CSV for a spreadsheet when that is what Accept names. For staff of the course and admins.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: body.Content}}}, s.members)
}

// courseVersion reads the request's If-Match.
func (s *Server) courseVersion(ctx context.Context, who environment.Caller, in CourseParams) (int64, error) {
	return expected(in.Match, func() (int64, error) {
		c, err := s.service.CourseDocument(ctx, who, in.ID)
		return c.Version, err
	})
}

func (s *Server) putCourse(ctx context.Context, c call[putCourseInput]) (*courseChangeOutput, error) {
	if c.in.Body.ID != c.in.ID {
		return nil, environment.Invalid("id", "The document is about another course than the address; they must agree.")
	}
	doc, err := c.in.Body.course()
	if err != nil {
		return nil, err
	}
	expect, err := s.courseVersion(ctx, c.who, c.in.CourseParams)
	if err != nil {
		return nil, err
	}
	made, err := s.service.ApplyCourse(ctx, c.who, doc, expect, c.in.DryRun)
	if err != nil {
		return nil, err
	}
	return wireChange(made, c.in.DryRun), nil
}

func wireChange(made environment.CourseChange, dry bool) *courseChangeOutput {
	out := &courseChangeOutput{Status: http.StatusOK, Body: CourseChange{Course: wireDocument(made.Course), Created: made.Created, DryRun: dry, Changes: []CourseDifference{}}}
	if made.Created && !dry {
		out.Status = http.StatusCreated
	}
	if made.Course.Version > 0 {
		out.ETag = etag(made.Course.Version)
	}
	for _, d := range made.Diff {
		out.Body.Changes = append(out.Body.Changes, CourseDifference(d))
	}
	return out
}

func (s *Server) deleteCourse(ctx context.Context, c call[CourseParams]) (*struct{}, error) {
	expect, err := s.courseVersion(ctx, c.who, *c.in)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, s.service.DeleteCourse(ctx, c.who, c.in.ID, expect)
}

func (s *Server) putMembers(ctx context.Context, c call[putMembersInput]) (*courseChangeOutput, error) {
	// Who may not change the course is not told what is wrong with their list.
	if _, err := s.service.CourseDocument(ctx, c.who, c.in.ID); err != nil {
		return nil, err
	}
	list, skipped, err := c.in.members()
	if err != nil {
		return nil, err
	}
	expect, err := s.courseVersion(ctx, c.who, c.in.CourseParams)
	if err != nil {
		return nil, err
	}
	made, err := s.service.PutMembers(ctx, c.who, c.in.ID, list, expect, c.in.DryRun)
	if err != nil {
		return nil, err
	}
	out := wireChange(made, c.in.DryRun)
	out.Body.Skipped = skipped
	return out, nil
}

// members reads the list in whichever form it came.
func (in *putMembersInput) members() ([]environment.Member, []FieldError, error) {
	switch kind, _, _ := mime.ParseMediaType(in.Type); kind {
	case "text/csv":
		list, bad := readRoster(in.RawBody)
		// A file that cannot be read says nothing about who is in the class, and
		// leaving all of it out would end what everybody has.
		if len(bad) > 0 && (!in.SkipBad || len(list) == 0) {
			return nil, nil, badRoster(bad)
		}
		return list, bad, nil
	case "application/json":
		var list []Member
		// null is what a program sends that has no list; nobody at all is [].
		if err := json.Unmarshal(in.RawBody, &list); err != nil || list == nil {
			return nil, nil, newProblem(environment.CodeInvalid, "The body is not a list of members, for example [\"alice@example.edu\", {\"email\": \"bob@example.edu\", \"name\": \"Bob\"}].")
		}
		return members(list), nil, nil
	default:
		return nil, nil, newProblem(environment.CodeInvalid, "A roster is application/json or text/csv: say which with the header Content-Type.").withStatus(http.StatusUnsupportedMediaType)
	}
}

// badRoster refuses a list with every line that is bad in it.
func badRoster(bad []FieldError) *Problem {
	p := newProblem(environment.CodeInvalid, fmt.Sprintf("Nothing was changed: the list has %d bad lines. The first is %s: %s", len(bad), bad[0].Field, bad[0].Message))
	if len(bad) == 1 {
		p.Detail = fmt.Sprintf("Nothing was changed: the list has a bad line. %s: %s", bad[0].Field, bad[0].Message)
	}
	p.Errors = bad[:min(len(bad), mostBadLines)]
	return p
}

func (s *Server) members(ctx context.Context, c call[getMembersInput]) (*membersOutput, error) {
	k, err := s.service.CourseDocument(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	out := &membersOutput{Type: "application/json"}
	if k.Version > 0 {
		out.ETag = etag(k.Version)
	}
	if negotiation.SelectQValue(strings.ToLower(c.in.Accept), []string{"application/json", "text/csv"}) == "text/csv" {
		out.Type = "text/csv; charset=utf-8"
		out.Body, err = writeRoster(k.Members)
		return out, err
	}
	out.Body, err = json.Marshal(wireDocument(k).Members)
	return out, err
}
