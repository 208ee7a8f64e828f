package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// deed is what a person does on the page. Only the fields of its kind are set.
type deed struct {
	Team    string          `json:"team"` // id or domain; "" is the first
	User    string          `json:"user"` // id or name
	Channel string          `json:"channel"`
	Text    string          `json:"text"`
	TS      string          `json:"ts"`
	View    string          `json:"view"`
	Block   string          `json:"block"`
	Action  string          `json:"action"`
	Value   json.RawMessage `json:"value"`  // what was chosen, as in an action's payload
	Values  json.RawMessage `json:"values"` // what is filled in, by block and action
}

// deedResult is what the person notices.
type deedResult struct {
	Problem string            `json:"problem,omitempty"` // operation_timeout, dispatch_failed
	Errors  map[string]string `json:"errors,omitempty"`  // of a form, by block
	Ms      float64           `json:"ms"`                // until the app had answered
}

// scene is who does something, and where.
type scene struct {
	w    *Workspace
	app  App
	who  Person
	here *Channel // nil outside of channels
	now  time.Time
	// installed is whether the app was, then.
	installed bool
}

// enter finds who and where a deed is. The caller holds the lock.
func (e *Emulator) enter(d deed) (scene, error) {
	w, err := e.workspace(d.Team)
	if err != nil {
		return scene{}, err
	}
	who, known := w.person(d.User)
	if !known {
		return scene{}, respond.Invalid("there is no person %q in %s", d.User, w.Name)
	}
	s := scene{w: w, app: *e.memory.apps[w.App], who: who, now: time.Now(), installed: w.Installed}
	if d.Channel == "" {
		return s, nil
	}
	here, known := w.channel(d.Channel)
	if d.Channel == "dm" && w.BotUser != "" {
		here, _ = e.openDirect(w, who.ID)
		known = true
	}
	if !known || !here.has(who.ID) {
		return scene{}, respond.Invalid("%s is in no channel %q", who.Name, d.Channel)
	}
	s.here = here
	return s, nil
}

// base are the fields that all payloads of interactions have.
func (s scene) base(kind string) map[string]any {
	return map[string]any{
		"type": kind, "token": s.app.Verification, "api_app_id": s.app.ID, "enterprise": nil, "is_enterprise_install": false,
		"team": map[string]any{"id": s.w.ID, "domain": s.w.Domain},
		"user": map[string]any{"id": s.who.ID, "username": s.who.Name, "name": s.who.Name, "team_id": s.w.ID},
	}
}

// marks are the characters that Slack escapes in whatever a person types, so
// that those of mentions mean mentions.
var marks = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

var mention = regexp.MustCompile(`(^|\s)([@#])([\w.-]+)`)

// escape writes what was typed as Slack sends it, with mentions as for apps that
// ask for them.
func (s scene) escape(text string) string {
	return mention.ReplaceAllStringFunc(marks.Replace(text), func(found string) string {
		parts := mention.FindStringSubmatch(found)
		if p, known := s.w.person(parts[3]); known && parts[2] == "@" {
			return parts[1] + "<@" + p.ID + "|" + p.Name + ">"
		}
		if c, known := s.w.channel(parts[3]); known && parts[2] == "#" {
			return parts[1] + "<#" + c.ID + "|" + c.Name + ">"
		}
		return found
	})
}

// say posts what a person types: a command when it begins with a slash, or
// else a message.
func (e *Emulator) say(ctx context.Context, d deed) (deedResult, error) {
	e.mu.Lock()
	s, err := e.enter(d)
	if err == nil && s.here == nil {
		err = respond.Invalid("say where: channel is missing")
	}
	if err != nil {
		e.mu.Unlock()
		return deedResult{}, err
	}
	text := strings.TrimSpace(d.Text)
	if strings.HasPrefix(text, "/") {
		r, h := e.command(s, text)
		e.mu.Unlock()
		return e.runCommand(ctx, s, r, h), nil
	}
	defer e.mu.Unlock()
	if text == "" {
		return deedResult{}, respond.Invalid("there is no text")
	}
	m := e.post(s.w, Message{Channel: s.here.ID, User: s.who.ID, Text: s.escape(text)})
	kind := "channel"
	if s.here.Direct {
		kind = "im"
	}
	e.emit(s.w, map[string]any{"type": "message", "channel": s.here.ID, "channel_type": kind, "user": s.who.ID, "text": m.Text, "ts": m.TS, "team": s.w.ID})
	return deedResult{}, nil
}

