package lti

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

const (
	home       = "https://daskbot.example.edu"
	clientID   = "10000000000002"
	deployment = "7:d3a2"
	claimOf    = "https://purl.imsglobal.org/spec/lti/claim/"
)

// rsaKey is slow to make: tests share two.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey() })
var otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey() })

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// school is a learning platform: its keys, its tokens, its roster.
type school struct {
	mu      sync.Mutex
	url     string
	tool    http.Handler // where it reads the tool's keys
	kid     string
	key     *rsa.PrivateKey
	asked   map[string]int
	pages   [][]membership
	next    func(page int) string
	down    bool
	second  []membership   // another course's roster
	away    bool           // which cannot be read
	got     map[string]any // the last registration
	granted string
	tells   map[string]string // of itself, instead of the truth
}

func (s *school) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[r.URL.Path]++
	if s.down {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	switch r.URL.Path {
	case "/jwks":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{
			map[string]string{"kty": "unheard-of", "kid": "x"},
			jose.JSONWebKey{Key: s.key.Public(), KeyID: s.kid, Algorithm: "RS256", Use: "sig"}}})
	case "/token":
		s.serveToken(w, r)
	case "/roster":
		s.serveRoster(w, r)
	case "/roster2":
		if s.away {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"members": s.second})
	case "/openid":
		tells := map[string]string{"issuer": s.url, "authorization_endpoint": s.url + "/auth", "token_endpoint": s.url + "/token",
			"jwks_uri": s.url + "/jwks", "registration_endpoint": s.url + "/registration"}
		maps.Copy(tells, s.tells)
		_ = json.NewEncoder(w).Encode(tells)
	case "/registration":
		_ = json.NewDecoder(r.Body).Decode(&s.got)
		s.granted = r.Header.Get("Authorization")
		_ = json.NewEncoder(w).Encode(map[string]any{"client_id": "registered-1", "https://purl.imsglobal.org/spec/lti-tool-configuration": map[string]string{"deployment_id": "1"}})
	}
}

// serveToken gives one to whoever proves to be the tool.
func (s *school) serveToken(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	s.tool.ServeHTTP(rec, httptest.NewRequestWithContext(r.Context(), http.MethodGet, jwksPath, nil))
	var set jose.JSONWebKeySet
	_ = json.Unmarshal(rec.Body.Bytes(), &set)
	parsed, err := jwt.ParseSigned(r.FormValue("client_assertion"), []jose.SignatureAlgorithm{jose.RS256})
	var c jwt.Claims
	if err == nil {
		err = parsed.Claims(set, &c)
	}
	if err == nil {
		err = c.Validate(jwt.Expected{Issuer: clientID, Subject: clientID, AnyAudience: jwt.Audience{s.url + "/token"}, Time: time.Now()})
	}
	if err != nil || r.FormValue("scope") != rosterScope {
		http.Error(w, fmt.Sprint(err), http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "t-1", "token_type": "bearer", "expires_in": 3600})
}

func (s *school) serveRoster(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer t-1" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	page := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
	if page+1 < len(s.pages) {
		next := s.url + fmt.Sprintf("/roster?page=%d&of=a,b", page+1)
		if s.next != nil {
			next = s.next(page + 1)
		}
		w.Header().Set("Link", `<`+s.url+`/roster?page=0>; rel="first", <`+next+`>; rel="next"`)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": s.url + "/roster", "members": s.pages[page]})
}

// world is a tool on a real service and store, registered with a school.
type world struct {
	t       testing.TB
	school  *school
	store   environment.Store
	service *environment.Service
	tool    *Tool
	trusted bool
	userID  string // the custom parameter that names people, "" for the subject
	now     time.Time
}

func newWorld(t testing.TB, edit ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().UTC().Truncate(time.Second)}
	w.school = &school{kid: "k1", key: rsaKey(), asked: map[string]int{}}
	server := httptest.NewServer(w.school)
	t.Cleanup(server.Close)
	w.school.url = server.URL
	w.store = storetest.Open(t)
	w.service = environment.NewService(environment.ServiceConfig{Store: w.store, Feed: &environment.Feed{}, Catalogue: catalogue{}, Installation: "test",
		MaxMembers: 1000, CheckSchedule: func(environment.Schedule) error { return nil }, Now: func() time.Time { return w.now }})
	for _, e := range edit {
		e(w)
	}
	w.tool = w.newTool()
	w.school.tool = w.tool.Handler()
	w.apply(environment.Course{ID: "de-2026", Title: "Data engineering", LMS: []environment.LMSBinding{{Source: "canvas", Context: "ctx-1"}}})
	return w
}

