package bot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

const signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// posted is a message in the Slack of a test.
type posted struct {
	Channel, TS, Text string
	Metadata          json.RawMessage
	Blocks            string
	Edits             int
}

// slackServer plays the part of Slack's Web API that the bot calls. fault, if
// it writes an answer, takes the place of a method's own.
type slackServer struct {
	mu       sync.Mutex
	messages []*posted
	answers  []string // to response_urls
	views    []string // modals that were opened
	homes    map[string]string
	members  int // that users.list knows: UM0, UM1, …
	calls    map[string]int
	used     map[string][]string // tokens, by method
	fault    func(method string, w http.ResponseWriter) (struck bool)
	socket   string // where Socket Mode connects to
	// lose makes the next post arrive without its reply.
	lose bool
}

func (s *slackServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	method := strings.TrimPrefix(r.URL.Path, "/")
	s.calls[method]++
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = r.Form.Get("token")
	}
	s.used[method] = append(s.used[method], token)
	if s.fault != nil && s.fault(method, w) {
		return
	}
	s.serve(method, w, r)
}

func (s *slackServer) serve(method string, w http.ResponseWriter, r *http.Request) {
	reply := map[string]any{"ok": true}
	switch method {
	case "chat.postMessage":
		m := &posted{Channel: "D" + strings.TrimLeft(r.Form.Get("channel"), "DU"), TS: fmt.Sprintf("1700000000.%06d", len(s.messages)),
			Text: r.Form.Get("text"), Blocks: r.Form.Get("blocks"),
			Metadata: json.RawMessage(r.Form.Get("metadata"))}
		s.messages = append(s.messages, m)
		if s.lose {
			s.lose = false
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		reply["channel"], reply["ts"] = m.Channel, m.TS
	case "chat.update":
		for _, m := range s.messages {
			if m.TS == r.Form.Get("ts") {
				m.Text, m.Blocks, m.Edits = r.Form.Get("text"), r.Form.Get("blocks"), m.Edits+1
			}
		}
		reply["channel"], reply["ts"] = r.Form.Get("channel"), r.Form.Get("ts")
	case "users.info":
		reply["user"] = user(r.Form.Get("user"))
	case "users.list":
		reply["members"], reply["response_metadata"] = s.page(r.Form.Get("limit"), r.Form.Get("cursor"))
	case "views.open":
		s.views = append(s.views, string(jsonOf(r).View))
	case "views.publish":
		said := jsonOf(r)
		s.homes[said.User] = string(said.View)
	case "conversations.open":
		reply["channel"] = map[string]string{"id": "D" + strings.TrimLeft(r.Form.Get("users"), "U")}
	case "conversations.history":
		var found []map[string]any
		for _, m := range s.messages {
			if m.Channel == r.Form.Get("channel") {
				found = append(found, map[string]any{"ts": m.TS, "text": m.Text, "metadata": m.Metadata})
			}
		}
		reply["messages"] = found
	case "apps.connections.open":
		reply["url"] = s.socket
	case "oauth.v2.access":
		reply = access(r.Form)
	case "response":
		var a answer
		_ = json.NewDecoder(r.Body).Decode(&struct{ Text *string }{&a.Text})
		s.answers = append(s.answers, a.Text)
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// viewCall is a method about a view, which takes JSON.
type viewCall struct {
	User string          `json:"user_id"`
	View json.RawMessage `json:"view"`
}

func jsonOf(r *http.Request) (said viewCall) {
	_ = json.NewDecoder(r.Body).Decode(&said)
	return said
}

// page of the members, from the cursor on.
func (s *slackServer) page(limit, cursor string) ([]any, map[string]string) {
	most, _ := strconv.Atoi(limit)
	from, _ := strconv.Atoi(cursor)
	to, next := min(from+most, s.members), ""
	if to < s.members {
		next = strconv.Itoa(to)
	}
	members := []any{}
	for i := from; i < to; i++ {
		members = append(members, user("UM"+strconv.Itoa(i)))
	}
	return members, map[string]string{"next_cursor": next}
}

// user is what Slack says about one.
func user(id string) map[string]any {
	return map[string]any{"id": id, "tz": "Europe/Paris", "is_email_confirmed": true, "profile": map[string]string{"email": strings.ToLower(id) + "@uni.edu"}}
}

func (s *slackServer) texts(channel string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.messages {
		if m.Channel == channel {
			out = append(out, m.Text)
		}
	}
	return out
}

func (s *slackServer) strike(fault func(method string, w http.ResponseWriter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// world is a bot with a real store, on a Slack of its own.
type world struct {
	t       *testing.T
	bot     *Bot
	store   environment.Store
	service *environment.Service
	slack   *slackServer
	url     string
	now     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, slack: &slackServer{calls: map[string]int{}, used: map[string][]string{}, homes: map[string]string{}}, now: time.Now().UTC().Truncate(time.Millisecond)}
	server := httptest.NewServer(w.slack)
	t.Cleanup(server.Close)
	w.url = server.URL + "/"
	w.store = storetest.Open(t)
	w.service = environment.NewService(environment.ServiceConfig{Store: w.store, Feed: &environment.Feed{}, Catalogue: catalogue{}, Roster: catalogue{},
		Installation: "test", Now: func() time.Time { return w.now }})
	w.bot = w.newBot()
	return w
}

// newBot is another process on the same store and Slack.
func (w *world) newBot() *Bot {
	b, err := New(Config{Service: w.service, Directory: directory{}, SigningSecret: environment.NewSecret(signingSecret),
		BotToken: environment.NewSecret("xoxb-test"), APIURL: w.url, Admit: true, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
		Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// request signs a body as Slack does.
func (w *world) request(path, body string) *http.Request {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", at)
	r.Header.Set("X-Slack-Signature", sign(at, body))
	return r
}

func sign(at, body string) string {
	mac := hmac.New(sha256.New, []byte(signingSecret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", at, body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.bot.Handler().ServeHTTP(rec, r)
	return rec
}

func slashBody(user, text, trigger string) string {
	return url.Values{"team_id": {"T1"}, "user_id": {user}, "command": {"/dask"}, "text": {text}, "trigger_id": {trigger}}.Encode()
}

// say types a command and returns the answer's text.
func (w *world) say(user, text string) string {
	w.t.Helper()
	return w.deliver(slashBody(user, text, environment.NewID()))
}

func (w *world) deliver(body string) string {
	w.t.Helper()
	rec := w.serve(w.request("/slack/commands", body))
	var a struct {
		ResponseType string `json:"response_type"`
		Text         string `json:"text"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code != http.StatusOK || a.ResponseType != "ephemeral" {
		w.t.Fatalf("got %d %q, %v; want an ephemeral answer", rec.Code, rec.Body, err)
	}
	return a.Text
}

// click a button; responseURL is "" on the home tab.
func (w *world) click(user, action, value, responseURL string) {
	w.t.Helper()
	w.interact(clickBody(user, action, value, responseURL, environment.NewID()))
}

func clickBody(user, action, value, responseURL, trigger string) map[string]any {
	return map[string]any{"type": clicked, "team": map[string]string{"id": "T1"}, "user": map[string]string{"id": user}, "trigger_id": trigger,
		"response_url": responseURL, "actions": []any{map[string]string{"action_id": action, "value": value, "action_ts": "1.5"}}}
}

// interact delivers an interaction and returns the acknowledgement.
func (w *world) interact(payload map[string]any) string {
	w.t.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	rec := w.serve(w.request("/slack/interactions", url.Values{"payload": {string(text)}}.Encode()))
	if rec.Code != http.StatusOK {
		w.t.Fatalf("got %d %s; want 200", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// finish what was put off.
func (w *world) finish() {
	w.t.Helper()
	for {
		select {
		case f := <-w.bot.later:
			w.now = w.now.Add(perChannel) // one message after the other
			f(w.t.Context())
		default:
			return
		}
	}
}

// last message that was posted.
func (w *world) last() posted {
	w.t.Helper()
	w.slack.mu.Lock()
	defer w.slack.mu.Unlock()
	if len(w.slack.messages) == 0 {
		w.t.Fatal("nothing was posted")
	}
	return *w.slack.messages[len(w.slack.messages)-1]
}

func (w *world) environments() []environment.Environment {
	w.t.Helper()
	items, _, err := w.store.Environments(w.t.Context(), environment.Filter{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

// become writes what the runner would.
func (w *world) become(id string, edit func(*environment.Environment), events ...environment.Event) {
	w.t.Helper()
	e, err := w.store.Environment(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	edit(&e)
	for i := range events {
		events[i].Environment, events[i].At = id, w.now
	}
	if err := w.store.Commit(w.t.Context(), environment.Change{Environment: &e, Events: events}); err != nil {
		w.t.Fatal(err)
	}
}

// tell is what the outbox does with one environment, with a memory that lasts
// as long as the store.
func (w *world) tell(b *Bot, id string) (time.Duration, error) {
	w.t.Helper()
	ctx := w.t.Context()
	e, err := w.store.Environment(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	note, _ := w.store.Note(ctx, "told/"+id)
	note.Key = "told/" + id
	return b.Tell(ctx, e, note.Value, func(ctx context.Context, memory string) error {
		note.Value = memory
		err := w.store.Commit(ctx, environment.Change{Note: &note})
		note.Version++
		return err
	})
}

type directory struct{}

func (directory) Caller(subject string) environment.Caller {
	if subject == "uteacher@uni.edu" {
		return environment.Caller{Subject: subject, Role: environment.RoleStaff, Courses: []string{"ml"}}
	}
	return environment.Caller{Subject: subject, Role: environment.RoleStudent}
}

func (directory) DefaultCourse(string) string { return "ml" }

type catalogue struct{}

func (catalogue) Profile(name string) (environment.Profile, bool) {
	return environment.Profile{Name: name, Title: "Dask for one person", Packages: true, Workers: environment.Workers{Default: 2, Max: 8},
		Access: environment.Access{Kind: environment.AccessJupyterHub}}, name == "daskhub" || name == "dask"
}

func (c catalogue) Profiles() []environment.Profile {
	a, _ := c.Profile("dask")
	b, _ := c.Profile("daskhub")
	return []environment.Profile{a, b}
}
func (catalogue) DefaultProfile() string { return "daskhub" }
func (catalogue) Project() string        { return "class-project" }
func (catalogue) Policy() environment.Policy {
	return environment.Policy{TTL: 4 * time.Hour, MaxTTL: 12 * time.Hour, Extension: 4 * time.Hour, MaxPerOwner: 3}
}

// Class is the one course there is.
func (catalogue) Class(_ context.Context, id string) (environment.Course, error) {
	if id != "ml" {
		return environment.Course{}, environment.Errorf(environment.CodeNotFound, "There is no such course.")
	}
	return environment.Course{ID: "ml", Staff: []string{"uteacher@uni.edu"}, Origin: environment.OriginConfiguration}, nil
}

func (c catalogue) Classes(ctx context.Context) ([]environment.Course, error) {
	ml, err := c.Class(ctx, "ml")
	return []environment.Course{ml}, err
}
