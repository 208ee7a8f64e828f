package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
)

// stage is an emulator with an app that tests script.
type stage struct {
	t       *testing.T
	slack   *Emulator
	base    string // ends in /slack
	api     *slackgo.Client
	app     *app
	faults  *faults
	people  map[string]string // ids by name
	rooms   map[string]string // ids by name
	team    string
	secrets Credentials
}

// app plays the app: it checks signatures with the real client's verifier and
// answers what the test says.
type app struct {
	mu     sync.Mutex
	secret string
	answer func(kind string, form url.Values, body []byte) (int, string)
	seen   chan received
}

type received struct {
	kind   string
	form   url.Values
	body   []byte
	header http.Header
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	verifier, err := slackgo.NewSecretsVerifier(r.Header, a.secret)
	if err == nil {
		_, _ = verifier.Write(body)
		err = verifier.Ensure()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	form, _ := url.ParseQuery(string(body))
	kind := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	a.mu.Lock()
	answer := a.answer
	a.mu.Unlock()
	status, said := http.StatusOK, ""
	if answer != nil {
		status, said = answer(kind, form, body)
	}
	a.seen <- received{kind, form, body, r.Header}
	if strings.HasPrefix(said, "{") {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, said)
}

func (a *app) say(status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = func(string, url.Values, []byte) (int, string) { return status, body }
}

// faults are those a test scripts, each once.
type faults struct {
	mu  sync.Mutex
	all map[string]Fault
}

func (f *faults) add(kind, method string, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all[kind+" "+method] = fault
}

func (f *faults) take(kind, method, _ string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault, ok := f.all[kind+" "+method]
	delete(f.all, kind+" "+method)
	return fault, ok
}

func newStage(t *testing.T, dir string) *stage {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String() + "/slack"
	app := &app{seen: make(chan received, 100)}
	listening := httptest.NewServer(app)
	t.Cleanup(listening.Close)
	scripted := &faults{all: map[string]Fault{}}
	e, err := Open(Config{StateDir: dir, URL: base, AppURL: listening.URL, Faults: scripted.take, Patience: time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server.Config.Handler = e
	server.Config.BaseContext = nil
	server.Start()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	s := &stage{t: t, slack: e, base: base, app: app, faults: scripted, people: map[string]string{}, rooms: map[string]string{}, secrets: e.Credentials()}
	app.secret = s.secrets.SigningSecret
	s.team = s.secrets.Team
	s.api = slackgo.New(s.secrets.BotToken, slackgo.OptionAPIURL(s.secrets.API), slackgo.OptionAppLevelToken(s.secrets.AppToken))
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.first().People {
		s.people[p.Name] = p.ID
	}
	for _, c := range e.first().Channels {
		s.rooms[c.Name] = c.ID
	}
	return s
}

// grant gives the app more scopes.
func (s *stage) grant(scopes ...string) {
	s.t.Helper()
	s.control(http.MethodPost, "/app", appChange{Scopes: append(scopes, manifest.scopes...)}, http.StatusOK, nil)
}

// control sends a request to the page's and tests' own API.
func (s *stage) control(method, path string, body any, want int, into any) {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != want {
		s.t.Fatalf("%s %s: got %s: %s; want %d", method, path, resp.Status, answer, want)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

func (s *stage) do(kind string, d deed) deedResult {
	s.t.Helper()
	var out deedResult
	s.control(http.MethodPost, "/do/"+kind, d, http.StatusOK, &out)
	return out
}

// messages lists what a person can read of a channel.
func (s *stage) messages(user string) []shownMessage {
	s.t.Helper()
	var all []shownMessage
	s.control(http.MethodGet, "/messages?user="+s.people[user], nil, http.StatusOK, &all)
	return all
}

func (s *stage) next() received {
	s.t.Helper()
	select {
	case r := <-s.app.seen:
		return r
	case <-time.After(time.Minute):
		s.t.Fatal("the app got nothing")
		return received{}
	}
}
