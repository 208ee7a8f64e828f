package lms

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// access is what a token opens.
type access struct {
	client string
	scopes []string
	until  time.Time
}

const (
	accessLife    = time.Hour
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertion  = 10 * time.Minute // how far ahead an assertion may expire
	skew          = time.Minute
)

// token is the token endpoint: client credentials, and a JWT that the tool
// signed in place of a password.
func (p *Platform) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		denied(w, "invalid_request", err.Error())
		return
	}
	if p.tokenFails(w) {
		return
	}
	q := r.PostForm
	if q.Get("grant_type") != "client_credentials" || q.Get("client_assertion_type") != assertionType {
		denied(w, "unsupported_grant_type", "only client_credentials with a JWT assertion")
		return
	}
	t, err := p.whose(r.Context(), q.Get("client_assertion"))
	if err != nil {
		denied(w, "invalid_client", err.Error())
		return
	}
	scopes := []string{}
	for _, s := range strings.Fields(q.Get("scope")) {
		if slices.Contains(t.Scopes, s) {
			scopes = append(scopes, s)
		}
	}
	if len(scopes) == 0 {
		denied(w, "invalid_scope", "the tool may have "+strings.Join(t.Scopes, " "))
		return
	}
	secret := random(24)
	p.mu.Lock()
	p.tokens[secret] = access{client: t.ClientID, scopes: scopes, until: time.Now().Add(accessLife)}
	p.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	respond.JSON(w, http.StatusOK, map[string]any{
		"access_token": secret, "token_type": "Bearer", "expires_in": int(accessLife.Seconds()), "scope": strings.Join(scopes, " "),
	})
}

// denied is an error in the words of OAuth.
func denied(w http.ResponseWriter, code, description string) {
	respond.JSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// tokenFails lets a script answer.
func (p *Platform) tokenFails(w http.ResponseWriter) bool {
	p.mu.Lock()
	s := p.script(onToken, "")
	p.mu.Unlock()
	if s == nil {
		return false
	}
	switch s.Kind {
	case "token-500":
		http.Error(w, "down", http.StatusInternalServerError)
	case "token-refused":
		denied(w, "unauthorized_client", "scripted")
	default:
		_, _ = io.WriteString(w, "<html>not what was asked for") // the client is gone when this fails
	}
	return true
}

// whose tells the tool that signed an assertion for this endpoint, just now,
// and for the first time.
func (p *Platform) whose(ctx context.Context, assertion string) (*Tool, error) {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	var claimed jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claimed); err != nil {
		return nil, err
	}
	p.mu.Lock()
	t, err := p.memory.tool(claimed.Subject)
	p.mu.Unlock()
	if err != nil || claimed.Subject == "" {
		return nil, fmt.Errorf("sub %q is not a registered tool", claimed.Subject)
	}
	keys, err := p.toolKeys(ctx, t)
	if err != nil {
		return nil, err
	}
	var proven jwt.Claims
	if err := token.Claims(keys, &proven); err != nil {
		return nil, fmt.Errorf("the assertion is not signed by a key at %s: %w", t.JWKSURL, err)
	}
	return t, p.fresh(proven, t)
}

// fresh checks what a proven assertion says.
func (p *Platform) fresh(c jwt.Claims, t *Tool) error {
	now := time.Now()
	if err := c.ValidateWithLeeway(jwt.Expected{Issuer: t.ClientID, Subject: t.ClientID, Time: now}, skew); err != nil {
		return err
	}
	if !c.Audience.Contains(p.cfg.URL+"/oauth/token") && !c.Audience.Contains(p.cfg.URL) {
		return fmt.Errorf("aud is %v; it must be the token endpoint", c.Audience)
	}
	if c.Expiry == nil || c.ID == "" || c.Expiry.Time().After(now.Add(maxAssertion)) {
		return fmt.Errorf("an assertion must have a jti, and an exp at most %s ahead", maxAssertion)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.once("assertion "+t.ClientID+" "+c.ID, maxAssertion+skew) {
		return fmt.Errorf("jti %q was used before", c.ID)
	}
	return nil
}

// toolKeys asks a tool for its keys.
func (p *Platform) toolKeys(ctx context.Context, t *Tool) (*jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.JWKSURL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the tool's keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the tool's keys: %s answers %s", t.JWKSURL, resp.Status)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&set); err != nil {
		return nil, fmt.Errorf("the tool's keys: %w", err)
	}
	return &set, nil
}

// allowed tells the tool whose token a request carries, when the token opens
// a scope.
func (p *Platform) allowed(r *http.Request, scope string) (client string, ok bool) {
	secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, known := p.tokens[secret]
	if !bearer || !known || time.Now().After(a.until) || !slices.Contains(a.scopes, scope) {
		return "", false
	}
	return a.client, true
}
