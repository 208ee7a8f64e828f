package lms

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

const (
	platformConfiguration = "https://purl.imsglobal.org/spec/lti-platform-configuration"
	toolConfiguration     = "https://purl.imsglobal.org/spec/lti-tool-configuration"
)

// configuration is what OpenID Connect discovery finds.
func (p *Platform) configuration(w http.ResponseWriter, _ *http.Request) {
	respond.JSON(w, http.StatusOK, map[string]any{
		"issuer": p.cfg.URL, "authorization_endpoint": p.cfg.URL + "/oauth/authorize", "token_endpoint": p.cfg.URL + "/oauth/token",
		"jwks_uri": p.cfg.URL + "/jwks", "registration_endpoint": p.cfg.URL + "/oauth/register",
		"scopes_supported": []string{"openid", scopeMembers}, "response_types_supported": []string{"id_token"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256"},
		"claims_supported":                                 []string{"sub", "iss", "name", "email"},
		platformConfiguration: map[string]any{
			"product_family_code": "sandbox", "version": "1",
			"messages_supported": []map[string]any{{"type": "LtiResourceLinkRequest"}},
			"variables":          []string{"Context.id", "Person.sourcedId"},
		},
	})
}

// invite is the administrator's part of dynamic registration: the address to
// open in a browser, at the tool, with a token that serves once.
func (p *Platform) invite(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		URL string `json:"url"` // the tool's registration address
	}
	if err := respond.Read(w, r, &asked); err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	u, err := url.Parse(asked.URL)
	if err != nil || u.Host == "" {
		respond.Error(w, p.cfg.Log, respond.Invalid("url %q is no http address", asked.URL))
		return
	}
	token := random(20)
	p.mu.Lock()
	p.invites[token] = struct{}{}
	p.mu.Unlock()
	q := u.Query()
	q.Set("openid_configuration", p.cfg.URL+"/.well-known/openid-configuration")
	q.Set("registration_token", token)
	u.RawQuery = q.Encode()
	respond.JSON(w, http.StatusCreated, map[string]string{"open": u.String(), "token": token})
}

// application is what a tool asks to be registered as.
type application struct {
	Type         string          `json:"application_type"`
	Name         string          `json:"client_name"`
	LoginURI     string          `json:"initiate_login_uri"`
	RedirectURIs []string        `json:"redirect_uris"`
	JWKSURI      string          `json:"jwks_uri"`
	AuthMethod   string          `json:"token_endpoint_auth_method"`
	Scope        string          `json:"scope"`
	Tool         json.RawMessage `json:"https://purl.imsglobal.org/spec/lti-tool-configuration"`
}

// register is the registration endpoint: it makes a tool of what the tool says
// about itself and gives it a client id and a deployment.
func (p *Platform) register(w http.ResponseWriter, r *http.Request) {
	var a application
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&a); err != nil {
		denied(w, "invalid_client_metadata", err.Error())
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, invited := p.invites[token]; !invited {
		respond.Error(w, p.cfg.Log, respond.Refuse(http.StatusUnauthorized, "the registration token is not good, or was used"))
		return
	}
	t, problem := p.admit(a)
	if problem != "" {
		denied(w, "invalid_client_metadata", problem)
		return
	}
	delete(p.invites, token)
	p.memory.Tools = append(p.memory.Tools, t)
	p.changed()
	var tool map[string]any
	_ = json.Unmarshal(a.Tool, &tool) // admit read it
	tool["deployment_id"] = t.Deployment
	respond.JSON(w, http.StatusCreated, map[string]any{
		"client_id": t.ClientID, "application_type": "web", "response_types": []string{"id_token"}, "grant_types": []string{"implicit", "client_credentials"},
		"initiate_login_uri": t.LoginURL, "redirect_uris": t.RedirectURIs, "client_name": t.Name, "jwks_uri": t.JWKSURL,
		"token_endpoint_auth_method": "private_key_jwt", "scope": strings.Join(t.Scopes, " "), toolConfiguration: tool,
	})
}

// admit says what tool an application is, or what is wrong with it.
func (p *Platform) admit(a application) (t *Tool, problem string) {
	var tool struct {
		Domain string            `json:"domain"`
		Target string            `json:"target_link_uri"`
		Custom map[string]string `json:"custom_parameters"`
		Claims []string          `json:"claims"`
	}
	switch {
	case json.Unmarshal(a.Tool, &tool) != nil || tool.Target == "" || tool.Domain == "":
		return nil, toolConfiguration + " with domain and target_link_uri must be there"
	case a.Type != "web":
		return nil, "application_type must be web"
	case a.LoginURI == "" || a.JWKSURI == "" || len(a.RedirectURIs) == 0 || a.Name == "":
		return nil, "client_name, initiate_login_uri, jwks_uri and redirect_uris must be there"
	case a.AuthMethod != "private_key_jwt":
		return nil, "token_endpoint_auth_method must be private_key_jwt"
	}
	t = &Tool{
		ClientID: "2" + p.memory.number(), Name: a.Name, Deployment: "1:" + random(20), LoginURL: a.LoginURI, TargetURL: tool.Target,
		RedirectURIs: a.RedirectURIs, JWKSURL: a.JWKSURI, Custom: tool.Custom,
	}
	if u, err := url.Parse(tool.Target); err == nil {
		t.URL = u.Scheme + "://" + u.Host
		t.HooksURL = t.URL + "/hooks/lms/"
	}
	for _, s := range strings.Fields(a.Scope) {
		if s == scopeMembers {
			t.Scopes = append(t.Scopes, s)
		}
	}
	return t, ""
}
