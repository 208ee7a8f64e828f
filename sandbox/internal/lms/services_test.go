package lms

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertion is what the tool proves itself with.
func (s *stage) assertion(change func(*jwt.Claims)) string {
	s.t.Helper()
	now := time.Now()
	claims := jwt.Claims{
		Issuer: s.mine.ClientID, Subject: s.mine.ClientID, Audience: jwt.Audience{s.mine.TokenURL}, ID: random(8),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}
	if change != nil {
		change(&claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.tool.key, KeyID: "tool"}}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// token asks for an access token and returns it, or the error's code.
func (s *stage) token(assertion, scope string, want int) string {
	s.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}, "scope": {scope}}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.mine.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	s.send(req, want, &answer)
	return answer.Token + answer.Error
}

func TestToken(t *testing.T) {
	s := newStage(t, "")
	if s.token(s.assertion(nil), scopeMembers, http.StatusOK) == "" {
		t.Fatal("no token")
	}
	once := s.assertion(nil)
	s.token(once, scopeMembers, http.StatusOK)
	for name, c := range map[string]struct{ assertion, scope, want string }{
		"used before":    {once, scopeMembers, "invalid_client"},
		"wrong audience": {s.assertion(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://elsewhere.example"} }), scopeMembers, "invalid_client"},
		"expired":        {s.assertion(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Hour)) }), scopeMembers, "invalid_client"},
		"too long":       {s.assertion(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(time.Hour)) }), scopeMembers, "invalid_client"},
		"no jti":         {s.assertion(func(c *jwt.Claims) { c.ID = "" }), scopeMembers, "invalid_client"},
		"another":        {s.assertion(func(c *jwt.Claims) { c.Subject, c.Issuer = "9", "9" }), scopeMembers, "invalid_client"},
		"scope":          {s.assertion(nil), "https://elsewhere.example/scope", "invalid_scope"},
		"garbage":        {"a.b.c", scopeMembers, "invalid_client"},
	} {
		if got := s.token(c.assertion, c.scope, http.StatusBadRequest); got != c.want {
			t.Errorf("%s: got %s; want %s", name, got, c.want)
		}
	}
}

// roster reads every page.
func (s *stage) roster(query, token string) (members []rosterMember, pages int) {
	s.t.Helper()
	for next := s.base + "/api/lti/courses/dask-101/names_and_roles" + query; next != ""; pages++ {
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, next, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", rosterMedia)
		var page struct{ Members []rosterMember }
		link := s.send(req, http.StatusOK, &page).Get("Link")
		members = append(members, page.Members...)
		next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if pages > 100 {
			s.t.Fatal("the roster has no end")
		}
	}
	return members, pages
}

func TestRoster(t *testing.T) {
	s := newStage(t, "")
	s.do(http.MethodPost, "/courses", courseChange{ID: "dask-101", Members: 119, Silent: true}, http.StatusOK, nil)
	token := s.token(s.assertion(nil), scopeMembers, http.StatusOK)
	all, pages := s.roster("", token)
	if len(all) != 123 || pages != 3 || all[0].Email != "s1@example.edu" || all[0].Status != "Active" {
		t.Errorf("got %d members on %d pages, first %+v; want 123 on 3", len(all), pages, all[0])
	}
	if some, pages := s.roster("?limit=10&role="+url.QueryEscape(membership+"Learner"), token); len(some) != 122 || pages != 13 {
		t.Errorf("learners: got %d on %d pages", len(some), pages)
	}
	s.do(http.MethodPost, "/misbehaviours", script{Kind: "roster-bomb", Value: 1000, Times: 0}, http.StatusCreated, nil)
	if all, _ := s.roster("", token); len(all) != 1123 {
		t.Errorf("a bomb: got %d", len(all))
	}
	s.do(http.MethodDelete, "/misbehaviours", nil, http.StatusNoContent, nil)
	s.do(http.MethodGet, "/api/lti/courses/dask-101/names_and_roles", nil, http.StatusUnauthorized, nil)
}

func TestRegister(t *testing.T) {
	s := newStage(t, "")
	var invited struct{ Open, Token string }
	s.do(http.MethodPost, "/tools/invite", map[string]string{"url": s.tool.url + "/lti/register/x?y=1"}, http.StatusCreated, &invited)
	open, err := url.Parse(invited.Open)
	if err != nil || open.Query().Get("y") != "1" || open.Query().Get("registration_token") == "" {
		t.Fatalf("got %s, %v", invited.Open, err)
	}
	var found struct {
		Endpoint string         `json:"registration_endpoint"`
		Platform map[string]any `json:"https://purl.imsglobal.org/spec/lti-platform-configuration"`
	}
	s.do(http.MethodGet, strings.TrimPrefix(open.Query().Get("openid_configuration"), s.base), nil, http.StatusOK, &found)
	if found.Platform == nil {
		t.Fatal("no platform configuration")
	}
	body := `{"application_type":"web","client_name":"Another","initiate_login_uri":"` + s.tool.url + `/lti/login","redirect_uris":["` + s.tool.url + `/lti/launch"],
	  "jwks_uri":"` + s.tool.url + `/lti/jwks","token_endpoint_auth_method":"private_key_jwt","scope":"` + scopeMembers + `",
	  "https://purl.imsglobal.org/spec/lti-tool-configuration":{"domain":"tool.example","target_link_uri":"` + s.tool.url + `/lti/launch","claims":["sub"]}}`
	post := func(token, body string, want int, into any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, found.Endpoint, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		s.send(req, want, into)
	}
	post("guessed", body, http.StatusUnauthorized, nil)
	post(invited.Token, strings.Replace(body, "private_key_jwt", "none", 1), http.StatusBadRequest, nil)
	var made struct {
		ClientID string `json:"client_id"`
		Tool     struct {
			Deployment string `json:"deployment_id"`
		} `json:"https://purl.imsglobal.org/spec/lti-tool-configuration"`
	}
	post(invited.Token, body, http.StatusCreated, &made)
	if made.ClientID == "" || made.ClientID == s.mine.ClientID || made.Tool.Deployment == "" {
		t.Errorf("got %+v", made)
	}
	post(invited.Token, body, http.StatusUnauthorized, nil)

	s.tool.client = made.ClientID
	id := made.ClientID
	s.do(http.MethodPost, "/courses", courseChange{ID: "dask-101", Tool: &id}, http.StatusOK, nil)
	var out driven
	s.do(http.MethodPost, "/launches", drive{Course: "dask-101", Person: "teacher"}, http.StatusOK, &out)
	if out.Status != http.StatusOK {
		t.Errorf("a launch of the registered tool: got %+v", out)
	}
}
