package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// NotificationService is what this package needs to tell where a course has
// notifications sent.
type NotificationService interface {
	Notifications(ctx context.Context, who environment.Caller, course string) ([]environment.Notification, error)
	ResumeNotifications(ctx context.Context, who environment.Caller, course string) ([]environment.Notification, error)
}

// Notification is an address that a course has notified, with what its
// receiver has to know.
type Notification struct {
	CourseSubscription
	Since        time.Time  `json:"since" doc:"What happened before is not told."`
	Secret       string     `json:"secret" doc:"Verifies what is sent there, by Standard Webhooks." example:"whsec_…"`
	FailingSince *time.Time `json:"failingSince" doc:"Null while it works."`
	DisabledAt   *time.Time `json:"disabledAt" doc:"When it was given up; null while it is not."`
	Reason       string     `json:"reason" doc:"Why the last attempt failed." example:"The address does not answer."`
}

type notificationsInput struct {
	ID string `path:"id" maxLength:"200" doc:"The course." example:"de-2026"`
}

type notificationsOutput struct {
	NoStore
	Body List[Notification]
}

func (s *Server) notifications() {
	tags := []string{"courses"}
	add(s, huma.Operation{OperationID: "notifications", Method: http.MethodGet, Path: "/courses/{id}/notifications", Tags: tags,
		Summary:     "Where a course has notifications sent",
		Description: "For staff of the course and admins. With the secrets with which their receivers verify them, and how sending goes."}, s.listNotifications)
	add(s, huma.Operation{OperationID: "resumeNotifications", Method: http.MethodPost, Path: "/courses/{id}/notifications/resume", Tags: tags, DefaultStatus: http.StatusOK,
		Summary:     "Send to addresses again that were given up",
		Description: "For staff of the course and admins. An address is given up after ten attempts in three days without one that was taken, or when it answers 410.",
		Errors:      []int{http.StatusConflict}}, s.resumeNotifications)
}

func (s *Server) listNotifications(ctx context.Context, c call[notificationsInput]) (*notificationsOutput, error) {
	return wireNotifications(s.service.Notifications(ctx, c.who, c.in.ID))
}

func (s *Server) resumeNotifications(ctx context.Context, c call[notificationsInput]) (*notificationsOutput, error) {
	return wireNotifications(s.service.ResumeNotifications(ctx, c.who, c.in.ID))
}

func wireNotifications(all []environment.Notification, err error) (*notificationsOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &notificationsOutput{NoStore: neverStored, Body: List[Notification]{Items: []Notification{}}}
	for _, n := range all {
		out.Body.Items = append(out.Body.Items, Notification{CourseSubscription: CourseSubscription{URL: n.URL, Events: n.Events}, Since: n.Since.UTC(),
			Secret: n.Secret.Reveal(), FailingSince: instant(n.State.FailingSince), DisabledAt: instant(n.State.DisabledAt), Reason: n.State.Reason})
	}
	return out, nil
}
