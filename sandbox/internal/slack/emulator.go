package slack

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// Fault is a scripted misbehaviour that strikes now.
type Fault struct {
	Delay time.Duration // 0: the kind's own
}

// Kinds of faults. The method is that of the Web API, or response_url.
const (
	Fault429  = "slack-429"  // ratelimited, with Retry-After
	Fault500  = "slack-500"  // no JSON, as when Slack is down
	FaultHang = "slack-hang" // no answer for a while, then a dropped connection
	FaultLost = "slack-lost" // the same, but the method is carried out first
)

// Config is what an Emulator needs.
type Config struct {
	StateDir      string // "" keeps everything in memory
	URL           string // under which clients reach ServeHTTP, ends in /slack
	SigningSecret string // of the first app; "" draws one
	AppURL        string // where the first app listens; "" keeps what was set before
	// Patience is for stories that are about anything but time, on a machine
	// that may have none; 0 is Slack's own.
	Patience time.Duration
	// Faults tells and uses up the fault of a kind that strikes a method in
	// the workspace of a domain. Nil means there are none.
	Faults func(kind, method, domain string) (Fault, bool)
	Log    *slog.Logger
}

// Emulator is the emulated Slack. Its methods are safe for concurrent use.
type Emulator struct {
	cfg    Config
	client *http.Client
	routes http.Handler

	mu       sync.Mutex
	memory   *memory
	limits   *limits
	lastTS   time.Time
	triggers map[string]*trigger
	hooks    map[string]*hook
	modals   map[string][]*View // by person, lowest first
	codes    map[string]grant
	sockets  map[string][]*connection // by app
	tickets  map[string]string        // of connections not yet made, to the app
	watchers map[*watcher]struct{}
	log      deliveries

	pending chan event
}

// Open reads the state and makes the emulator. The first start makes one app
// and two workspaces: one with the app installed, and one to install it in.
// An error says which file is not readable or writable.
func Open(cfg Config) (*Emulator, error) {
	m, err := openMemory(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	if cfg.Patience <= 0 {
		cfg.Patience = Patience
	}
	if cfg.Faults == nil {
		cfg.Faults = func(string, string, string) (Fault, bool) { return Fault{}, false }
	}
	e := &Emulator{
		cfg: cfg, memory: m, limits: newLimits(), triggers: map[string]*trigger{}, hooks: map[string]*hook{},
		modals: map[string][]*View{}, codes: map[string]grant{}, sockets: map[string][]*connection{}, tickets: map[string]string{},
		watchers: map[*watcher]struct{}{}, pending: make(chan event, 10_000), client: newClient(),
	}
	e.routes = e.newRoutes()
	if err := e.found(); err != nil {
		return nil, err
	}
	return e, nil
}

// found makes what the first start needs, and moves the app to the address
// that the configuration gives.
func (e *Emulator) found() error {
	if len(e.memory.order) == 0 {
		app := newApp("daskbot")
		if e.cfg.SigningSecret != "" {
			app.SigningSecret = e.cfg.SigningSecret
		}
		demo := newWorkspace("sandbox-university", "Sandbox University", "sandbox-university.example", app.ID)
		other := newWorkspace("other-college", "Other College", "other-college.example", app.ID)
		demo.install(app.Scopes)
		for _, r := range []record{{App: app}, {Workspace: demo}, {Workspace: other}} {
			if err := e.memory.keep(r); err != nil {
				return fmt.Errorf("state of Slack: %w", err)
			}
		}
	}
	if e.cfg.AppURL == "" {
		return nil
	}
	app := *e.memory.apps[e.first().App]
	app.URL = e.cfg.AppURL
	return e.memory.keep(record{App: &app})
}

// first is the workspace that a request which names none means.
func (e *Emulator) first() *Workspace { return e.memory.workspaces[e.memory.order[0]] }

// Credentials are what the developer of the first app copies from Slack.
type Credentials struct {
	Team          string `json:"team"`
	BotToken      string `json:"botToken"`
	AppToken      string `json:"appToken"`
	SigningSecret string `json:"signingSecret"`
	ClientID      string `json:"clientId"`
	ClientSecret  string `json:"clientSecret"`
	AppID         string `json:"appId"`
	API           string `json:"api"` // base URL of the Web API, ends in /
}

// Credentials returns those of the first workspace.
func (e *Emulator) Credentials() Credentials {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.credentials(e.first())
}

func (e *Emulator) credentials(w *Workspace) Credentials {
	app := e.memory.apps[w.App]
	return Credentials{
		Team: w.ID, BotToken: w.BotToken, AppToken: app.Token, SigningSecret: app.SigningSecret,
		ClientID: app.ClientID, ClientSecret: app.ClientSecret, AppID: app.ID, API: e.cfg.URL + "/api/",
	}
}

// Run delivers events, again and again when the app does not take them, until
// ctx ends.
func (e *Emulator) Run(ctx context.Context) error {
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-e.pending:
			deliveries.Go(func() { e.deliverEvent(ctx, ev) })
		}
	}
}

// ServeHTTP answers everything below /slack.
func (e *Emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.routes.ServeHTTP(w, r) }

// workspace finds a workspace by id or domain; "" is the first one.
func (e *Emulator) workspace(key string) (*Workspace, error) {
	if key == "" {
		return e.first(), nil
	}
	for _, id := range e.memory.order {
		if w := e.memory.workspaces[id]; w.ID == key || w.Domain == key {
			return w, nil
		}
	}
	return nil, respond.Refuse(http.StatusNotFound, fmt.Sprintf("there is no workspace %q", key))
}

// byToken finds the workspace of a bot token.
func (e *Emulator) byToken(token string) (*Workspace, bool) {
	for _, w := range e.memory.workspaces {
		if w.Installed && token != "" && w.BotToken == token {
			return w, true
		}
	}
	return nil, false
}

// keep writes a change down. State that cannot be written is logged, not
// refused: the emulator goes on with what it has in memory.
func (e *Emulator) keep(r record) {
	if err := e.memory.keep(r); err != nil {
		e.cfg.Log.Error("a change is not written down", "reason", err)
	}
}

// nextTS is a time stamp that no other message has.
func (e *Emulator) nextTS() (string, time.Time) {
	now := time.Now().Truncate(time.Microsecond)
	if !now.After(e.lastTS) {
		now = e.lastTS.Add(time.Microsecond)
	}
	e.lastTS = now
	return stamp(now), now
}

// stamp writes a time as Slack does.
func stamp(t time.Time) string {
	us := strconv.FormatInt(t.UnixMicro()%1_000_000+1_000_000, 10)
	return strconv.FormatInt(t.Unix(), 10) + "." + us[1:]
}

// post keeps a new message and shows it to those who may see it.
func (e *Emulator) post(w *Workspace, m Message) *Message {
	m.Team = w.ID
	m.TS, m.PostedAt = e.nextTS()
	return e.put(w, &m)
}

// put keeps a message that is new or has changed, and shows it.
func (e *Emulator) put(w *Workspace, m *Message) *Message {
	e.keep(record{Message: m})
	e.show(w, update{Type: "message", Message: m})
	return m
}

// find returns the message of a channel with that time stamp.
func (e *Emulator) find(channel, ts string) (*Message, bool) {
	all := e.memory.messages[channel]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].TS == ts && all[i].DeletedAt == nil {
			return all[i], true
		}
	}
	return nil, false
}

// sees says whether a person may see a message of a channel.
func (m *Message) sees(user string) bool { return m.For == "" || m.For == user }
