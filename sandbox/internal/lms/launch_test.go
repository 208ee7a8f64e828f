package lms

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestLaunch(t *testing.T) {
	s := newStage(t, "")
	var out driven
	s.do(http.MethodPost, "/launches", drive{Course: "dask-101", Person: "s1"}, http.StatusOK, &out)
	if out.Status != http.StatusOK || !strings.Contains(out.Body, "Hello, Ada Lovelace") {
		t.Fatalf("got %+v; want a greeting", out)
	}
	roles, _ := s.tool.claims[claim+"roles"].([]any)
	if len(roles) == 0 || roles[0] != membership+"Learner" || s.tool.claims["email"] != "s1@example.edu" {
		t.Errorf("got %v", s.tool.claims)
	}
	s.do(http.MethodPost, "/launches", drive{Course: "dask-101", Person: "s1", Twice: true}, http.StatusOK, &out)
	if out.Status != http.StatusUnauthorized {
		t.Errorf("the same launch twice: got %d; want 401", out.Status)
	}
	s.do(http.MethodPost, "/launches", drive{Course: "dask-101", Person: "s4"}, http.StatusForbidden, nil)
	s.do(http.MethodPost, "/launches", drive{Course: "dask-101", Person: "s1", Misbehave: "no such"}, http.StatusBadRequest, nil)
}

// A tool that checks what it must refuses every misbehaviour, save those that
// are only unusual.
func TestLaunchMisbehaves(t *testing.T) {
	s := newStage(t, "")
	honest := map[string]bool{"": true, "no-email": true, "placeholders": true, "odd-name": true, "another-email": true}
	launch := func(kind string) int {
		var out driven
		s.do(http.MethodPost, "/launches", drive{Course: "dask-101", Person: "s1", Misbehave: kind}, http.StatusOK, &out)
		return out.Status
	}
	if got := launch(""); got != http.StatusOK {
		t.Fatalf("honest: got %d", got)
	}
	for kind := range launchKinds {
		want := http.StatusUnauthorized
		if honest[kind] {
			want = http.StatusOK
		}
		if got := launch(kind); got != want {
			t.Errorf("%s: got %d; want %d", kind, got, want)
		}
	}
	s.do(http.MethodPost, "/misbehaviours", script{Kind: "expired", Times: 1}, http.StatusCreated, nil)
	if first, second := launch(""), launch(""); first != http.StatusUnauthorized || second != http.StatusOK {
		t.Errorf("scripted once: got %d, then %d", first, second)
	}
	s.do(http.MethodPost, "/misbehaviours", script{Kind: "nonsense"}, http.StatusBadRequest, nil)
}

func TestAuthorizeRefuses(t *testing.T) {
	s := newStage(t, "")
	good := func() url.Values {
		s.lms.mu.Lock()
		defer s.lms.mu.Unlock()
		form, err := s.lms.initiate("dask-101", "s1", inFrame, "")
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{
			"scope": {"openid"}, "response_type": {"id_token"}, "response_mode": {"form_post"}, "prompt": {"none"}, "client_id": {s.mine.ClientID},
			"redirect_uri": {s.tool.url + "/lti/launch"}, "login_hint": form.Values["login_hint"], "lti_message_hint": form.Values["lti_message_hint"],
			"state": {"a"}, "nonce": {random(8)},
		}
	}
	ask := func(q url.Values) (autoForm, error) {
		s.lms.mu.Lock()
		defer s.lms.mu.Unlock()
		return s.lms.answerLogin(q)
	}
	if form, err := ask(good()); err != nil || form.Values.Get("id_token") == "" || form.Values.Get("state") != "a" {
		t.Fatalf("honest: got %v, %v", form, err)
	}
	for _, c := range []struct{ name, value, want string }{
		{"client_id", "nobody", "refused"}, {"client_id", "", "refused"}, {"redirect_uri", "https://elsewhere.example/", "refused"},
		{"response_type", "code", "unsupported_response_type"}, {"response_mode", "query", "invalid_request"}, {"prompt", "login", "login_required"},
		{"scope", "profile", "invalid_scope"}, {"state", "", "invalid_request"}, {"nonce", "", "invalid_request"},
		{"login_hint", "made up", "login_required"}, {"lti_message_hint", "another", "invalid_request"},
	} {
		q := good()
		q.Set(c.name, c.value)
		form, err := ask(q)
		got := form.Values.Get("error")
		if err != nil {
			got = "refused"
		}
		if got != c.want || form.Values.Get("id_token") != "" {
			t.Errorf("%s %q: got %q, %v; want %s", c.name, c.value, got, form, c.want)
		}
	}
	again := good()
	if _, err := ask(again); err != nil {
		t.Fatal(err)
	}
	if form, err := ask(again); err != nil || form.Values.Get("error") != "invalid_request" {
		t.Errorf("a nonce twice: got %v, %v", form, err)
	}
}

// Keys that were rotated still verify; keys that were replaced do not.
func TestKeys(t *testing.T) {
	s := newStage(t, t.TempDir())
	before := s.lms.memory.Launch.Current
	var set struct{ Keys []struct{ Kid string } }
	has := func(kid string) bool {
		s.do(http.MethodGet, "/jwks", nil, http.StatusOK, &set)
		for _, k := range set.Keys {
			if k.Kid == kid {
				return true
			}
		}
		return false
	}
	next := s.lms.memory.Launch.Next.ID
	s.do(http.MethodPost, "/keys/launches/rotate", nil, http.StatusOK, nil)
	if !has(before.ID) || s.lms.memory.Launch.Current.ID != next {
		t.Errorf("after a rotation the old key is gone, or the announced one does not sign")
	}
	s.do(http.MethodPost, "/keys/launches/replace", nil, http.StatusOK, nil)
	if has(before.ID) || has(next) {
		t.Errorf("replaced keys are still served")
	}
	kept, err := openMemory(s.lms.cfg.StateDir)
	if err != nil || kept.Launch.Current.ID != s.lms.memory.Launch.Current.ID || len(kept.Courses) != 1 {
		t.Errorf("after a restart: got %+v, %v", kept, err)
	}
}
