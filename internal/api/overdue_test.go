package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// stuck is a store that knows no token and never answers anything else.
type stuck struct{ environment.Store }

func (stuck) Token(context.Context, string) (environment.Token, error) {
	return environment.Token{}, environment.Errorf(environment.CodeNotFound, "There is no such thing.")
}

func (stuck) Environment(ctx context.Context, _ string) (environment.Environment, error) {
	<-ctx.Done()
	return environment.Environment{}, ctx.Err() // not even translated
}

func (stuck) Environments(ctx context.Context, _ environment.Filter) ([]environment.Environment, string, error) {
	<-ctx.Done()
	return nil, "", &environment.Error{Code: environment.CodeUnavailable, Message: "daskbot's database does not answer at the moment.", Err: ctx.Err()}
}

func stuckServer(t *testing.T) *Server {
	t.Helper()
	s, err := New(Config{Log: slog.New(slog.DiscardHandler),
		Service: environment.NewService(environment.ServiceConfig{Store: stuck{}, Feed: &environment.Feed{}}),
		Bearer: func(context.Context, string) (environment.Caller, error) {
			return environment.Caller{Subject: "admin", Role: environment.RoleAdmin}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAStoreThatHangsIsAnswered: whoever waits hears after a while that it is
// no use, in a sentence, whatever the operation.
func TestAStoreThatHangsIsAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, accept string
		within               time.Duration
	}{
		"a list":           {http.MethodGet, "/environments", "", answerWithin},
		"one":              {http.MethodGet, "/environments/kq7wm2xd", "", answerWithin},
		"a change":         {http.MethodDelete, "/environments/kq7wm2xd", "", answerWithin},
		"a list of events": {http.MethodGet, "/environments/kq7wm2xd/events", "application/json", answerWithin},
	} {
		t.Run(name, func(t *testing.T) {
			s := stuckServer(t)
			synctest.Test(t, func(t *testing.T) {
				r := httptest.NewRequest(test.method, Base+test.path, nil)
				r.Header.Set("Authorization", "Bearer of-the-provider")
				r.Header.Set("Accept", test.accept)
				w := httptest.NewRecorder()
				begun := time.Now()
				s.Handler().ServeHTTP(w, r)
				var p Problem
				if err := json.NewDecoder(w.Body).Decode(&p); err != nil && err != io.EOF {
					t.Fatal(err)
				}
				if took := time.Since(begun); took != test.within || w.Code != http.StatusServiceUnavailable || !strings.HasPrefix(p.Detail, "This took too long") {
					t.Errorf("got %d %q after %s; want 503 with a sentence after %s", w.Code, p.Detail, took, test.within)
				}
			})
		})
	}
}

// TestAStreamHasNoDeadline: it lives for as long as somebody reads.
func TestAStreamHasNoDeadline(t *testing.T) {
	s := stuckServer(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*surveyWithin)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, Base+"/environments/kq7wm2xd/events", nil)
		r.Header.Set("Authorization", "Bearer of-the-provider")
		r.Header.Set("Accept", eventStream)
		begun := time.Now()
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if took := time.Since(begun); took != 3*surveyWithin {
			t.Errorf("it ended after %s; want it to live as long as its client", took)
		}
	})
}

// TestWhatWasDecidedInTimeStays: a refusal is not made a matter of time.
func TestWhatWasDecidedInTimeStays(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 0, errOverdue)
	defer cancel()
	<-ctx.Done()
	refusal := environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	if got := overdue(ctx, refusal); !errors.Is(got, refusal) {
		t.Errorf("got %v; want the refusal", got)
	}
	if got := overdue(t.Context(), context.DeadlineExceeded); !errors.Is(got, context.DeadlineExceeded) {
		t.Errorf("got %v; want what came of somebody else's deadline", got)
	}
}
