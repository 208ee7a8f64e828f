package compute

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

// server is a Compute API that answers what a test scripted, by method and
// path after the project, and keeps what it was asked. Everything else is a
// 404 that names what was asked for, as Compute answers.
type server struct {
	answers map[string]any // a failure, or what is sent as JSON
	// hold keeps every answer back until so many wait for theirs; 0 for none.
	hold    int
	waiting int
	full    chan struct{}

	mu    sync.Mutex
	asked []string
}

// failure is an answer that is an error.
type failure struct {
	status  int
	reason  string
	message string
	header  http.Header
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.Method + " " + r.URL.Path
	if filter := r.URL.Query().Get("filter"); filter != "" {
		what += "?" + filter
	}
	s.mu.Lock()
	s.asked = append(s.asked, what)
	answer, ok := s.answers[r.Method+" "+r.URL.Path]
	if s.waiting++; s.waiting == s.hold {
		close(s.full)
	}
	s.mu.Unlock()
	if s.hold > 0 {
		select {
		case <-s.full:
		case <-r.Context().Done():
		}
	}
	if r.Header.Get("Authorization") != "Bearer t0ken" {
		answer, ok = failure{status: http.StatusUnauthorized, reason: "authError", message: "Invalid Credentials"}, true
	}
	if !ok {
		answer = failure{status: http.StatusNotFound, reason: "notFound", message: fmt.Sprintf("The resource '%s' was not found", r.URL.Path)}
	}
	w.Header().Set("Content-Type", "application/json")
	if f, failed := answer.(failure); failed {
		for k, v := range f.header {
			w.Header()[k] = v
		}
		w.WriteHeader(f.status)
		answer = map[string]any{"error": map[string]any{"code": f.status, "message": f.message,
			"errors": []any{map[string]any{"reason": f.reason, "message": f.message, "domain": "global"}}}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func connect(t *testing.T, answers map[string]any) (*Client, *server) {
	t.Helper()
	s := &server{answers: answers}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c, err := New(t.Context(), Config{Endpoint: web.URL, StaticToken: environment.NewSecret("t0ken"), Installation: "cs101"})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

const base = "/compute/v1/projects/p/"

type object = map[string]any