// newTool is another process on the same store.
func (w *world) newTool() *Tool {
	tool, err := New(Config{Service: w.service, Store: w.store, ExternalURL: home, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Now: func() time.Time { return w.now },
		Platforms: []environment.Platform{{Name: "canvas", Issuer: w.school.url, ClientID: clientID, Deployments: []string{deployment},
			AuthURL: w.school.url + "/auth?tenant=1", TokenURL: w.school.url + "/token", JWKSURL: w.school.url + "/jwks", TrustEmails: w.trusted, UserIDFrom: w.userID}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return tool
}

var admin = environment.Caller{Subject: "admin", Role: environment.RoleAdmin}

func (w *world) apply(c environment.Course) {
	w.t.Helper()
	if _, err := w.service.ApplyCourse(w.t.Context(), admin, c, 0, false); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) course() environment.Course {
	w.t.Helper()
	status, err := w.service.CourseStatus(w.t.Context(), admin, "de-2026")
	if err != nil {
		w.t.Fatal(err)
	}
	return status.Course
}

func (w *world) environments() []environment.Environment {
	w.t.Helper()
	items, _, err := w.store.Environments(w.t.Context(), environment.Filter{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

// send delivers a form to a tool, with a browser's cookies.
func (w *world) send(tool *Tool, method, path string, form url.Values, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	w.t.Helper()
	target, body := path, ""
	if method == http.MethodGet && form != nil {
		target += "?" + form.Encode()
	} else {
		body = form.Encode()
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	tool.Handler().ServeHTTP(rec, r)
	return rec
}

// started is a login as the browser has it.
type started struct {
	state, nonce string
	cookies      []*http.Cookie
}

func loginForm(w *world) url.Values {
	return url.Values{"iss": {w.school.url}, "login_hint": {"user-1"}, "lti_message_hint": {"m"}, "client_id": {clientID},
		"lti_deployment_id": {deployment}, "target_link_uri": {home + launchPath}}
}

func (w *world) login() started {
	w.t.Helper()
	rec := w.send(w.tool, http.MethodPost, loginPath, loginForm(w))
	to, err := url.Parse(rec.Header().Get("Location"))
	if rec.Code != http.StatusFound || err != nil {
		w.t.Fatalf("login: got %d %s", rec.Code, rec.Body)
	}
	q := to.Query()
	want := url.Values{"tenant": {"1"}, "scope": {"openid"}, "response_type": {"id_token"}, "response_mode": {"form_post"}, "prompt": {"none"}, "client_id": {clientID},
		"redirect_uri": {home + launchPath}, "login_hint": {"user-1"}, "lti_message_hint": {"m"}}
	for name := range want {
		if q.Get(name) != want.Get(name) {
			w.t.Errorf("login: %s is %q; want %q", name, q.Get(name), want.Get(name))
		}
	}
	return started{q.Get("state"), q.Get("nonce"), rec.Result().Cookies()}
}

// claims are those of an ordinary launch.
func (w *world) claims(l started, sub, role string) map[string]any {
	return map[string]any{"iss": w.school.url, "aud": clientID, "azp": clientID, "sub": sub, "nonce": l.nonce, "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(),
		"name": strings.ToUpper(sub[:1]) + sub[1:], "email": sub + "@example.edu",
		claimOf + "message_type": resourceLink, claimOf + "version": ltiVersion, claimOf + "deployment_id": deployment, claimOf + "target_link_uri": home + launchPath,
		claimOf + "resource_link": map[string]string{"id": "r1"}, claimOf + "context": map[string]string{"id": "ctx-1", "title": "Data engineering"},
		claimOf + "roles":               []string{courseRoles + "#" + role},
		claimOf + "launch_presentation": map[string]string{"return_url": "https://school.example.edu/courses/1"},
		"https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": map[string]any{"context_memberships_url": w.school.url + "/roster"}}
}

func signWith(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// launch goes through login and launch as one browser.
func (w *world) launch(sub, role string, edit ...func(map[string]any)) *httptest.ResponseRecorder {
	w.t.Helper()
	l := w.login()
	c := w.claims(l, sub, role)
	for _, e := range edit {
		e(c)
	}
	return w.send(w.tool, http.MethodPost, launchPath, url.Values{"state": {l.state}, "id_token": {signWith(w.t, jose.RS256, w.school.key, w.school.kid, c)}}, l.cookies...)
}

// with changes claims; nil takes one away.
func with(changes map[string]any) func(map[string]any) {
	return func(c map[string]any) {
		maps.Copy(c, changes)
		maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	}
}

type catalogue struct{}

func (catalogue) Profile(name string) (environment.Profile, bool) {
	return environment.Profile{Name: name, Title: "Dask for one person", Workers: environment.Workers{Default: 2, Max: 8},
		Access: environment.Access{Kind: environment.AccessJupyterHub}}, name == "daskhub"
}

func (c catalogue) Profiles() []environment.Profile {
	p, _ := c.Profile("daskhub")
	return []environment.Profile{p}
}
func (catalogue) DefaultProfile() string { return "daskhub" }
func (catalogue) Project() string        { return "class-project" }
func (catalogue) Policy() environment.Policy {
	return environment.Policy{TTL: 4 * time.Hour, MaxTTL: 12 * time.Hour, MaxPerOwner: 3, MaxPerCourse: 1000}
}
