package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Me is who the token belongs to.
type Me struct {
	Subject string   `json:"subject" example:"alice"`
	Role    string   `json:"role" enum:"student,staff,admin" example:"student"`
	Courses []string `json:"courses" nullable:"false" doc:"What a staff caller teaches."`
}

// Identities are who a person is elsewhere, and whose credits pay.
type Identities struct {
	Email   string `json:"email,omitempty" maxLength:"254" doc:"The person's Google account, where it is needed." example:"alice@example.edu"`
	Project string `json:"project,omitempty" maxLength:"63" doc:"The person's own cloud project, which pays; empty for none." example:"alice-credits-2026"`
	SlackID string `json:"slackId,omitempty" maxLength:"64" pattern:"^[A-Za-z0-9:_/-]*$" doc:"The person in Slack." example:"U012AB3CD"`
	LMSID   string `json:"lmsId,omitempty" maxLength:"255" pattern:"^[ -~]*$" doc:"The person's account in a learning platform: its issuer, # and the id in launches." example:"https://moodle.example.edu#4711"`
}

// Person is a person's identities under one subject.
type Person struct {
	Subject string `json:"subject" example:"alice"`
	Email   string `json:"email" example:"alice@example.edu"`
	Project string `json:"project" example:"alice-credits-2026"`
	SlackID string `json:"slackId" example:"U012AB3CD"`
	LMSID   string `json:"lmsId" example:"https://moodle.example.edu#4711"`
}

// ProjectCheck says that daskbot may act in a project.
type ProjectCheck struct {
	Project string `json:"project" example:"alice-credits-2026"`
	Usable  bool   `json:"usable" doc:"Always true: what is not usable is a 409 with the commands that grant it." example:"true"`
}

// SlackCode joins a Slack account to a person.
type SlackCode struct {
	Code      string    `json:"code" doc:"What to type in Slack: /dask link CODE. Good once." example:"bcdf-ghjk-mnpq"`
	ExpiresAt time.Time `json:"expiresAt" example:"2026-11-23T09:15:00Z"`
}

type slackCodeOutput struct {
	NoStore
	Body SlackCode
}

type meOutput struct{ Body Me }

// PathSubject is the part of an address that names a person.
type PathSubject struct {
	Subject string `path:"subject" maxLength:"128" doc:"The person; me for the caller." example:"alice"`
}

type putPersonInput struct {
	PathSubject
	Match string `header:"If-Match" doc:"An ETag; 412 unless it still holds." example:"\"v1\""`
	Body  Identities
}

type personOutput struct {
	ETag string `header:"ETag" doc:"The version; absent while nothing is stored." example:"\"v1\""`
	Body Person
}

type projectInput struct {
	Project string `path:"project" maxLength:"63" doc:"A cloud project." example:"alice-credits-2026"`
}

type projectOutput struct{ Body ProjectCheck }

func (s *Server) people() {
	tags := []string{"people"}
	add(s, huma.Operation{OperationID: "me", Method: http.MethodGet, Path: "/me", Tags: tags,
		Summary: "Who the token belongs to", Description: "The caller's subject, role and courses."}, s.me)
	add(s, huma.Operation{OperationID: "person", Method: http.MethodGet, Path: "/people/{subject}", Tags: tags,
		Summary: "A person's identities", Description: "For the person and admins. One that nothing is known of is empty."}, s.person)
	add(s, huma.Operation{OperationID: "putPerson", Method: http.MethodPut, Path: "/people/{subject}", Tags: tags,
		Summary: "Set a person's identities and project", Description: "Replaces all of them; what is left out is emptied. " +
			"A new project is linked only if daskbot may act there; otherwise 409, whose detail holds the commands that grant it. " +
			"Only admins may change e-mail, Slack and LMS identities.",
		Errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.putPerson)
	add(s, huma.Operation{OperationID: "slackCode", Method: http.MethodPost, Path: "/people/{subject}/slack-code", Tags: tags,
		Summary: "A code to join a Slack account", Description: "Whoever types it in Slack, as /dask link CODE, is this person there from then on: " +
			"once, and for a quarter of an hour. For the person and admins.",
		DefaultStatus: http.StatusOK}, s.slackCode)
	add(s, huma.Operation{OperationID: "checkProject", Method: http.MethodPost, Path: "/projects/{project}/check", Tags: tags,
		Summary: "May daskbot act in this project?", Description: "Asks the cloud. 409 with the commands that grant it when not.",
		DefaultStatus: http.StatusOK, Errors: []int{http.StatusConflict}}, s.checkProject)
}

func (s *Server) me(_ context.Context, c call[struct{}]) (*meOutput, error) {
	return &meOutput{Body: Me{Subject: c.who.Subject, Role: string(c.who.Role), Courses: append([]string{}, c.who.Courses...)}}, nil
}

// subject resolves the name that stands for the caller.
func subject(who environment.Caller, name string) string {
	if name == "me" {
		return who.Subject
	}
	return name
}

func (s *Server) person(ctx context.Context, c call[PathSubject]) (*personOutput, error) {
	p, err := s.service.Person(ctx, c.who, subject(c.who, c.in.Subject))
	if err != nil {
		return nil, err
	}
	return wirePerson(p), nil
}

func (s *Server) putPerson(ctx context.Context, c call[putPersonInput]) (*personOutput, error) {
	name := subject(c.who, c.in.Subject)
	if c.in.Match != "" {
		old, err := s.service.Person(ctx, c.who, name)
		if err != nil {
			return nil, err
		}
		current := func() (int64, error) { return old.Version, nil }
		if want, err := expected(c.in.Match, current); err != nil || want != 0 && want != old.Version {
			return nil, errNoMatch
		}
	}
	b := c.in.Body
	p, err := s.service.PutPerson(ctx, c.who, environment.Person{Subject: name, Email: b.Email, Project: b.Project, SlackID: b.SlackID, LMSID: b.LMSID})
	if err != nil {
		return nil, err
	}
	return wirePerson(p), nil
}

func (s *Server) slackCode(ctx context.Context, c call[PathSubject]) (*slackCodeOutput, error) {
	code, until, err := s.service.LinkCode(ctx, c.who, subject(c.who, c.in.Subject))
	if err != nil {
		return nil, err
	}
	return &slackCodeOutput{NoStore: neverStored, Body: SlackCode{Code: code.Reveal(), ExpiresAt: until}}, nil
}

func wirePerson(p environment.Person) *personOutput {
	out := &personOutput{Body: Person{Subject: p.Subject, Email: p.Email, Project: p.Project, SlackID: p.SlackID, LMSID: p.LMSID}}
	if p.Version > 0 {
		out.ETag = etag(p.Version)
	}
	return out
}

func (s *Server) checkProject(ctx context.Context, c call[projectInput]) (*projectOutput, error) {
	if err := s.service.CheckProject(ctx, c.who, c.in.Project); err != nil {
		return nil, err
	}
	return &projectOutput{Body: ProjectCheck{Project: c.in.Project, Usable: true}}, nil
}
