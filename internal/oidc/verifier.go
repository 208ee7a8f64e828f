package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config says whose tokens are taken, and what they say.
type Config struct {
	Issuer   string
	Audience string
	// SubjectClaim is who somebody is. An e-mail address counts only when the
	// provider verified it.
	SubjectClaim string
	// RolesClaim is a list of strings, or one; AdminRoles are those of its values
	// that make an admin.
	RolesClaim string
	AdminRoles []string
	// Caller says what a subject may do who is no admin by their token.
	Caller func(subject string) environment.Caller
	Now    func() time.Time // time.Now when nil
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	config Config
	http   *http.Client

	turn     chan struct{} // whose it is asks for the description
	verifier atomic.Pointer[oidc.IDTokenVerifier]
}

// askTimeout bounds each question to the provider.
const askTimeout = 10 * time.Second

// New makes a Verifier. It does not ask the provider before the first token:
// that may be down.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Verifier{config: c, turn: make(chan struct{}, 1),
		http: &http.Client{Timeout: askTimeout, Transport: &sparing{next: http.DefaultTransport, now: c.Now}}}
}

// Caller says whose token it is. Every token that is not good is the same
// CodeUnauthorized, with the reason for the log; a provider that does not
// answer is CodeUnavailable.
func (v *Verifier) Caller(ctx context.Context, token string) (environment.Caller, error) {
	verifier, err := v.discovered(ctx)
	if err != nil {
		return environment.Caller{}, err
	}
	id, err := verifier.Verify(oidc.ClientContext(ctx, v.http), token)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), withoutKeys):
		return environment.Caller{}, away(err)
	case err != nil:
		return environment.Caller{}, refused(err)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return environment.Caller{}, refused(err)
	}
	subject, err := v.subject(claims)
	if err != nil {
		return environment.Caller{}, refused(err)
	}
	who := v.config.Caller(subject)
	if v.admin(claims) {
		who.Role = environment.RoleAdmin
	}
	return who, nil
}

// withoutKeys begins what the library says of a token for which it got no keys.
// It wraps no error that would tell.
const withoutKeys = "failed to verify signature: fetching keys "

// discovered reads the provider's description once it answers. One caller asks,
// and the others wait for no longer than they like.
func (v *Verifier) discovered(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	if known := v.verifier.Load(); known != nil {
		return known, nil
	}
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return nil, away(context.Cause(ctx))
	}
	if known := v.verifier.Load(); known != nil {
		return known, nil
	}
	// The keys are fetched under this context later on: it outlives the request.
	lasting := oidc.ClientContext(context.WithoutCancel(ctx), v.http)
	provider, err := oidc.NewProvider(lasting, v.config.Issuer)
	if err != nil {
		return nil, away(err)
	}
	v.verifier.Store(provider.VerifierContext(lasting, &oidc.Config{ClientID: v.config.Audience, Now: v.config.Now}))
	return v.verifier.Load(), nil
}

func away(err error) error {
	return &environment.Error{Code: environment.CodeUnavailable, Err: err,
		Message: "The identity provider does not answer at the moment; try again in a minute."}
}

func (v *Verifier) subject(claims map[string]any) (string, error) {
	subject, _ := claims[v.config.SubjectClaim].(string)
	if subject == "" {
		return "", errors.New("the token has no claim " + v.config.SubjectClaim)
	}
	if verified, _ := claims["email_verified"].(bool); v.config.SubjectClaim == "email" && !verified {
		return "", errors.New("the e-mail address in the token is not verified")
	}
	if v.config.SubjectClaim != "sub" { // that one is no address, whatever is in it
		subject = environment.CleanSubject(subject)
	}
	return subject, environment.ValidSubject(v.config.SubjectClaim, subject)
}

// admin reports whether one of the token's roles makes an admin.
func (v *Verifier) admin(claims map[string]any) bool {
	switch roles := claims[v.config.RolesClaim].(type) {
	case string:
		return slices.Contains(v.config.AdminRoles, roles)
	case []any:
		return slices.ContainsFunc(roles, func(role any) bool {
			name, ok := role.(string)
			return ok && slices.Contains(v.config.AdminRoles, name)
		})
	default:
		return false
	}
}

func refused(err error) error {
	return &environment.Error{Code: environment.CodeUnauthorized, Err: err,
		Message: "This token is not valid (any more); sign in again, or ask whoever runs daskbot for one."}
}
