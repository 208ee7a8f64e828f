package slack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// shownMessage is a message as GET /slack/messages lists it: everything there
// is, and names a person can read.
type shownMessage struct {
	*Message
	ChannelName string `json:"channelName"`
	Author      string `json:"author"`
	To          string `json:"to,omitempty"` // who sees it, of a direct or an ephemeral message
}

// serveMessages lists every message of a workspace, oldest first, deleted ones
// and earlier versions too. ?channel= and ?user= leave out the rest.
func (e *Emulator) serveMessages(w http.ResponseWriter, r *http.Request) {
	e.tell(w, func() (any, error) { return e.listMessages(r.URL.Query()) })
}

func (e *Emulator) listMessages(q url.Values) ([]shownMessage, error) {
	team, err := e.workspace(q.Get("team"))
	if err != nil {
		return nil, err
	}
	all := []shownMessage{}
	for i := range team.Channels {
		c := &team.Channels[i]
		if key := q.Get("channel"); key != "" && key != c.ID && strings.TrimPrefix(key, "#") != c.Name {
			continue
		}
		for _, m := range e.memory.messages[c.ID] {
			shown := e.name(team, c, m)
			if who := q.Get("user"); who == "" || who == shown.To || who == m.For || c.Direct && c.has(who) {
				all = append(all, shown)
			}
		}
	}
	return all, nil
}

// tell answers with what f says under the lock. A client that reads slowly
// holds nobody else up.
func (e *Emulator) tell(w http.ResponseWriter, f func() (any, error)) {
	e.mu.Lock()
	body, err := f()
	var raw json.RawMessage
	if err == nil {
		raw, err = json.Marshal(body)
	}
	e.mu.Unlock()
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, raw)
}

func (e *Emulator) name(w *Workspace, c *Channel, m *Message) shownMessage {
	shown := shownMessage{Message: m, ChannelName: c.Name, Author: e.memory.apps[w.App].Name}
	if p, known := w.person(m.User); known {
		shown.Author = p.Name
	} else if m.User == slackbot {
		shown.Author = "slackbot"
	}
	to := m.For
	if to == "" && c.Direct {
		to = c.Members[0]
	}
	if p, known := w.person(to); known {
		shown.To = p.Name
	}
	return shown
}

// serveDeliveries lists what was sent to the app, newest last.
func (e *Emulator) serveDeliveries(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	team, err := e.workspace(r.URL.Query().Get("team"))
	e.mu.Unlock()
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, e.log.of(team.ID))
}

// replay sends a request again, byte for byte, as somebody who captured it
// would.
func (e *Emulator) replay(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	team, err := e.workspace(r.URL.Query().Get("team"))
	e.mu.Unlock()
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	for _, d := range e.log.of(team.ID) {
		if strconv.Itoa(d.ID) != r.PathValue("id") || d.URL == "" {
			continue
		}
		out := e.send(r.Context(), delivery{Team: d.Team, Kind: d.Kind, URL: d.URL, Headers: d.Headers, Body: d.Body})
		respond.JSON(w, http.StatusOK, map[string]any{"status": out.Status, "answer": string(out.Body), "problem": out.Problem})
		return
	}
	respond.Error(w, e.cfg.Log, respond.Refuse(http.StatusNotFound, "no such request was sent over HTTP"))
}

// shownApp is an app and how to be it.
type shownApp struct {
	App
	Credentials Credentials `json:"credentials"`
}

func (e *Emulator) serveApp(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	team, err := e.workspace(r.URL.Query().Get("team"))
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, shownApp{App: *e.memory.apps[team.App], Credentials: e.credentials(team)})
}

// appChange is what POST /slack/app may change; what is absent stays.
type appChange struct {
	Team    string   `json:"team"`
	URL     *string  `json:"url"`
	Mode    *string  `json:"mode"`
	Scopes  []string `json:"scopes"` // granted at once, as after installing again
	Events  []string `json:"events"`
	Retries []string `json:"retries"`
	Verify  bool     `json:"verify"` // send url_verification and say whether the app passed
}

