package api

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestQueuePage: admins see the page, with a token or with it as a password;
// nobody else does, whatever of it they ask for.
func TestQueuePage(t *testing.T) {
	var got []string
	log := &journal{}
	s, err := New(Config{Service: newDouble(), Audit: log, Log: slog.New(slog.DiscardHandler), QueuePage: func(prefix string) (http.Handler, error) {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = append(got, r.Method+" "+strings.TrimPrefix(r.URL.Path, prefix))
			if _, bounded := r.Context().Deadline(); !bounded {
				t.Error("what it asks for has no end")
			}
		}), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, address string, with func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, address, nil)
		with(r)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	password := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth("anybody", token) }
	}
	for _, address := range []string{QueuePath, QueuePath + "/", QueuePath + "/api/jobs", QueuePath + "/assets/main.js"} {
		for name, tt := range map[string]struct {
			with func(*http.Request)
			want int
		}{
			"nobody":           {func(*http.Request) {}, http.StatusUnauthorized},
			"a wrong password": {password("nonsense"), http.StatusUnauthorized},
			"a student":        {bearer("alice"), http.StatusForbidden},
			"a student's":      {password("alice"), http.StatusForbidden},
			"an admin":         {bearer("admin"), http.StatusOK},
			"an admin's":       {password("admin"), http.StatusOK},
		} {
			got = nil
			w := ask(http.MethodGet, address, tt.with)
			if w.Code != tt.want || (len(got) == 1) != (tt.want == http.StatusOK) {
				t.Errorf("%s at %s: got %d, and the page %v; want %d", name, address, w.Code, got, tt.want)
			}
			if asked := strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic "); asked != (tt.want == http.StatusUnauthorized) {
				t.Errorf("%s at %s: a browser is asked for a password: %v", name, address, asked)
			}
			if w.Header().Get("Content-Security-Policy") == "" || strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self' 'unsafe") {
				t.Errorf("%s at %s: policy %q", name, address, w.Header().Get("Content-Security-Policy"))
			}
		}
	}
	if w := ask(http.MethodPost, QueuePath+"/api/jobs/cancel", password("alice")); w.Code != http.StatusForbidden {
		t.Errorf("a student who posts: got %d; want 403", w.Code)
	}

	refused := map[string]int{}
	for _, e := range log.entries {
		refused[e.Actor+" "+e.Action+" "+e.Outcome]++
	}
	if diff := cmp.Diff(map[string]int{" queuePage unauthorized": 8, "alice queuePage forbidden": 9}, refused); diff != "" {
		t.Errorf("the audit log (-want +got)\n%s", diff)
	}

	_, err = New(Config{Service: newDouble(), Log: slog.New(slog.DiscardHandler), QueuePage: func(string) (http.Handler, error) { return nil, errors.New("no page") }})
	if err == nil {
		t.Error("a page that cannot be made is not an error")
	}
}
