package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// PlatformService is what this package needs to let learning platforms
// register themselves. Admins only.
type PlatformService interface {
	InvitePlatform(ctx context.Context, who environment.Caller, name, home string) (link environment.Secret, until time.Time, err error)
	RegisteredPlatforms(ctx context.Context, who environment.Caller) ([]environment.Platform, error)
	RemovePlatform(ctx context.Context, who environment.Caller, name string) error
}

// Platform is a learning platform that registered itself.
type Platform struct {
	Name        string   `json:"name" doc:"What courses are bound to it by." example:"moodle"`
	Issuer      string   `json:"issuer" example:"https://moodle.example.edu"`
	ClientID    string   `json:"clientId" example:"aBcDeFgHiJkLmNo"`
	Deployments []string `json:"deployments" nullable:"false" doc:"Ids that may launch; * for any."`
}

// PlatformInvitation is which platform may register itself.
type PlatformInvitation struct {
	Name     string `json:"name" maxLength:"40" doc:"What courses will be bound to it by." example:"moodle"`
	Platform string `json:"platform" maxLength:"500" doc:"Its address; nothing else registers with the link." example:"https://moodle.example.edu"`
}

// PlatformLink is where a platform registers itself.
type PlatformLink struct {
	URL       string    `json:"url" doc:"To paste in the platform, where it takes tools by dynamic registration. Good once." example:"https://daskbot.example.edu/lti/register/…"`
	ExpiresAt time.Time `json:"expiresAt" example:"2026-11-24T09:00:00Z"`
}

type invitePlatformInput struct{ Body PlatformInvitation }

type platformLinkOutput struct {
	NoStore
	Body PlatformLink
}

type platformsOutput struct{ Body List[Platform] }

type platformInput struct {
	Name string `path:"name" maxLength:"40" example:"moodle"`
}

func (s *Server) lmsPlatforms() {
	tags := []string{"access"}
	add(s, huma.Operation{OperationID: "invitePlatform", Method: http.MethodPost, Path: "/lti/invitations", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Let a learning platform register itself", Description: "Admins only. The answer is an address for LTI dynamic registration, good once and for a day.",
		Errors: []int{http.StatusConflict}}, s.invitePlatform)
	add(s, huma.Operation{OperationID: "platforms", Method: http.MethodGet, Path: "/lti/platforms", Tags: tags,
		Summary: "List learning platforms", Description: "Admins only. Those that registered themselves; the configuration may have others."}, s.listPlatforms)
	add(s, huma.Operation{OperationID: "removePlatform", Method: http.MethodDelete, Path: "/lti/platforms/{name}", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Forget a learning platform", Description: "Admins only. Its launches are refused from now on; nobody's environment ends.",
		Errors: []int{http.StatusConflict}}, s.removePlatform)
}

func (s *Server) invitePlatform(ctx context.Context, c call[invitePlatformInput]) (*platformLinkOutput, error) {
	link, until, err := s.service.InvitePlatform(ctx, c.who, c.in.Body.Name, c.in.Body.Platform)
	if err != nil {
		return nil, err
	}
	return &platformLinkOutput{NoStore: neverStored, Body: PlatformLink{URL: link.Reveal(), ExpiresAt: until.UTC()}}, nil
}

func (s *Server) listPlatforms(ctx context.Context, c call[struct{}]) (*platformsOutput, error) {
	got, err := s.service.RegisteredPlatforms(ctx, c.who)
	if err != nil {
		return nil, err
	}
	out := &platformsOutput{Body: List[Platform]{Items: []Platform{}}}
	for _, p := range got {
		out.Body.Items = append(out.Body.Items, Platform{Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID, Deployments: append([]string{}, p.Deployments...)})
	}
	return out, nil
}

func (s *Server) removePlatform(ctx context.Context, c call[platformInput]) (*struct{}, error) {
	return nil, s.service.RemovePlatform(ctx, c.who, c.in.Name)
}
