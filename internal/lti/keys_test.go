package lti

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/daskbot/daskbot/internal/environment"
)

func (w *world) toolKeys(t *testing.T) jose.JSONWebKeySet {
	t.Helper()
	rec := w.send(w.tool, http.MethodGet, jwksPath, nil)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("got %d %s: %v", rec.Code, rec.Body, err)
	}
	for _, key := range set.Keys {
		if !key.IsPublic() || key.Algorithm != "RS256" || key.KeyID == "" {
			t.Errorf("published: %+v", key)
		}
	}
	return set
}

func (w *world) signedBy(t *testing.T) string {
	t.Helper()
	token, err := w.tool.sign(t.Context(), map[string]any{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	return jws.Signatures[0].Header.KeyID
}

// TestKeysRotate: a new key is published for a day before it is used, and the
// old one stays for a week after.
func TestKeysRotate(t *testing.T) {
	w := newWorld(t)
	first := w.toolKeys(t).Keys[0].KeyID
	if got := w.signedBy(t); got != first {
		t.Errorf("signed by %s; want %s, the only one", got, first)
	}
	w.tool = w.newTool() // another replica has the same
	if got := w.toolKeys(t).Keys; len(got) != 1 || got[0].KeyID != first {
		t.Errorf("another replica: got %v", got)
	}
	w.now = w.now.Add(keyLasts)
	set := w.toolKeys(t).Keys
	if len(set) != 2 || w.signedBy(t) != first {
		t.Errorf("due: got %d keys, signed by %s; want both, and the old one at work", len(set), w.signedBy(t))
	}
	second := set[0].KeyID
	w.now = w.now.Add(keySettles + time.Second)
	if got := w.signedBy(t); got != second || len(w.toolKeys(t).Keys) != 2 {
		t.Errorf("a day later: signed by %s; want %s", got, second)
	}
	w.now = w.now.Add(keyLingers)
	if got := w.toolKeys(t).Keys; len(got) != 1 || got[0].KeyID != second {
		t.Errorf("a week later: got %v; want the new one", got)
	}
}

func TestKeysAreKeptAsASecret(t *testing.T) {
	w := newWorld(t)
	w.toolKeys(t)
	note, err := w.store.Note(t.Context(), ringNote)
	if err != nil || note.Value != "" || note.Secret.IsZero() {
		t.Errorf("got %+v, %v; want all of it in the secret part", note, err)
	}
}

func TestTheConfigurationForPlatforms(t *testing.T) {
	w := newWorld(t)
	rec := w.send(w.tool, http.MethodGet, configPath, nil)
	var got map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("got %s: %v", rec.Body, err)
	}
	for key, want := range map[string]string{"oidc_initiation_url": home + loginPath, "target_link_uri": home + launchPath, "public_jwk_url": home + jwksPath} {
		if got[key] != want {
			t.Errorf("%s: got %v; want %s", key, got[key], want)
		}
	}
	if strings.Contains(rec.Body.String(), "PRIVATE") {
		t.Error("it holds a private key")
	}
}

func TestWhatIsNeededToBegin(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]Config{
		"no address": {Service: w.service, Store: w.store, Log: w.tool.log},
		"no service": {ExternalURL: home, Store: w.store, Log: w.tool.log},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	for path, want := range map[string]int{launchPath: 400, "/lti/assets/lti.js": 200, "/lti/assets/lti.css": 200, "/lti/assets/none": 404, "/lti/none": 404} {
		if rec := w.send(w.tool, http.MethodGet, path, nil); rec.Code != want {
			t.Errorf("GET %s: got %d; want %d", path, rec.Code, want)
		}
	}
	if code := environment.CodeOf(unproved("x")); code != environment.CodeUnauthorized {
		t.Errorf("got %s", code)
	}
}
