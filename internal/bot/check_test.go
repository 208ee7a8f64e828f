package bot

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

const everyScope = "commands,chat:write,im:write,im:history,users:read,users:read.email"

// TestCheckSaysWhatIsMissing: one thing is wrong at a time, and named.
func TestCheckSaysWhatIsMissing(t *testing.T) {
	daskbot := newWorld(t).bot // the one that runs
	here := httptest.NewServer(daskbot.Handler())
	defer here.Close()
	nobody := httptest.NewServer(http.NotFoundHandler())
	gone := nobody.URL
	nobody.Close()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	for _, tt := range []struct {
		name   string
		change func(*Config)
		scopes string
		refuse string // a method that Slack refuses
		want   string
		ok     bool
	}{
		{name: "nothing", want: "takes the signing secret", ok: true},
		{name: "the token", refuse: "auth.test", want: "The bot token does not work: invalid_auth"},
		{name: "a scope", scopes: strings.ReplaceAll(everyScope, ",im:history", ""), want: "The scope im:history is missing"},
		{name: "both secrets", change: func(c *Config) { c.SigningSecret = environment.Secret{} }, want: "neither a signing secret nor an app-level token"},
		{name: "the secret is another", change: func(c *Config) { c.SigningSecret = environment.NewSecret("another") }, want: "does not take the signing secret"},
		{name: "nothing runs", change: func(c *Config) { c.ExternalURL = gone }, want: "Nothing answers at " + gone, ok: true},
		{name: "somebody else's address", change: func(c *Config) { c.ExternalURL = elsewhere.URL }, want: "answers 404 and is not daskbot"},
		{name: "no socket", change: func(c *Config) { c.AppToken = environment.NewSecret("xapp-1") }, refuse: "apps.connections.open", want: "Socket Mode does not work: invalid_auth"},
		{name: "a socket", change: func(c *Config) { c.AppToken = environment.NewSecret("xapp-1") }, want: "Socket Mode works.", ok: true},
		{name: "the client secret", change: func(c *Config) { c.ClientID, c.ClientSecret = "1.2", environment.NewSecret("x") }, refuse: "oauth.v2.access", want: "client id and secret do not work"},
		{name: "other workspaces", change: func(c *Config) { c.ClientID, c.ClientSecret = "1.2", environment.NewSecret("x") }, want: "/slack/install", ok: true},
	} {
		if tt.scopes == "" {
			tt.scopes = everyScope
		}
		api := httptest.NewServer(checked(tt.scopes, tt.refuse))
		c := Config{BotToken: environment.NewSecret("xoxb-1"), SigningSecret: environment.NewSecret(signingSecret), APIURL: api.URL + "/", ExternalURL: here.URL}
		if tt.change != nil {
			tt.change(&c)
		}
		wantFinding(t, tt.name, Check(t.Context(), c), tt.want, tt.ok)
		api.Close()
	}
}

// wantFinding looks for a sentence, and that all is well but for that.
func wantFinding(t *testing.T, name string, findings []Finding, want string, ok bool) {
	t.Helper()
	found := false
	for _, f := range findings {
		switch {
		case strings.Contains(f.Sentence, want):
			found = true
			if (f.OK || f.Later) != ok {
				t.Errorf("%s: got %+v; want it to be well: %v", name, f, ok)
			}
		case !f.OK:
			t.Errorf("%s: got %q too", name, f.Sentence)
		}
	}
	if !found {
		t.Errorf("%s: got %+v; want %q", name, findings, want)
	}
}

// checked is Slack as far as Check asks it.
func checked(scopes, refuse string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-OAuth-Scopes", scopes)
		reply := map[string]any{"ok": true, "user": "daskbot", "team": "A class", "url": "wss://slack.test/"}
		switch method := strings.TrimPrefix(r.URL.Path, "/"); {
		case method == refuse:
			reply = map[string]any{"ok": false, "error": "invalid_auth"}
		case method == "oauth.v2.access":
			reply = map[string]any{"ok": false, "error": "invalid_code"}
		}
		_ = json.NewEncoder(w).Encode(reply)
	})
}

// TestSlackCallsOnlyWithTLS: the address that the configuration makes up when
// none is given is no address for Slack.
func TestSlackCallsOnlyWithTLS(t *testing.T) {
	for address, want := range map[string]string{"": "is not set", "http://127.0.0.1:8080": "is http://127.0.0.1:8080"} {
		f := reached(t.Context(), Config{SigningSecret: environment.NewSecret(signingSecret), ExternalURL: address}, nil)
		if f.OK || f.Later || !strings.Contains(f.Sentence, want) || !strings.Contains(f.Sentence, "https only") {
			t.Errorf("%q: got %+v; want a refusal", address, f)
		}
	}
}
