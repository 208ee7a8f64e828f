package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

// says asks the hall and returns the answer's body; it must be a good one.
func (h *hall) says(t *testing.T, token, method, path, body string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, Base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	got, err := io.ReadAll(w.Body)
	if err != nil || w.Code >= http.StatusBadRequest {
		t.Errorf("%s %s: got %d %s, %v", method, path, w.Code, got, err)
	}
	return string(got)
}

// TestAnAddressInCapitalsIsTheSamePerson: also where somebody else names them,
// or they themselves. Their tokens, Slack and launches know them in lower case.
func TestAnAddressInCapitalsIsTheSamePerson(t *testing.T) {
	h := newHall(t)
	admin := h.tokens["admin"]
	var token struct{ Secret string }
	if err := json.Unmarshal([]byte(h.says(t, admin, "POST", "/tokens", `{"role":"student","subject":"Ann@Example.edu"}`)), &token); err != nil || token.Secret == "" {
		t.Fatalf("got %q, %v; want a token", token.Secret, err)
	}
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(h.says(t, admin, "POST", "/environments", `{"owner":"Ann@Example.edu","course":"c1"}`)), &made); err != nil {
		t.Fatal(err)
	}
	h.says(t, token.Secret, "GET", "/environments/"+made.ID, "")
	for _, who := range []string{admin, h.tokens["staff"], token.Secret} {
		if got := h.says(t, who, "GET", "/environments?owner=ANN@example.edu", ""); !strings.Contains(got, made.ID) {
			t.Errorf("got %s; want %s", got, made.ID)
		}
	}
	if got := h.says(t, token.Secret, "POST", "/environments", `{"owner":"ANN@example.edu","course":"c1"}`); !strings.Contains(got, made.ID) {
		t.Errorf("again: got %s; want %s", got, made.ID)
	}
	h.says(t, admin, "PUT", "/people/Ann@Example.edu", `{"slackId":"T1:U1"}`)
	if got := h.says(t, token.Secret, "GET", "/people/me", ""); !strings.Contains(got, "T1:U1") {
		t.Errorf("got %s; want the account that an admin gave her", got)
	}
	h.says(t, token.Secret, "GET", "/people/Ann@Example.edu", "")
	h.says(t, token.Secret, "POST", "/people/Ann@Example.edu/slack-code", "")
}

// TestASpellingThatIsInUseIsKept: by whoever is registered, or has something,
// with capitals, from before names were compared without them.
func TestASpellingThatIsInUseIsKept(t *testing.T) {
	h := newHall(t)
	admin := h.tokens["admin"]
	e := environment.Environment{ID: "old22222", Owner: "Bob@Example.edu", Profile: "dask", Recipe: shelf{}.Profiles()[0],
		Desired: environment.Present, State: environment.StateReady, Phase: environment.PhaseReady, CreatedAt: when, ReadyAt: when}
	carol := environment.Person{Subject: "Carol@Example.edu", Email: "carol@example.edu"}
	if err := h.commit(t.Context(), environment.Change{Environment: &e, Person: &carol}); err != nil {
		t.Fatal(err)
	}
	for _, ask := range []struct{ method, path, body, want string }{
		{"GET", "/environments?owner=Bob@Example.edu", "", e.ID},
		{"POST", "/environments", `{"owner":"Bob@Example.edu"}`, e.ID},
		{"GET", "/people/Carol@Example.edu", "", carol.Email},
		{"POST", "/environments", `{"owner":"Carol@Example.edu"}`, `"owner":"Carol@Example.edu"`},
	} {
		if got := h.says(t, admin, ask.method, ask.path, ask.body); !strings.Contains(got, ask.want) {
			t.Errorf("%s %s %s: got %s; want %s", ask.method, ask.path, ask.body, got, ask.want)
		}
	}
	var token struct{ Secret string }
	if err := json.Unmarshal([]byte(h.says(t, admin, "POST", "/tokens", `{"role":"student","subject":"Bob@Example.edu"}`)), &token); err != nil {
		t.Fatal(err)
	}
	h.says(t, token.Secret, "GET", "/environments/"+e.ID, "")
}
