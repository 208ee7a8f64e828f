package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// HookService is what this package needs to tell what learning platforms sent.
type HookService interface {
	Deliveries(ctx context.Context, who environment.Caller, f environment.DeliveryFilter) ([]environment.Delivery, error)
	RetryDelivery(ctx context.Context, who environment.Caller, id string) (environment.Delivery, error)
}

// Delivery is a message that a learning platform sent to /hooks/lms/{source}.
// What it says of people is not shown.
type Delivery struct {
	ID         string     `json:"id" example:"kq7wm2xdmz4tk8wd"`
	Source     string     `json:"source" example:"canvas"`
	Type       string     `json:"type" doc:"What the sender calls it; empty when it cannot be read." example:"enrollment_created"`
	State      string     `json:"state" enum:"waiting,done,ignored,parked" doc:"parked: it cannot be carried out, and somebody has to look." example:"done"`
	Reason     string     `json:"reason" doc:"What it did, or why nothing." example:"ada@example.edu is on the roster."`
	Tries      int        `json:"tries" doc:"How often it failed." example:"0"`
	Copies     int        `json:"copies" doc:"How often it came again; a copy does nothing." example:"0"`
	HappenedAt *time.Time `json:"happenedAt" doc:"When the sender says that it happened; null when it does not."`
	ReceivedAt time.Time  `json:"receivedAt"`
	LastAt     time.Time  `json:"lastAt" doc:"When the last copy came."`
	SettledAt  *time.Time `json:"settledAt" doc:"Null while it waits."`
}

type deliveriesInput struct {
	Source string `query:"source" maxLength:"63" doc:"Only of this source." example:"canvas"`
	State  string `query:"state" enum:"waiting,done,ignored,parked" doc:"Only those."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many, newest first."`
	Cursor string `query:"cursor" maxLength:"100" doc:"The next of the page before." example:"kq7wm2xdmz4tk8wd"`
}

type deliveriesOutput struct{ Body List[Delivery] }

type deliveryInput struct {
	ID string `path:"id" maxLength:"100" example:"kq7wm2xdmz4tk8wd"`
}

type deliveryOutput struct{ Body Delivery }

func (s *Server) hooks() {
	tags := []string{"access"}
	add(s, huma.Operation{OperationID: "hooks", Method: http.MethodGet, Path: "/hooks", Tags: tags,
		Summary: "What learning platforms sent", Description: "Admins only. Newest first, for as long as it is remembered."}, s.listHooks)
	add(s, huma.Operation{OperationID: "retryHook", Method: http.MethodPost, Path: "/hooks/{id}/retry", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Try a parked message again",
		Description: "Admins only. For when what kept it from being carried out was mended; 409 when it is not parked.", Errors: []int{http.StatusConflict}}, s.retryHook)
}

func (s *Server) listHooks(ctx context.Context, c call[deliveriesInput]) (*deliveriesOutput, error) {
	got, err := s.service.Deliveries(ctx, c.who, environment.DeliveryFilter{Source: c.in.Source, State: environment.DeliveryState(c.in.State), Before: c.in.Cursor, Limit: c.in.Limit})
	if err != nil {
		return nil, err
	}
	out := &deliveriesOutput{Body: List[Delivery]{Items: []Delivery{}}}
	for _, d := range got {
		out.Body.Items = append(out.Body.Items, wireDelivery(d))
	}
	if len(got) == c.in.Limit {
		out.Body.Next = got[len(got)-1].ID
	}
	return out, nil
}

func (s *Server) retryHook(ctx context.Context, c call[deliveryInput]) (*deliveryOutput, error) {
	d, err := s.service.RetryDelivery(ctx, c.who, c.in.ID)
	if err != nil {
		return nil, err
	}
	return &deliveryOutput{Body: wireDelivery(d)}, nil
}

func wireDelivery(d environment.Delivery) Delivery {
	return Delivery{ID: d.ID, Source: d.Source, Type: d.Type, State: string(d.State), Reason: d.Reason, Tries: d.Tries, Copies: d.Copies,
		HappenedAt: instant(d.HappenedAt), ReceivedAt: d.ReceivedAt.UTC(), LastAt: d.LastAt.UTC(), SettledAt: instant(d.SettledAt)}
}
