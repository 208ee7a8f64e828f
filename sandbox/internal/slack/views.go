package slack

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/slack/blockkit"
)

// maxModals is how many modals may lie on each other.
const maxModals = 3

// trigger is the right to open one modal for a person, once and soon.
type trigger struct {
	team, user string
	until      time.Time
	used       bool
}

func (e *Emulator) newTrigger(w *Workspace, user string, now time.Time) string {
	key := digits(13) + "." + digits(12) + "." + secret(16)
	for old, t := range e.triggers {
		if now.Sub(t.until) > time.Minute {
			delete(e.triggers, old)
		}
	}
	e.triggers[key] = &trigger{team: w.ID, user: user, until: now.Add(e.cfg.Patience)}
	return key
}

// exchange uses a trigger up.
func (e *Emulator) exchange(c *call) (*trigger, error) {
	t, known := e.triggers[c.text("trigger_id")]
	switch {
	case !known || t.team != c.workspace.ID:
		return nil, fail("invalid_trigger_id")
	case t.used:
		return nil, fail("exchanged_trigger_id")
	case c.now.After(t.until):
		return nil, fail("expired_trigger_id")
	}
	t.used = true
	return t, nil
}

// readView checks a view of the wanted type.
func readView(raw json.RawMessage, want string) (*View, error) {
	var head struct {
		Type       string `json:"type"`
		ExternalID string `json:"external_id"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &head) != nil {
		return nil, &apiError{name: "invalid_arguments", messages: []string{"[ERROR] missing required field: view"}}
	}
	if want != "" && head.Type != want {
		return nil, &apiError{name: "invalid_arguments", messages: []string{"[ERROR] unsupported type: " + head.Type + " [json-pointer:/view/type]"}}
	}
	filled, problems := blockkit.View(raw)
	if len(problems) > 0 {
		return nil, &apiError{name: "invalid_arguments", messages: problems}
	}
	return &View{Type: head.Type, Body: filled, External: head.ExternalID, Hash: newHash()}, nil
}

func newHash() string { return stamp(time.Now()) + "." + secret(4) }

func (e *Emulator) viewsOpen(c *call) (answer, error) {
	v, err := readView(c.structure("view"), "modal")
	if err != nil {
		return nil, err
	}
	t, err := e.exchange(c)
	if err != nil {
		return nil, err
	}
	if err := e.push(c.workspace, t.user, v, true); err != nil {
		return nil, err
	}
	return answer{"view": v.wire(c.workspace, nil)}, nil
}

func (e *Emulator) viewsPush(c *call) (answer, error) {
	v, err := readView(c.structure("view"), "modal")
	if err != nil {
		return nil, err
	}
	t, err := e.exchange(c)
	if err != nil {
		return nil, err
	}
	if err := e.push(c.workspace, t.user, v, false); err != nil {
		return nil, err
	}
	return answer{"view": v.wire(c.workspace, nil)}, nil
}

// push shows a modal: as the only one, or on top of those there are.
func (e *Emulator) push(w *Workspace, user string, v *View, only bool) error {
	stack := e.modals[user]
	if only {
		stack = nil
	}
	if len(stack) >= maxModals {
		return fail("push_limit_reached")
	}
	if v.External != "" {
		for _, other := range stack {
			if other.External == v.External {
				return fail("duplicate_external_id")
			}
		}
	}
	v.ID, v.Team, v.User = "V"+id(), w.ID, user
	v.Root = v.ID
	if len(stack) > 0 {
		v.Root, v.Previous = stack[0].ID, stack[len(stack)-1].ID
	}
	e.setModals(w, user, append(stack[:len(stack):len(stack)], v))
	return nil
}

func (e *Emulator) setModals(w *Workspace, user string, stack []*View) {
	e.modals[user] = stack
	e.show(w, update{Type: "modals", User: user})
}

// replace puts new content into a modal or home tab that is shown.
func (e *Emulator) replace(w *Workspace, old, next *View) *View {
	next.ID, next.Team, next.User, next.Root, next.Previous = old.ID, old.Team, old.User, old.Root, old.Previous
	if old.Type == "home" {
		e.keep(record{Home: next})
		e.show(w, update{Type: "home", User: old.User})
		return next
	}
	stack := append([]*View(nil), e.modals[old.User]...)
	for i := range stack {
		if stack[i].ID == old.ID {
			stack[i] = next
		}
	}
	e.setModals(w, old.User, stack)
	return next
}

// viewOf finds a view of the workspace by id or by the app's own id.
func (e *Emulator) viewOf(w *Workspace, id, external string) (*View, bool) {
	fits := func(v *View) bool {
		return v.Team == w.ID && (id != "" && v.ID == id || external != "" && v.External == external)
	}
	for _, stack := range e.modals {
		for _, v := range stack {
			if fits(v) {
				return v, true
			}
		}
	}
	for _, v := range e.memory.homes {
		if fits(v) {
			return v, true
		}
	}
	return nil, false
}

func (e *Emulator) viewsUpdate(c *call) (answer, error) {
	old, known := e.viewOf(c.workspace, c.text("view_id"), c.text("external_id"))
	if !known {
		return nil, fail("not_found")
	}
	v, err := readView(c.structure("view"), old.Type)
	if err != nil {
		return nil, err
	}
	if hash := c.text("hash"); hash != "" && hash != old.Hash {
		return nil, fail("hash_conflict")
	}
	return answer{"view": e.replace(c.workspace, old, v).wire(c.workspace, nil)}, nil
}

func (e *Emulator) viewsPublish(c *call) (answer, error) {
	user := c.text("user_id")
	if p, known := c.workspace.person(user); !known || p.ID != user {
		return nil, fail("user_not_found")
	}
	v, err := readView(c.structure("view"), "home")
	if err != nil {
		return nil, err
	}
	old, published := e.memory.homes[user]
	if hash := c.text("hash"); hash != "" && (!published || hash != old.Hash) {
		return nil, fail("hash_conflict")
	}
	if !published {
		old = &View{ID: "V" + id(), Team: c.workspace.ID, User: user, Type: "home"}
		old.Root = old.ID
	}
	return answer{"view": e.replace(c.workspace, old, v).wire(c.workspace, nil)}, nil
}

// grant is a code that can be exchanged for a token once.
type grant struct {
	app, team, user, redirect string
	scopes                    []string
	until                     time.Time
}

func (e *Emulator) oauthAccess(c *call) (answer, error) {
	clientID, clientSecret := c.text("client_id"), c.text("client_secret")
	if clientID == "" {
		clientID, clientSecret = c.basic[0], c.basic[1]
	}
	var app *App
	for _, a := range e.memory.apps {
		if a.ClientID == clientID {
			app = a
		}
	}
	if app == nil {
		return nil, fail("invalid_client_id")
	}
	if app.ClientSecret != clientSecret {
		return nil, fail("bad_client_secret")
	}
	g, known := e.codes[c.text("code")]
	delete(e.codes, c.text("code"))
	if !known || g.app != app.ID || c.now.After(g.until) {
		return nil, fail("invalid_code")
	}
	if uri := c.text("redirect_uri"); uri != g.redirect {
		return nil, fail("bad_redirect_uri")
	}
	w := e.memory.workspaces[g.team]
	w.install(g.scopes)
	e.keep(record{Workspace: w})
	return answer{
		"access_token": w.BotToken, "token_type": "bot", "scope": strings.Join(w.Scopes, ","), "bot_user_id": w.BotUser, "app_id": app.ID,
		"team": answer{"id": w.ID, "name": w.Name}, "enterprise": nil, "is_enterprise_install": false, "authed_user": answer{"id": g.user},
	}, nil
}

// authRevoke and appsUninstall end the token; uninstalling removes the app
// from the workspace too, which here is the same.
func (e *Emulator) authRevoke(c *call) (answer, error) {
	e.uninstall(c.workspace)
	return answer{"revoked": true}, nil
}

func (e *Emulator) appsUninstall(c *call) (answer, error) {
	if c.text("client_id") != c.app.ClientID || c.text("client_secret") != c.app.ClientSecret {
		return nil, fail("bad_client_secret")
	}
	e.uninstall(c.workspace)
	return answer{}, nil
}

// uninstall takes the app out of a workspace and tells it.
func (e *Emulator) uninstall(w *Workspace) {
	w.Installed = false
	e.keep(record{Workspace: w})
	e.emit(w, map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []string{}, "bot": []string{w.BotUser}}})
	e.emit(w, map[string]any{"type": "app_uninstalled"})
}