// command is the request for a slash command.
func (e *Emulator) command(s scene, typed string) (request, *hook) {
	name, text, _ := strings.Cut(typed, " ")
	h := hook{team: s.w.ID, channel: s.here.ID, user: s.who.ID}
	channelName := s.here.Name
	if s.here.Private {
		channelName = "privategroup"
	}
	return request{kind: toCommands, app: s.app, team: s.w.ID, payload: map[string]any{
		"token": s.app.Verification, "team_id": s.w.ID, "team_domain": s.w.Domain, "channel_id": s.here.ID, "channel_name": channelName,
		"user_id": s.who.ID, "user_name": s.who.Name, "command": name, "text": s.escape(strings.TrimSpace(text)), "api_app_id": s.app.ID,
		"is_enterprise_install": "false", "response_url": e.newHook(s.w, toCommands, h, s.now), "trigger_id": e.newTrigger(s.w, s.who.ID, s.now),
	}}, &h
}

// runCommand delivers a command and shows what the app answered at once, or
// that it did not.
func (e *Emulator) runCommand(ctx context.Context, s scene, r request, h *hook) deedResult {
	name := fmt.Sprint(r.payload["command"])
	if !s.installed {
		e.complain(s, fmt.Sprintf("%s is not a valid command: the app is not installed in this workspace.", name))
		return deedResult{Problem: "not_installed"}
	}
	started := time.Now()
	out := e.deliver(ctx, r)
	result := deedResult{Problem: out.Problem, Ms: float64(time.Since(started).Microseconds()) / 1000}
	if out.Problem != "" {
		e.complain(s, fmt.Sprintf("%s failed with the error %q", name, out.Problem))
		return result
	}
	said, err := readReply(out.Body)
	if err == nil && said != nil {
		e.mu.Lock()
		err = e.respond(h, *said)
		e.mu.Unlock()
	}
	if err != nil {
		result.Problem = err.Error()
		e.complain(s, fmt.Sprintf("%s failed with the error %q", name, err))
	}
	return result
}

// readReply reads the immediate answer to a command: nothing, text or JSON.
func readReply(body []byte) (*reply, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || string(body) == "null" || string(body) == "{}" {
		return nil, nil
	}
	var said reply
	if body[0] != '{' {
		return &reply{Text: string(body)}, nil
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, fail("invalid_command_response")
	}
	said.ReplaceOriginal, said.DeleteOriginal = false, false
	return &said, nil
}

// complain shows a person what Slack itself has to say.
func (e *Emulator) complain(s scene, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.here != nil {
		e.post(s.w, Message{Channel: s.here.ID, User: slackbot, For: s.who.ID, Text: text})
	}
}

// openHome is what happens when a person opens the app's home or its messages.
func (e *Emulator) openHome(d deed) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.enter(deed{Team: d.Team, User: d.User, Channel: "dm"})
	if err != nil {
		return err
	}
	if !s.installed {
		return respond.Invalid("the app is not installed in %s", s.w.Name)
	}
	tab := d.Text
	if tab == "" {
		tab = "home"
	}
	what := map[string]any{"type": "app_home_opened", "user": s.who.ID, "channel": s.here.ID, "tab": tab}
	if home, published := e.memory.homes[s.who.ID]; published && tab == "home" {
		what["view"] = home.wire(s.w, nil)
	}
	e.emit(s.w, what)
	return nil
}
