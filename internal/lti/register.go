package lti

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// about is what a platform tells of itself, as far as daskbot cares.
type about struct {
	Issuer       string `json:"issuer"`
	AuthURL      string `json:"authorization_endpoint"`
	TokenURL     string `json:"token_endpoint"`
	JWKSURL      string `json:"jwks_uri"`
	Registration string `json:"registration_endpoint"`
	// Server is who requests for tokens are meant for; "" for the token's address.
	Server string `json:"authorization_server"`
}

// registered is a platform's answer to a registration.
type registered struct {
	ClientID string `json:"client_id"`
	Tool     struct {
		Deployment string `json:"deployment_id"`
	} `json:"https://purl.imsglobal.org/spec/lti-tool-configuration"`
}

type registeredPage struct {
	Page
	Name string
}

// serveRegister registers daskbot with the platform whose admin opened the
// address that `daskbot lti register-link` made (dynamic registration). Only
// the platform that it was made for is asked.
func (t *Tool) serveRegister(w http.ResponseWriter, r *http.Request) error {
	form, err := parameters(r)
	if err != nil {
		return err
	}
	code := r.PathValue("code")
	name, home, err := t.service.Invited(r.Context(), code)
	if err != nil {
		return err
	}
	tells, err := t.aboutPlatform(r.Context(), form.Get("openid_configuration"), home)
	if err != nil {
		return err
	}
	if err := t.unclaimed(r.Context(), environment.Platform{Name: name, Issuer: tells.Issuer, JWKSURL: tells.JWKSURL}); err != nil {
		return err
	}
	answer, err := t.introduce(r.Context(), tells.Registration, form.Get("registration_token"))
	if err != nil {
		return err
	}
	p := environment.Platform{Name: name, Issuer: tells.Issuer, ClientID: answer.ClientID, AuthURL: tells.AuthURL, TokenURL: tells.TokenURL,
		JWKSURL: tells.JWKSURL, TokenAudience: tells.Server, Deployments: []string{answer.Tool.Deployment}}
	if answer.Tool.Deployment == "" { // the client id is this registration's alone
		p.Deployments = []string{environment.AnyDeployment}
	}
	if err := t.unclaimed(r.Context(), p); err != nil {
		return err
	}
	if err := t.service.RegisterPlatform(r.Context(), code, p); err != nil {
		return err
	}
	t.log.Info("lti platform registered", "platform", name, "issuer", p.Issuer)
	return t.show(w, http.StatusOK, frames(p, home), "registered", registeredPage{Page{Title: "Registered"}, name})
}

// aboutPlatform reads what the platform at home tells of itself.
func (t *Tool) aboutPlatform(ctx context.Context, address, home string) (about, error) {
	var tells about
	if originOf(address) == "" || originOf(address) != originOf(home) {
		return tells, environment.Invalid("openid_configuration", "This address was made for the learning platform at %s; it registers with no other.", home)
	}
	body, err := get(ctx, t.http, address)
	if err == nil {
		err = json.Unmarshal(body, &tells)
	}
	if err != nil {
		return tells, &environment.Error{Code: environment.CodeUnavailable, Message: "The learning platform does not tell how to register; try again.", Err: err}
	}
	return tells, tells.check(home)
}

// check refuses what the platform at home may not tell of itself.
func (a about) check(home string) error {
	for name, value := range map[string]string{"issuer": a.Issuer, "authorization_endpoint": a.AuthURL, "token_endpoint": a.TokenURL, "jwks_uri": a.JWKSURL} {
		if err := environment.ValidPlatformURL(name, value); err != nil {
			return err
		}
	}
	if originOf(a.Registration) != originOf(home) {
		return environment.Invalid("registration_endpoint", "The learning platform wants to be registered with elsewhere than at %s.", home)
	}
	// daskbot itself asks these: they must not lead into its own network, unless
	// the platform is there.
	for name, value := range map[string]string{"token_endpoint": a.TokenURL, "jwks_uri": a.JWKSURL} {
		if host := hostOf(value); inside(host) && host != hostOf(home) && !loopback(hostOf(home)) {
			return environment.Invalid(name, "The learning platform at %s names an address inside of a network: %q.", home, clip(value))
		}
	}
	return nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// inside reports whether a host is, by how it is written, of this machine or of
// a network that is not public. A name that leads into one must have a
// certificate there.
func inside(host string) bool {
	host = strings.TrimSuffix(host, ".")
	ip, err := netip.ParseAddr(host)
	if err != nil {
		last := host[strings.LastIndex(host, ".")+1:]
		return last == "localhost" || last == "" || strings.ContainsAny(last[:1], "0123456789") // 127.1 is an address to some
	}
	ip = ip.Unmap()
	return !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" || netip.MustParsePrefix("100.64.0.0/10").Contains(ip)
}

// unclaimed refuses a registration that would speak for another one's people:
// who somebody is follows from the issuer, so that one issuer has one set of
// keys, whatever it is registered as.
func (t *Tool) unclaimed(ctx context.Context, p environment.Platform) error {
	stored, err := t.service.Platforms(ctx)
	if err != nil {
		return err
	}
	for _, other := range append(slices.Clone(t.platforms), stored...) {
		if other.Name != p.Name && other.Issuer == p.Issuer && (other.JWKSURL != p.JWKSURL || other.ClientID == p.ClientID) {
			return environment.Errorf(environment.CodeConflict, "The learning platform says that it is %q, which is registered as %s already. Whoever runs daskbot can remove that registration, or make the address for its name.", clip(p.Issuer), other.Name)
		}
	}
	return nil
}

// introduce tells the platform who daskbot is.
func (t *Tool) introduce(ctx context.Context, address, token string) (registered, error) {
	var answer registered
	body, err := json.Marshal(t.introduction())
	if err != nil {
		return answer, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	got, _, err := do(t.http, req)
	if err == nil {
		answer, err = readRegistered(got)
	}
	if err != nil {
		return answer, &environment.Error{Code: environment.CodeUnavailable, Message: "The learning platform did not accept the registration.", Err: err}
	}
	return answer, nil
}

// readRegistered reads a platform's answer.
func readRegistered(body []byte) (registered, error) {
	var answer registered
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, err
	}
	if answer.ClientID == "" || len(answer.ClientID) > longestClaim {
		return answer, errors.New("the answer has no client id")
	}
	return answer, nil
}

// introduction is daskbot as a client of OpenID Connect and as a tool of LTI.
func (t *Tool) introduction() map[string]any {
	link := func(message string, more ...string) map[string]any {
		m := map[string]any{"type": message, "target_link_uri": t.at(launchPath), "label": linkTitle}
		if len(more) > 0 {
			m["placements"] = more
		}
		return m
	}
	return map[string]any{
		"application_type": "web", "response_types": []string{"id_token"}, "grant_types": []string{"implicit", "client_credentials"},
		"initiate_login_uri": t.at(loginPath), "redirect_uris": []string{t.at(launchPath)}, "client_name": toolTitle,
		"jwks_uri": t.at(jwksPath), "token_endpoint_auth_method": "private_key_jwt", "scope": rosterScope,
		"https://purl.imsglobal.org/spec/lti-tool-configuration": map[string]any{
			"domain": t.base.Host, "description": toolSays, "target_link_uri": t.at(launchPath),
			"claims":   []string{"iss", "sub", "name", "email"},
			"messages": []any{link(resourceLink, "course_navigation"), link(deepLinking)},
		},
	}
}
