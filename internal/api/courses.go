package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Course is a class.
type Course struct {
	CourseDocument
	Origin string `json:"origin" doc:"configuration: changed in the file only; stored: changed here." enum:"configuration,stored" example:"stored"`
	File   string `json:"file,omitempty" doc:"The configuration file that defines it." example:"daskbot.yaml"`
}

// Leaver is somebody who was dropped from the roster.
type Leaver struct {
	Subject string    `json:"subject" example:"bob@example.edu"`
	At      time.Time `json:"at"`
	EndsAt  time.Time `json:"endsAt" doc:"When what they had in the course ends."`
	Reason  string    `json:"reason" example:"left the programme"`
}

// CourseStatus is a class with who has what.
type CourseStatus struct {
	Course
	Seats []Seat `json:"seats" nullable:"false" doc:"Every member, and whoever else has an environment there."`
	Cost  Cost   `json:"cost" doc:"Of what lives now."`
	// Left are those who were on the roster lately.
	Left []Leaver `json:"left,omitempty" doc:"Who was dropped lately, and when what they have ends."`
	// Problems are what staff should mend.
	Problems []string `json:"problems,omitempty" nullable:"false" doc:"What staff should mend, in sentences: addresses that notifications are not sent to any more."`
}

// Seat is one person's place in a course.
type Seat struct {
	Subject     string       `json:"subject" example:"alice"`
	Member      bool         `json:"member" doc:"On the roster." example:"true"`
	Environment *Environment `json:"environment,omitempty" doc:"Absent for a member who has none."`
}

// Batch is what a command for a class did.
type Batch struct {
	Course   string      `json:"course" example:"de-2026"`
	Started  int         `json:"started" example:"38"`
	Existing int         `json:"existing" doc:"Had one already." example:"2"`
	Ended    int         `json:"ended" example:"0"`
	Kept     int         `json:"kept" doc:"Left as they are because of what a person did." example:"0"`
	Refused  int         `json:"refused" example:"0"`
	Items    []BatchItem `json:"items" nullable:"false"`
}

// BatchItem is one person's part of it.
type BatchItem struct {
	Subject     string `json:"subject" example:"alice"`
	Environment string `json:"environment" doc:"Empty where there is none." example:"kq7wm2xd"`
	Outcome     string `json:"outcome" enum:"started,existing,ended,kept,refused" example:"started"`
	Reason      string `json:"reason" doc:"Why it was refused or kept." example:""`
}

// PathCourse is the part of an address that names a course.
type PathCourse struct {
	ID string `path:"id" maxLength:"63" doc:"The course." example:"de-2026"`
}

type coursesOutput struct{ Body List[Course] }

type courseOutput struct {
	ETag string `header:"ETag" doc:"The version of the document, for If-Match; absent for a course of the configuration." example:"\"v3\""`
	Body CourseStatus
}

type batchOutput struct{ Body Batch }

func (s *Server) courses() {
	tags := []string{"courses"}
	add(s, huma.Operation{OperationID: "courses", Method: http.MethodGet, Path: "/courses", Tags: tags,
		Summary: "List courses", Description: "Staff see their own, admins all, students none."}, s.listCourses)
	add(s, huma.Operation{OperationID: "course", Method: http.MethodGet, Path: "/courses/{id}", Tags: tags,
		Summary: "Who in a course has what", Description: "For staff of the course and admins: every member's environment, how it is used and what it costs."}, s.course)
	s.writeCourses()
	add(s, huma.Operation{OperationID: "courseUp", Method: http.MethodPost, Path: "/courses/{id}/up", Tags: tags,
		Summary: "Make an environment for every member who has none", Description: "For staff of the course and admins. Repeating it is harmless. " +
			"A member who is refused is in the answer with the reason and holds up nobody else.",
		DefaultStatus: http.StatusAccepted}, s.courseUp)
	add(s, huma.Operation{OperationID: "courseDown", Method: http.MethodPost, Path: "/courses/{id}/down", Tags: tags,
		Summary: "End everything in a course", Description: "For staff of the course and admins. Also what belongs to people who are no longer on the roster. " +
			"What somebody protected stays.",
		DefaultStatus: http.StatusAccepted}, s.courseDown)
}

func (s *Server) listCourses(ctx context.Context, c call[struct{}]) (*coursesOutput, error) {
	all, err := s.service.Courses(ctx, c.who)
	if err != nil {
		return nil, err
	}
	out := &coursesOutput{Body: List[Course]{Items: []Course{}}}
	for _, k := range all {
		out.Body.Items = append(out.Body.Items, wireCourse(k))
	}
	return out, nil
}

func (s *Server) course(ctx context.Context, c call[PathCourse]) (*courseOutput, error) {
	got, err := s.service.CourseStatus(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	out := CourseStatus{Course: wireCourse(got.Course), Seats: []Seat{},
		Cost: Cost{USDPerHour: rounded(got.Cost.USDPerHour), USDTotal: rounded(got.Cost.USDTotal), PricesAsOf: got.Cost.PricesAsOf}}
	for _, seat := range got.Seats {
		wired := Seat{Subject: seat.Subject, Member: seat.Member}
		if seat.Environment != nil {
			e := wireEnvironment(c.who, *seat.Environment, seat.Look)
			wired.Environment = &e
		}
		out.Seats = append(out.Seats, wired)
	}
	for _, l := range got.Course.Left {
		out.Left = append(out.Left, Leaver{Subject: l.Subject, At: l.At.UTC(), EndsAt: l.EndsAt.UTC(), Reason: l.Reason})
	}
	out.Problems = got.Problems
	answer := &courseOutput{Body: out}
	if v := got.Course.Version; v > 0 {
		answer.ETag = etag(v)
	}
	return answer, nil
}

func (s *Server) courseUp(ctx context.Context, c call[PathCourse]) (*batchOutput, error) {
	return batched(s.service.CourseUp(ctx, c.who, c.in.ID))
}

func (s *Server) courseDown(ctx context.Context, c call[PathCourse]) (*batchOutput, error) {
	return batched(s.service.CourseDown(ctx, c.who, c.in.ID))
}

func batched(b environment.Batch, err error) (*batchOutput, error) {
	if err != nil {
		return nil, err
	}
	out := Batch{Course: b.Course, Started: b.Count(environment.OutcomeStarted), Existing: b.Count(environment.OutcomeExisting),
		Ended: b.Count(environment.OutcomeEnded), Kept: b.Count(environment.OutcomeKept), Refused: b.Count(environment.OutcomeRefused), Items: []BatchItem{}}
	for _, i := range b.Items {
		out.Items = append(out.Items, BatchItem{Subject: i.Subject, Environment: i.Environment, Outcome: string(i.Outcome), Reason: i.Reason})
	}
	return &batchOutput{Body: out}, nil
}

func wireCourse(k environment.Course) Course {
	return Course{CourseDocument: wireDocument(k), Origin: string(k.Origin), File: k.File}
}
