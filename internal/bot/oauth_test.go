package bot

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// installable is a world whose bot other workspaces can install.
func installable(t *testing.T, trusted ...string) *world {
	t.Helper()
	w := newWorld(t)
	c := w.bot.clients.config
	c.Service, c.Directory, c.Log, c.SigningSecret, c.Now = w.service, directory{}, w.bot.log, environment.NewSecret(signingSecret), w.bot.now
	c.ClientID, c.ClientSecret, c.ExternalURL, c.Workspaces = "1.2", environment.NewSecret("client-secret"), "https://daskbot.example.edu", trusted
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w.bot = b
	return w
}

func (w *world) browse(path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return w.serve(r)
}

// begin an installation: the state it has, and the browser's cookies.
func (w *world) begin() (string, []*http.Cookie) {
	w.t.Helper()
	rec := w.browse("/slack/install")
	to, err := rec.Result().Location()
	if err != nil || rec.Code != http.StatusSeeOther {
		w.t.Fatalf("got %d, %v; want a redirect", rec.Code, err)
	}
	q := to.Query()
	if q.Get("redirect_uri") != "https://daskbot.example.edu/slack/oauth" || q.Get("client_id") != "1.2" || !strings.Contains(q.Get("scope"), "chat:write,im:write") {
		w.t.Errorf("sent to %s", to)
	}
	return q.Get("state"), rec.Result().Cookies()
}

func back(state, code string) string {
	return "/slack/oauth?" + url.Values{"state": {state}, "code": {code}}.Encode()
}

// install the app in T2.
func (w *world) install() {
	w.t.Helper()
	state, cookies := w.begin()
	if rec := w.browse(back(state, "good"), cookies...); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "Other &lt;College&gt;") {
		w.t.Fatalf("got %d %s; want installed", rec.Code, rec.Body)
	}
}

func (w *world) happens(team, kind, tokens string) {
	w.t.Helper()
	body := fmt.Sprintf(`{"type":"event_callback","team_id":%q,"event_id":%q,"event_time":%d,"event":{"type":%q,"tokens":%s}}`,
		team, environment.NewID(), w.now.Unix(), kind, tokens)
	if rec := w.serve(w.request("/slack/events", body)); rec.Code != http.StatusOK {
		w.t.Fatalf("%s: got %d %s", kind, rec.Code, rec.Body)
	}
}

func TestInstallationThatNobodyBegan(t *testing.T) {
	w := installable(t)
	state, cookies := w.begin()
	other := installable(t)
	other.bot.oauth.secret = environment.NewSecret("another")
	foreign, theirs := other.begin()
	old := w.bot.oauth.state(w.now.Add(-installFor))
	for name, tt := range map[string]struct {
		path    string
		cookies []*http.Cookie
	}{
		"no state":            {back("", "good"), cookies},
		"rubbish":             {back("!", "good"), cookies},
		"changed":             {back("AAAA"+state[4:], "good"), cookies},
		"signed by another":   {back(foreign, "good"), theirs},
		"too old":             {back(old, "good"), []*http.Cookie{{Name: stateCookie, Value: environment.HashToken(old)}}},
		"in another browser":  {back(state, "good"), nil},
		"of another browser":  {back(state, "good"), theirs},
		"the person said no":  {"/slack/oauth?error=access_denied&state=" + w.bot.oauth.state(w.now), nil},
		"no code, used state": {back(state, ""), cookies},
	} {
		if rec := w.browse(tt.path, tt.cookies...); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "Not installed") {
			t.Errorf("%s: got %d %s; want 400", name, rec.Code, rec.Body)
		}
	}
	if rec := w.browse(back(state, "good"), cookies...); rec.Code != http.StatusBadRequest {
		t.Errorf("a state used before: got %d; want 400", rec.Code)
	}
	if _, err := w.service.Workspace(t.Context(), "T2"); environment.CodeOf(err) != environment.CodeNotFound || w.slack.calls["oauth.v2.access"] != 0 {
		t.Errorf("got %v and %d exchanges; want nothing asked or stored", err, w.slack.calls["oauth.v2.access"])
	}
}

func TestRefusedCodeStoresNothing(t *testing.T) {
	w := installable(t)
	state, cookies := w.begin()
	rec := w.browse(back(state, "bad"), cookies...)
	if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "invalid_code") {
		t.Errorf("got %d %s; want 400", rec.Code, rec.Body)
	}
	if _, err := w.service.Workspace(t.Context(), "T2"); environment.CodeOf(err) != environment.CodeNotFound {
		t.Errorf("got %v; want nothing stored", err)
	}
}

func TestWithoutAClientThereIsOneWorkspace(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/slack/install", "/slack/oauth?code=good&state=x"} {
		if rec := w.browse(path); rec.Code != http.StatusNotFound {
			t.Errorf("%s: got %d; want 404", path, rec.Code)
		}
	}
}

