package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// TokenRequest asks for a token.
type TokenRequest struct {
	Role    string `json:"role" enum:"student,staff,admin" doc:"What its holder may do." example:"student"`
	Subject string `json:"subject" minLength:"1" maxLength:"128" doc:"Who its holder is." example:"alice"`
	Course  string `json:"course,omitempty" maxLength:"63" doc:"The course a staff token is for." example:"de-2026"`
}

// Token is an API token without its secret.
type Token struct {
	ID        string     `json:"id" example:"mz4tk8wd"`
	Role      string     `json:"role" example:"student"`
	Subject   string     `json:"subject" example:"alice"`
	Course    string     `json:"course" example:"de-2026"`
	CreatedAt time.Time  `json:"createdAt"`
	CreatedBy string     `json:"createdBy" example:"admin"`
	RevokedAt *time.Time `json:"revokedAt" doc:"Null while it opens anything."`
}

// NewToken is a token with its secret, which is shown this once.
type NewToken struct {
	Token
	Secret string `json:"secret" doc:"Send it as Authorization: Bearer <secret>. It is never shown again." example:"dbt_…"`
}

type createTokenInput struct{ Body TokenRequest }

type createTokenOutput struct {
	NoStore
	Body NewToken
}

type tokensOutput struct{ Body List[Token] }

type tokenInput struct {
	ID string `path:"id" maxLength:"200" doc:"The token's id, not its secret." example:"mz4tk8wd"`
}

func (s *Server) tokens() {
	tags := []string{"access"}
	add(s, huma.Operation{OperationID: "createToken", Method: http.MethodPost, Path: "/tokens", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a token", Description: "Admins only. The answer holds the secret; only its hash is kept.",
		Errors: []int{http.StatusConflict}}, s.createToken)
	add(s, huma.Operation{OperationID: "tokens", Method: http.MethodGet, Path: "/tokens", Tags: tags,
		Summary: "List tokens", Description: "Admins only. Without secrets; revoked ones stay listed."}, s.listTokens)
	add(s, huma.Operation{OperationID: "revokeToken", Method: http.MethodDelete, Path: "/tokens/{id}", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Revoke a token", Description: "Admins only. It opens nothing from now on; revoking it again changes nothing.",
		Errors: []int{http.StatusConflict}}, s.revokeToken)
}

func (s *Server) createToken(ctx context.Context, c call[createTokenInput]) (*createTokenOutput, error) {
	b := c.in.Body
	t, secret, err := s.service.CreateToken(ctx, c.who, environment.Role(b.Role), b.Subject, b.Course)
	if err != nil {
		return nil, err
	}
	return &createTokenOutput{NoStore: neverStored, Body: NewToken{Token: wireToken(t), Secret: secret.Reveal()}}, nil
}

func (s *Server) listTokens(ctx context.Context, c call[struct{}]) (*tokensOutput, error) {
	got, err := s.service.Tokens(ctx, c.who)
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{Body: List[Token]{Items: []Token{}}}
	for _, t := range got {
		out.Body.Items = append(out.Body.Items, wireToken(t))
	}
	return out, nil
}

func (s *Server) revokeToken(ctx context.Context, c call[tokenInput]) (*struct{}, error) {
	return nil, s.service.RevokeToken(ctx, c.who, c.in.ID)
}

func wireToken(t environment.Token) Token {
	return Token{ID: t.ID, Role: string(t.Role), Subject: t.Subject, Course: t.Course,
		CreatedAt: t.CreatedAt.UTC(), CreatedBy: t.CreatedBy, RevokedAt: instant(t.RevokedAt)}
}