// changeApp is the app's settings page: where requests go and how.
func (e *Emulator) changeApp(w http.ResponseWriter, r *http.Request) {
	var change appChange
	if err := respond.Read(w, r, &change); err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	e.mu.Lock()
	app, team, err := e.applyChange(change)
	e.mu.Unlock()
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	if change.Verify {
		if err := e.verify(r, app, team); err != nil {
			respond.Error(w, e.cfg.Log, err)
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	respond.JSON(w, http.StatusOK, shownApp{App: app, Credentials: e.credentials(e.memory.workspaces[team])})
}

func (e *Emulator) applyChange(change appChange) (App, string, error) {
	team, err := e.workspace(change.Team)
	if err != nil {
		return App{}, "", err
	}
	app := *e.memory.apps[team.App]
	if err := change.reach(&app); err != nil {
		return app, "", err
	}
	for _, pause := range change.Retries {
		if _, err := time.ParseDuration(pause); err != nil {
			return app, "", respond.Invalid("retries: %v", err)
		}
	}
	if change.Retries != nil {
		app.Retries = change.Retries
	}
	if change.Events != nil {
		app.Events = change.Events
	}
	if change.Scopes != nil {
		app.Scopes, team.Scopes = change.Scopes, change.Scopes
		e.keep(record{Workspace: team})
	}
	e.keep(record{App: &app})
	return app, team.ID, nil
}

// reach changes where the app is and how it gets its requests.
func (c appChange) reach(app *App) error {
	if c.URL != nil {
		u, err := url.Parse(*c.URL)
		if err != nil || *c.URL != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return respond.Invalid("url %q is no http address", *c.URL)
		}
		app.URL = strings.TrimSuffix(*c.URL, "/")
	}
	if c.Mode == nil {
		return nil
	}
	if *c.Mode != HTTP && *c.Mode != Socket {
		return respond.Invalid("mode %q is neither %s nor %s", *c.Mode, HTTP, Socket)
	}
	app.Mode = *c.Mode
	return nil
}

// verify asks the app to echo a challenge, as Slack does before it takes a URL
// for events.
func (e *Emulator) verify(r *http.Request, app App, team string) error {
	challenge := secret(20)
	out := e.deliver(r.Context(), request{kind: toEvents, app: app, team: team, payload: map[string]any{
		"token": app.Verification, "challenge": challenge, "type": "url_verification",
	}})
	var echo struct {
		Challenge string `json:"challenge"`
	}
	_ = json.Unmarshal(out.Body, &echo) // plain text is as good
	if out.Problem != "" || echo.Challenge != challenge && strings.TrimSpace(string(out.Body)) != challenge {
		return respond.Invalid("the app at %s did not answer the challenge: status %d, %s", app.URL, out.Status, out.Problem)
	}
	return nil
}

// serveRefresh makes Slack ask the app's connections to be made anew.
func (e *Emulator) serveRefresh(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	team, err := e.workspace(r.URL.Query().Get("team"))
	e.mu.Unlock()
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, map[string]int{"connections": e.refreshSockets(team.App)})
}

func (e *Emulator) serveWorkspaces(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []Workspace{}
	for _, id := range e.memory.order {
		all = append(all, *e.memory.workspaces[id])
	}
	respond.JSON(w, http.StatusOK, all)
}

// newTeam is what POST /slack/workspaces takes: a workspace for one test, with
// an app of its own.
type newTeam struct {
	Domain  string   `json:"domain"`
	Name    string   `json:"name"`
	URL     string   `json:"url"`     // of the app
	Mode    string   `json:"mode"`    // of the app
	Mail    string   `json:"mail"`    // domain of the people's addresses; "" is domain.example
	Members int      `json:"members"` // more students, m1, m2, …
	SameApp bool     `json:"sameApp"` // the first workspace's app, not installed yet
	Retries []string `json:"retries"`
}

func (e *Emulator) addWorkspace(w http.ResponseWriter, r *http.Request) {
	var n newTeam
	if err := respond.Read(w, r, &n); err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.workspace(n.Domain); n.Domain == "" || err == nil {
		respond.Error(w, e.cfg.Log, respond.Invalid("domain %q is taken or empty", n.Domain))
		return
	}
	app := e.memory.apps[e.first().App]
	if !n.SameApp {
		app = newApp("daskbot")
		e.keep(record{App: app})
	}
	if n.Mail == "" {
		n.Mail = n.Domain + ".example"
	}
	team := newWorkspace(n.Domain, n.Name, n.Mail, app.ID)
	if n.Name == "" {
		team.Name = n.Domain
	}
	team.enroll(min(n.Members, 2000), n.Mail)
	if !n.SameApp {
		team.install(app.Scopes)
	}
	e.keep(record{Workspace: team})
	change := appChange{Team: team.ID, Retries: n.Retries}
	if !n.SameApp {
		change.URL = &n.URL
		if n.Mode != "" {
			change.Mode = &n.Mode
		}
	}
	changed, _, err := e.applyChange(change)
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusCreated, map[string]any{"workspace": team, "app": shownApp{App: changed, Credentials: e.credentials(team)}})
}

func (e *Emulator) serveUninstall(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	team, err := e.workspace(r.PathValue("team"))
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	if team.Installed {
		e.uninstall(team)
	}
	w.WriteHeader(http.StatusNoContent)
}