func TestTwoWorkspaces(t *testing.T) {
	w := installable(t, "T2")
	w.install()
	w.deliver(strings.Replace(slashBody("U1", "up", "1.1"), "team_id=T1", "team_id=T2", 1))
	w.say("U2", "up")
	for _, e := range w.environments() {
		if _, err := w.tell(w.bot, e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := w.slack.tokens("chat.postMessage"), []string{"xoxb-T2", "xoxb-test"}; !slices.Equal(got, want) {
		t.Errorf("posted with %v; want %v", got, want)
	}
	w.happens("T2", "tokens_revoked", `{"oauth":["U1"],"bot":[]}`)
	if _, err := w.bot.client(t.Context(), "T2"); err != nil {
		t.Errorf("a person's token was revoked: got %v; want nothing changed", err)
	}

	w.happens("T2", "app_uninstalled", `{}`)
	w.happens("T2", "tokens_revoked", `{"bot":["U9"]}`)
	posted := len(w.slack.messages)
	for _, e := range w.environments() {
		w.become(e.ID, func(e *environment.Environment) {
			e.State, e.Failure = environment.StateFailed, &environment.Failure{Message: "No.", At: w.now}
		})
		_, err := w.tell(w.bot, e.ID)
		if there := e.Owner == "u1@uni.edu"; there != (err != nil) || there && environment.Retryable(err) {
			t.Errorf("told %s: %v; want a lasting error for the workspace that left, none for the other", e.Owner, err)
		}
	}
	if got := len(w.slack.messages) - posted; got != 1 {
		t.Errorf("got %d messages; want one, in the workspace that stays", got)
	}
	if team, err := w.service.Workspace(t.Context(), "T2"); !team.Token.IsZero() || err != nil {
		t.Errorf("the token is still kept, %v", err)
	}

	w.now = w.now.Add(time.Minute)
	w.install()
	w.now = w.now.Add(-time.Minute) // the news of before comes again
	w.happens("T2", "app_uninstalled", `{}`)
	if _, err := w.bot.client(t.Context(), "T2"); err != nil {
		t.Errorf("installed again: got %v", err)
	}
}

// TestLinkedToAnotherAccount: what was said in the first workspace cannot be
// edited from the second, and is none of its business.
func TestLinkedToAnotherAccount(t *testing.T) {
	w := installable(t, "T2")
	w.install()
	w.say("U1", "up")
	id := w.environments()[0].ID
	if _, err := w.tell(w.bot, id); err != nil {
		t.Fatal(err)
	}
	p, err := w.store.Person(t.Context(), "u1@uni.edu")
	if err != nil {
		t.Fatal(err)
	}
	p.SlackID = "T2:U7"
	if err := w.store.Commit(t.Context(), environment.Change{Person: &p}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.tell(w.bot, id); err != nil {
		t.Fatal(err)
	}
	if old, now := w.slack.texts("D1"), w.slack.texts("D7"); len(old) != 1 || len(now) != 1 {
		t.Errorf("got %d and %d messages; want one to each account", len(old), len(now))
	}
}

// TestAWorkspaceThatIsNotTrusted: those who run it could give themselves
// anybody's e-mail address.
func TestAWorkspaceThatIsNotTrusted(t *testing.T) {
	w := installable(t)
	w.install()
	got := w.deliver(strings.Replace(slashBody("UTEACHER", "up", "1.1"), "team_id=T1", "team_id=T2", 1))
	if !strings.Contains(got, "/dask link CODE") || len(w.environments()) != 0 {
		t.Errorf("got %q and %d environments; want to be asked for a code", got, len(w.environments()))
	}
}

func TestTheConfiguredWorkspaceLeaves(t *testing.T) {
	w := newWorld(t)
	w.happens("T1", "app_uninstalled", `{}`)
	if _, err := w.bot.client(t.Context(), "T1"); environment.CodeOf(err) != environment.CodeForbidden {
		t.Errorf("got %v; want forbidden", err)
	}
	w.bot.clients.config.BotToken = environment.NewSecret("xoxb-new")
	if api, err := w.bot.client(t.Context(), "T1"); err != nil || api != w.bot.api {
		t.Errorf("with a new token in the configuration: got %v", err)
	}
}

// access is oauth.v2.access, which knows one code.
func access(form url.Values) map[string]any {
	if form.Get("code") != "good" || form.Get("client_secret") != "client-secret" {
		return map[string]any{"ok": false, "error": "invalid_code"}
	}
	return map[string]any{"ok": true, "access_token": "xoxb-T2", "team": map[string]string{"id": "T2", "name": "Other <College>"}}
}

// tokens lists the tokens a method was called with.
func (s *slackServer) tokens(method string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := slices.Clone(s.used[method])
	slices.Sort(got)
	return slices.Compact(got)
}

func TestManifestNamesTheRedirect(t *testing.T) {
	const want = "oauth_config:\n  redirect_urls:\n    - https://x.edu/slack/oauth\n  scopes:\n"
	if got := Manifest("https://x.edu", "https://x.edu/slack/oauth"); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant in it\n%s", got, want)
	}
	if got := Manifest("", ""); strings.Contains(got, "redirect_urls") {
		t.Errorf("got a redirect without a client id:\n%s", got)
	}
}

func TestTokensAreNotSaid(t *testing.T) {
	text, err := json.Marshal(environment.Workspace{Team: "T2", Token: environment.NewSecret("xoxb-T2")})
	if err != nil || strings.Contains(string(text), "xoxb") {
		t.Errorf("got %s, %v", text, err)
	}
}
