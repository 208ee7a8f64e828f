package lms

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// stage is a platform with a tool that tests script.
type stage struct {
	t    *testing.T
	lms  *Platform
	base string // ends in /lms
	tool *tool
	mine Details
}

// tool plays a tool: it logs people in, verifies launches as the standard
// says, and takes hooks.
type tool struct {
	mu     sync.Mutex
	url    string
	lms    string
	client string
	key    *rsa.PrivateKey
	nonces map[string]bool
	states map[string]bool
	answer func(path string) int
	hooks  chan hook
	claims map[string]any // of the last good launch
}

// toolKey is the same for all: it takes a while to make.
var toolKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		panic(err)
	}
	return key
})

// hook is what the tool was told.
type hook struct {
	path   string
	header http.Header
	body   string
}

func (a *tool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/lti/login":
		a.login(w, r)
	case r.URL.Path == "/lti/launch":
		a.launch(w, r)
	case r.URL.Path == "/lti/jwks":
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: a.key.Public(), KeyID: "tool", Algorithm: "RS256", Use: "sig"}}}
		respond.JSON(w, http.StatusOK, set)
	case strings.HasPrefix(r.URL.Path, "/hooks/lms/"):
		body, _ := io.ReadAll(r.Body)
		status := http.StatusOK
		a.mu.Lock()
		if a.answer != nil {
			status = a.answer(r.URL.Path)
		}
		a.mu.Unlock()
		a.hooks <- hook{r.URL.Path, r.Header, string(body)}
		w.WriteHeader(status)
	default:
		http.NotFound(w, r)
	}
}

func (a *tool) login(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	a.mu.Lock()
	defer a.mu.Unlock()
	state, nonce := random(8), random(8)
	a.states[state], a.nonces[nonce] = true, true
	q := url.Values{
		"scope": {"openid"}, "response_type": {"id_token"}, "response_mode": {"form_post"}, "prompt": {"none"}, "client_id": {r.Form.Get("client_id")},
		"redirect_uri": {a.url + "/lti/launch"}, "login_hint": {r.Form.Get("login_hint")}, "lti_message_hint": {r.Form.Get("lti_message_hint")},
		"state": {state}, "nonce": {nonce},
	}
	http.SetCookie(w, &http.Cookie{Name: "state", Value: state})
	http.Redirect(w, r, a.lms+"/oauth/authorize?"+q.Encode(), http.StatusFound)
}

func (a *tool) launch(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.verify(r.Context(), r.PostForm); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><title>Tool</title><h1>Hello, %s</h1><p>%s</p>`, a.claims["name"], r.PostForm.Get("lti_storage_target"))
}

// verify is a tool's whole duty.
func (a *tool) verify(ctx context.Context, form url.Values) error {
	if !a.states[form.Get("state")] {
		return errors.New("state")
	}
	token, err := jwt.ParseSigned(form.Get("id_token"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.lms+"/jwks", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(resp.Body).Decode(&keys); err != nil {
		return err
	}
	var standard jwt.Claims
	all := map[string]any{}
	if err := token.Claims(&keys, &standard, &all); err != nil {
		return err
	}
	if err := standard.Validate(jwt.Expected{Issuer: a.lms, AnyAudience: jwt.Audience{a.client}, Time: time.Now()}); err != nil {
		return err
	}
	nonce, _ := all["nonce"].(string)
	if !a.nonces[nonce] {
		return errors.New("nonce")
	}
	delete(a.nonces, nonce)
	delete(a.states, form.Get("state"))
	for _, must := range []string{"deployment_id", "roles", "context"} {
		if all[claim+must] == nil {
			return errors.New(must)
		}
	}
	if all["azp"] != a.client || standard.Subject == "" || all[claim+"version"] != "1.3.0" || all[claim+"message_type"] != "LtiResourceLinkRequest" ||
		!strings.HasPrefix(fmt.Sprint(all[claim+"deployment_id"]), "1:") || all[claim+"target_link_uri"] != a.url+"/lti/launch" {
		return errors.New("claims")
	}
	a.claims = all
	return nil
}

// says makes the tool answer hooks with these, then 200.
func (a *tool) says(statuses ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = func(string) int {
		if len(statuses) == 0 {
			return http.StatusOK
		}
		next := statuses[0]
		statuses = statuses[1:]
		return next
	}
}

// newStage starts both, each on a site of its own.
func newStage(t *testing.T, dir string) *stage {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	port := server.Listener.Addr().String()[strings.LastIndex(server.Listener.Addr().String(), ":"):]
	base := "http://localhost" + port + "/lms"
	a := &tool{lms: base, key: toolKey(), nonces: map[string]bool{}, states: map[string]bool{}, hooks: make(chan hook, 1000)}
	listening := httptest.NewServer(a)
	t.Cleanup(listening.Close)
	a.url = listening.URL
	p, err := Open(Config{StateDir: dir, URL: base, ToolURL: listening.URL, Mail: "example.edu", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server.Config.Handler = p
	server.Start()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	a.client = p.Details().ClientID
	return &stage{t: t, lms: p, base: base, tool: a, mine: p.Details()}
}

// do sends a request and decodes the answer, which must have that status.
func (s *stage) do(method, path string, body any, want int, into any) http.Header {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(req, want, into)
}

func (s *stage) send(req *http.Request, want int, into any) http.Header {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != want {
		s.t.Fatalf("%s %s: got %s: %s; want %d", req.Method, req.URL, resp.Status, answer, want)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			s.t.Fatalf("%s %s: %v in %s", req.Method, req.URL, err, answer)
		}
	}
	return resp.Header
}

// told is the next thing the tool was told.
func (s *stage) told() hook {
	s.t.Helper()
	select {
	case h := <-s.tool.hooks:
		return h
	case <-time.After(time.Minute):
		s.t.Fatal("the tool was told nothing")
		return hook{}
	}
}

// settled waits until the newest delivery is over.
func (s *stage) settled() delivery {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 12000 {
		var all []delivery
		s.do(http.MethodGet, "/deliveries", nil, http.StatusOK, &all)
		if n := len(all); n > 0 && all[n-1].State != waiting {
			return all[n-1]
		}
		<-tick.C
	}
	s.t.Fatal("a delivery does not end")
	return delivery{}
}
