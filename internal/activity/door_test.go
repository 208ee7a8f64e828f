package activity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	password = "bcdf-ghjk-mnpq-rstv"
	token    = "0123456789abcdef"
)

// hub answers as JupyterHub does, as far as the door looks; its fields break
// one thing each.
type hub struct {
	anyPassword bool   // DummyAuthenticator without a password
	noPassword  bool   // lets nobody in
	cookieXSRF  bool   // before 4.1 the token was in the cookie only
	kind        string // of the token's holder
	redirect    string // where every page leads
	visited     []string
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.visited = append(h.visited, r.Method+" "+r.URL.Path)
	if h.redirect != "" {
		http.Redirect(w, r, h.redirect, http.StatusFound)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /hub/api/":
		writeJSON(w, map[string]string{"version": "5.5.0"})
	case "GET /hub/api/user":
		if r.Header.Get("Authorization") != "token "+token {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		writeJSON(w, map[string]string{"kind": h.kind, "name": "daskbot"})
	case "GET /hub/login":
		h.form(w, "/hub/login")
	case "POST /hub/login":
		h.login(w, r, "jupyterhub-hub-login", r.FormValue("username") == "alice")
	default:
		http.NotFound(w, r)
	}
}

func (h *hub) form(w http.ResponseWriter, action string) {
	if h.cookieXSRF {
		http.SetCookie(w, &http.Cookie{Name: "_xsrf", Value: "x&y", Path: "/"})
		fmt.Fprintf(w, `<form action=%q></form>`, action)
		return
	}
	fmt.Fprintf(w, `<form action=%q><input type="hidden" name="_xsrf" value="x&amp;y"/></form>`, action)
}

func (h *hub) login(w http.ResponseWriter, r *http.Request, cookie string, known bool) {
	right := known && (h.anyPassword || r.FormValue("password") == password) && !h.noPassword
	if r.FormValue("_xsrf") != "x&y" || !right {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: "in", Path: "/"})
	http.Redirect(w, r, "/hub/spawn", http.StatusFound)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func open(t *testing.T, handler http.Handler, kind environment.AccessKind) error {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return NewDoor(nil, time.Minute).Open(t.Context(), kind, environment.Credentials{URL: server.URL,
		Username: "alice", Password: environment.NewSecret(password), Token: environment.NewSecret(token)})
}

func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

func TestHubDoor(t *testing.T) {
	tests := []struct {
		name string
		hub  http.Handler
		want environment.Code
	}{
		{"opens", &hub{kind: "service"}, ""},
		{"opens with the token in the cookie", &hub{kind: "service", cookieXSRF: true}, ""},
		{"hub still starting", status(http.StatusServiceUnavailable), environment.CodeUnavailable},
		{"proxy without a route", status(http.StatusNotFound), environment.CodeUnavailable},
		{"somebody else's page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }), environment.CodeConflict},
		{"somebody else's hub", &hub{kind: "user"}, environment.CodeConflict},
		{"lets everybody in", &hub{kind: "service", anyPassword: true}, environment.CodeForbidden},
		{"lets nobody in", &hub{kind: "service", noPassword: true}, environment.CodeConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := open(t, tt.hub, environment.AccessJupyterHub); environment.CodeOf(err) != tt.want {
				t.Errorf("got %v; want code %q", err, tt.want)
			}
		})
	}
}

// TestDoorDoesNotFollowRedirects: following the one after a login would start
// a notebook server, and one to another host would carry the token there.
func TestDoorDoesNotFollowRedirects(t *testing.T) {
	elsewhere := &hub{kind: "service"}
	other := httptest.NewServer(elsewhere)
	defer other.Close()
	if err := open(t, &hub{redirect: other.URL}, environment.AccessJupyterHub); environment.CodeOf(err) != environment.CodeConflict {
		t.Errorf("got %v; want conflict", err)
	}
	if len(elsewhere.visited) > 0 {
		t.Errorf("the other host was asked for %q", elsewhere.visited)
	}
	here := &hub{kind: "service"}
	if err := open(t, here, environment.AccessJupyterHub); err != nil {
		t.Fatal(err)
	}
	for _, visit := range here.visited {
		if visit == "GET /hub/spawn" {
			t.Error("the notebook server was started")
		}
	}
}

// jupyter answers as Jupyter Server does, as far as the door looks.
type jupyter struct{ hub }

func (j *jupyter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /api":
		writeJSON(w, map[string]string{"version": "2.17.0"})
	case "GET /api/status":
		if r.Header.Get("Authorization") != "token "+token {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		writeJSON(w, map[string]string{"started": "2026-11-23T00:00:00Z"})
	case "GET /login":
		j.form(w, "/login")
	case "POST /login":
		j.login(w, r, "username-127-0-0-1", true)
	default:
		http.NotFound(w, r)
	}
}

func TestJupyterDoor(t *testing.T) {
	tests := []struct {
		name    string
		jupyter http.Handler
		want    environment.Code
	}{
		{"opens", &jupyter{hub{cookieXSRF: true}}, ""},
		{"lets everybody in", &jupyter{hub{anyPassword: true}}, environment.CodeForbidden},
		{"does not read its password", &jupyter{hub{noPassword: true}}, environment.CodeConflict},
		{"still starting", status(http.StatusBadGateway), environment.CodeUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := open(t, tt.jupyter, environment.AccessJupyter); environment.CodeOf(err) != tt.want {
				t.Errorf("got %v; want code %q", err, tt.want)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	err := NewDoor(nil, time.Second).Open(context.Background(), environment.AccessJupyter, environment.Credentials{
		URL: server.URL, Password: environment.NewSecret("p"), Token: environment.NewSecret("t")})
	if environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want unavailable", err)
	}
}

func TestXSRFIsFoundWhereverItIs(t *testing.T) {
	root, _ := url.Parse("http://127.0.0.1")
	s := NewDoor(nil, 0).session(root)
	s.client.Jar.SetCookies(root, []*http.Cookie{{Name: "_xsrf", Value: "cookie", Path: "/"}})
	for page, want := range map[string]string{
		`<input type="hidden" name="_xsrf" value="a|b"/>`: "a|b",
		`<input value="c" type="hidden" name="_xsrf">`:    "c",
		`<input name="username" value="alice"> no token`:  "cookie",
	} {
		if got := s.xsrf("/login", []byte(page)); got != want {
			t.Errorf("%s: got %q; want %q", page, got, want)
		}
	}
}
