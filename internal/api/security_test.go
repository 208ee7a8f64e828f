package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daskbot/daskbot/internal/environment"
)

// journal is an audit log in memory.
type journal struct{ entries []environment.Audited }

func (j *journal) AppendAudit(_ context.Context, a environment.Audited) error {
	j.entries = append(j.entries, a)
	return nil
}

func (j *journal) ReadAudit(context.Context, environment.AuditFilter) ([]environment.Audited, error) {
	return j.entries, nil
}

func guarded(t *testing.T, rate Rate) (*Server, *journal) {
	t.Helper()
	log := &journal{}
	s, err := New(Config{Service: newDouble(), Audit: log, Rate: rate, Log: slog.New(slog.DiscardHandler), TrustedProxies: []string{"10.0.0.0/8"},
		Bearer: func(_ context.Context, token string) (environment.Caller, error) {
			if token == "of-the-provider" {
				return environment.Caller{Subject: "ann@example.edu", Role: environment.RoleStudent}, nil
			}
			return environment.Caller{}, environment.Errorf(environment.CodeUnauthorized, "This token is not valid.")
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func asks(s *Server, method, path, token, from, forwarded string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from + ":4711"
	r.Header.Set("X-Forwarded-For", forwarded)
	r.Header.Set("X-Request-Id", "r1")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestRateOfACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := guarded(t, Rate{PerSecond: 1, Burst: 2})
		ask := func(token string) int {
			return asks(s, http.MethodGet, Base+"/environments", token, "203.0.113.9", "").Code
		}
		if got := []int{ask("alice"), ask("alice"), ask("alice")}; !cmp.Equal(got, []int{200, 200, 429}) {
			t.Errorf("three at once: got %v; want the third refused", got)
		}
		if got := asks(s, http.MethodGet, Base+"/environments", "alice", "203.0.113.9", "").Header().Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After is %q; want 1", got)
		}
		if got := ask("admin"); got != 200 {
			t.Errorf("another caller: %d; want 200", got)
		}
		time.Sleep(time.Second) // of the bubble's clock
		if got := ask("alice"); got != 200 {
			t.Errorf("a second later: %d; want 200", got)
		}
	})
}

func TestRateOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := guarded(t, Rate{Refused: 2})
		ask := func(token, from, forwarded string) int {
			return asks(s, http.MethodGet, Base+"/environments", token, from, forwarded).Code
		}
		for i, want := range []int{401, 401, 429, 429} {
			if got := ask("guess", "203.0.113.9", ""); got != want {
				t.Errorf("guess %d: %d; want %d", i, got, want)
			}
		}
		for name, got := range map[string]int{
			"a good token from there":     ask("alice", "203.0.113.9", "") - 200,
			"elsewhere":                   ask("guess", "203.0.113.10", "") - 401,
			"said by nobody trusted":      ask("guess", "203.0.113.9", "198.51.100.1") - 429,
			"said by a trusted proxy":     ask("guess", "10.1.2.3", "198.51.100.1") - 401,
			"the same behind that proxy":  ask("guess", "10.1.2.3", "203.0.113.9") - 429,
			"a token of the provider's":   ask("of-the-provider", "203.0.113.9", "") - 200,
			"the probe, which is for all": asks(s, http.MethodGet, "/healthz", "", "203.0.113.9", "").Code - 200,
		} {
			if got != 0 {
				t.Errorf("%s: off by %d", name, got)
			}
		}
		if len(log.entries) != 4 {
			t.Errorf("%d entries in the audit log; want the 401s and not the 429s: 4", len(log.entries))
		}
	})
}

func TestWhatIsAudited(t *testing.T) {
	s, log := guarded(t, Rate{})
	for _, r := range []struct{ method, path, token string }{
		{http.MethodGet, "/environments", "alice"},          // a look is not
		{http.MethodGet, "/environments/kq7wm2xd", "alice"}, // nor this
		{http.MethodGet, "/environments/kq7wm2xd/credentials", "alice"},
		{http.MethodDelete, "/environments/kq7wm2xd", "alice"},
		{http.MethodDelete, "/environments/nonesuch", "alice"},
		{http.MethodGet, "/audit", "alice"},
		{http.MethodGet, "/environments", ""},
	} {
		asks(s, r.method, Base+r.path, r.token, "203.0.113.9", "")
	}
	entry := func(actor string, role environment.Role, action, object, outcome string) environment.Audited {
		return environment.Audited{Actor: actor, Role: role, Via: "rest", Action: action, Object: object, Outcome: outcome, Request: "r1", Address: "203.0.113.9"}
	}
	want := []environment.Audited{
		entry("alice", environment.RoleStudent, "credentials", "kq7wm2xd", "ok"),
		entry("alice", environment.RoleStudent, "down", "kq7wm2xd", "ok"),
		entry("alice", environment.RoleStudent, "down", "nonesuch", "not_found"),
		entry("alice", environment.RoleStudent, "audit", "", "forbidden"),
		entry("", "", "list", "", "unauthorized"),
	}
	if diff := cmp.Diff(want, log.entries, cmpopts.IgnoreFields(environment.Audited{}, "At")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s, _ := guarded(t, Rate{})
	for _, path := range []string{"/", "/healthz", "/docs", "/openapi.json", "/nothing", Base + "/environments", Base + "/environments/nonesuch"} {
		h := asks(s, http.MethodGet, path, "alice", "203.0.113.9", "").Header()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q; want %q", path, name, got, want)
			}
		}
		if h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s has no Content-Security-Policy", path)
		}
	}
}
