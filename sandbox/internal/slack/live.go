package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// update is something that changed on a person's page. Messages come whole;
// for the rest the page asks for the state again.
type update struct {
	Type    string   `json:"type"` // message, modals, home, channels
	Message *Message `json:"message,omitempty"`
	User    string   `json:"user,omitempty"` // the only person it concerns
}

// watcher is an open page.
type watcher struct {
	team, user string
	updates    chan update
	gone       bool // it did not keep up
}

// show tells the open pages of those whom an update concerns. A page that does
// not keep up is cut off; it connects again and asks for everything. The
// caller holds the lock.
func (e *Emulator) show(w *Workspace, u update) {
	for p := range e.watchers {
		if p.team != w.ID || !concerns(w, u, p.user) {
			continue
		}
		select {
		case p.updates <- u:
		default:
			p.gone = true
			delete(e.watchers, p)
			close(p.updates)
		}
	}
}

func concerns(w *Workspace, u update, user string) bool {
	if u.Message == nil {
		return u.User == "" || u.User == user
	}
	c, known := w.channel(u.Message.Channel)
	return known && c.has(user) && u.Message.sees(user)
}

const heartbeat = 20 * time.Second

// serveLive streams updates to a page as server-sent events.
func (e *Emulator) serveLive(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	s, err := e.enter(deed{Team: r.URL.Query().Get("team"), User: r.URL.Query().Get("user")})
	if err != nil {
		e.mu.Unlock()
		respond.Error(w, e.cfg.Log, err)
		return
	}
	p := &watcher{team: s.w.ID, user: s.who.ID, updates: make(chan update, 256)}
	e.watchers[p] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.watchers, p)
		e.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	e.stream(w, r, p)
}

func (e *Emulator) stream(w http.ResponseWriter, r *http.Request, p *watcher) {
	flush := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	line := ": connected\n\n"
	for {
		if _, err := fmt.Fprint(w, line); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			line = ": still here\n\n"
		case u, open := <-p.updates:
			if !open {
				return
			}
			raw, err := json.Marshal(u)
			if err != nil {
				e.cfg.Log.Error("an update has no JSON form", "reason", err)
				return
			}
			line = "data: " + string(raw) + "\n\n"
		}
	}
}

// pageState is everything a person sees.
type pageState struct {
	Workspaces []pageWorkspace  `json:"workspaces"`
	Team       pageWorkspace    `json:"team"`
	Me         Person           `json:"me"`
	People     []Person         `json:"people"`
	App        pageApp          `json:"app"`
	Channels   []pageChannel    `json:"channels"`
	Modals     []map[string]any `json:"modals"`
	Home       map[string]any   `json:"home"`
}

type pageWorkspace struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
}

type pageApp struct {
	Name      string `json:"name"`
	User      string `json:"user"`
	URL       string `json:"url"`
	Mode      string `json:"mode"`
	Installed bool   `json:"installed"`
}

type pageChannel struct {
	Channel
	Messages []*Message `json:"messages"`
}

// serveState is what a person sees when the page opens.
func (e *Emulator) serveState(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	e.tell(w, func() (any, error) {
		team, err := e.workspace(q.Get("team"))
		if err != nil {
			return nil, err
		}
		d := deed{Team: team.ID, User: q.Get("user"), Channel: "dm"}
		if d.User == "" {
			d.User = team.People[0].ID
		}
		if !team.Installed { // no app, no direct message with it
			d.Channel = ""
		}
		s, err := e.enter(d)
		return e.pageState(s), err
	})
}

func (e *Emulator) pageState(s scene) pageState {
	if s.w == nil {
		return pageState{}
	}
	out := pageState{
		Team: pageWorkspace{s.w.ID, s.w.Name, s.w.Domain}, Me: s.who, People: s.w.People, Channels: []pageChannel{}, Modals: []map[string]any{},
		App: pageApp{Name: s.app.Name, User: s.w.BotUser, URL: s.app.URL, Mode: s.app.Mode, Installed: s.w.Installed},
	}
	for _, id := range e.memory.order {
		w := e.memory.workspaces[id]
		out.Workspaces = append(out.Workspaces, pageWorkspace{w.ID, w.Name, w.Domain})
	}
	for _, c := range s.w.Channels {
		if !c.has(s.who.ID) {
			continue
		}
		shown := pageChannel{Channel: c, Messages: []*Message{}}
		for _, m := range e.memory.messages[c.ID] {
			if m.DeletedAt == nil && m.sees(s.who.ID) {
				shown.Messages = append(shown.Messages, m)
			}
		}
		out.Channels = append(out.Channels, shown)
	}
	for _, v := range e.modals[s.who.ID] {
		out.Modals = append(out.Modals, v.wire(s.w, nil))
	}
	if home, published := e.memory.homes[s.who.ID]; published {
		out.Home = home.wire(s.w, nil)
	}
	return out
}
