package e2e

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// storeKey encrypts what this story keeps; it opens nothing else.
const storeKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// TestSlackInAnotherWorkspace installs the app in a second workspace as a
// person does in a browser, uses it there, and takes it away again.
func TestSlackInAnotherWorkspace(t *testing.T) {
	t.Parallel()
	w := newUnstarted(t)
	var first struct {
		Credentials struct{ BotToken, SigningSecret, API, ClientID, ClientSecret string }
	}
	at := map[string]any{"url": "http://" + w.addr, "retries": []string{"1s", "1s", "1s"}}
	if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/app", at, &first); err != nil {
		t.Fatal(err)
	}
	app := first.Credentials
	w.extra = []string{"SLACK_BOT_TOKEN=" + app.BotToken, "SLACK_SIGNING_SECRET=" + app.SigningSecret, "SLACK_API_URL=" + app.API,
		"SLACK_CLIENT_ID=" + app.ClientID, "SLACK_CLIENT_SECRET=" + app.ClientSecret, "DASKBOT_STORE_KEY=" + storeKey}
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var college struct{ Workspace struct{ ID string } }
	second := map[string]any{"domain": w.project + "-college", "name": "A college", "sameApp": true}
	if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/workspaces", second, &college); err != nil {
		t.Fatal(err)
	}
	team := college.Workspace.ID
	w.workspace = team

	w.install(t, team)
	w.types(t, "s1", "/dask up dask")
	w.answers(t, "s1", "I do not know you yet")
	w.types(t, "s1", "/dask link "+w.linkCode(t, "student-1"))
	w.answers(t, "s1", "knows you as `student-1`")
	w.types(t, "s1", "/dask up dask")
	w.wantTold(t, "s1", "progress", "ready")
	w.tokenKept(t, team, true)

	removed, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, stage.sandbox.url+"/slack/workspaces/"+team+"/app", nil)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := patient.Do(removed)
	if err != nil || gone.StatusCode != http.StatusNoContent {
		t.Fatalf("remove the app: %v, %v", gone, err)
	}
	gone.Body.Close()
	w.wantLogged(t, "slack has taken back the app's access")
	w.tokenKept(t, team, false)
	id, _ := w.only(t, "student-1")
	w.mustAsk(t.Context(), t, http.MethodDelete, "environments/"+id, nil, nil)
	w.mustAwait(t, id, "deleted") // its owner can be told nothing, and it goes all the same

	w.install(t, team)
	w.types(t, "s1", "/dask up dask")
	w.wantWords(t, "s1", "is ready", "is ready", "is ready", "is ready")
}

// install walks through Slack's page in a browser with cookies.
func (w *world) install(t *testing.T, team string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	person := &http.Client{Jar: jar, Timeout: time.Minute}
	page, at := w.visit(t, person, http.MethodGet, "http://"+w.addr+"/slack/install", nil)
	if !strings.Contains(page, "is asking to be installed") {
		t.Fatalf("the page at %s says %s", at, page)
	}
	page, at = w.visit(t, person, http.MethodPost, at, url.Values{"team": {team}, "answer": {"allow"}})
	if !strings.Contains(page, "is installed in A college") {
		t.Fatalf("the page at %s says %s", at, page)
	}
	if page, _ = w.visit(t, person, http.MethodGet, at, nil); !strings.Contains(page, "Not installed") {
		t.Errorf("the same address once more says %s", page)
	}
}

// visit returns what a browser shows in the end, and where.
func (w *world) visit(t *testing.T, person *http.Client, method, address string, form url.Values) (page, at string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := person.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), resp.Request.URL.String()
}

// answers waits for the last answer that only a person sees.
func (w *world) answers(t *testing.T, person, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := ""
	err := until(ctx, "wait for the answer to "+person, func() (bool, error) {
		var all []struct{ Text, For string }
		query := url.Values{"team": {w.workspace}, "channel": {"general"}}
		if err := stage.sandbox.ask(ctx, http.MethodGet, "/slack/messages?"+query.Encode(), nil, &all); err != nil {
			return false, err
		}
		for _, m := range all {
			if m.For != "" {
				last = m.Text
			}
		}
		return strings.Contains(last, want), nil
	})
	if err != nil {
		t.Fatalf("%v: %s reads %q; want %q", err, person, last, want)
	}
}

func (w *world) linkCode(t *testing.T, subject string) string {
	t.Helper()
	var link struct{ Code string }
	w.mustAsk(t.Context(), t, http.MethodPost, "people/"+subject+"/slack-code", nil, &link)
	return link.Code
}

// wantLogged waits for a line in the daemon's log.
func (w *world) wantLogged(t *testing.T, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := until(ctx, "wait until the daemon logs "+line, func() (bool, error) {
		text, err := os.ReadFile(w.daemon.log)
		return strings.Contains(string(text), line), err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tokenKept looks into the daemon's store, which it stops for that, whether
// there is a token of a team.
func (w *world) tokenKept(t *testing.T, team string, want bool) {
	t.Helper()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if has, err := w.storedToken(t.Context(), team); has != want || err != nil {
		t.Errorf("a token of %s is kept: %v, %v; want %v", team, has, err, want)
	}
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) storedToken(ctx context.Context, team string) (bool, error) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	s, err := store.Open(ctx, store.Config{URL: "sqlite:" + w.dir + "/daskbot.db", Key: key, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return false, err
	}
	defer s.Close()
	at, err := environment.NewService(environment.ServiceConfig{Store: s}).Workspace(ctx, team)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return false, nil
	}
	return !at.Token.IsZero(), err
}
