package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// act is a click, or a choice, in a message or a view.
func (e *Emulator) act(ctx context.Context, d deed) (deedResult, error) {
	e.mu.Lock()
	r, err := e.blockAction(d)
	e.mu.Unlock()
	if err != nil {
		return deedResult{}, err
	}
	return e.interact(ctx, r)
}

// interact delivers an interaction; its answer has no content.
func (e *Emulator) interact(ctx context.Context, r request) (deedResult, error) {
	started := time.Now()
	out := e.deliver(ctx, r)
	return deedResult{Problem: out.Problem, Ms: float64(time.Since(started).Microseconds()) / 1000}, nil
}

// blockAction is the request that tells of a click.
func (e *Emulator) blockAction(d deed) (request, error) {
	s, err := e.enter(d)
	if err != nil {
		return request{}, err
	}
	payload := s.base("block_actions")
	var blocks json.RawMessage
	if d.View != "" {
		blocks, err = e.inView(s, d, payload)
	} else {
		blocks, err = e.inMessage(s, d, payload)
	}
	if err != nil {
		return request{}, err
	}
	element, known := findElement(blocks, d.Block, d.Action)
	if !known {
		return request{}, respond.Invalid("there is no element %q in block %q", d.Action, d.Block)
	}
	action, err := e.describe(element, d)
	if err != nil {
		return request{}, err
	}
	payload["actions"] = []any{action}
	payload["trigger_id"] = e.newTrigger(s.w, s.who.ID, s.now)
	return request{kind: toInteractions, app: s.app, team: s.w.ID, payload: payload}, nil
}

// values are what is filled in, an empty object when nothing is.
func (d deed) values() json.RawMessage {
	if len(d.Values) == 0 || string(d.Values) == "null" {
		return json.RawMessage(`{}`)
	}
	return d.Values
}

func (e *Emulator) inView(s scene, d deed, payload map[string]any) (json.RawMessage, error) {
	v, known := e.viewOf(s.w, d.View, "")
	if !known || v.User != s.who.ID {
		return nil, respond.Invalid("%s sees no view %q", s.who.Name, d.View)
	}
	payload["container"] = map[string]any{"type": "view", "view_id": v.ID}
	payload["view"] = v.wire(s.w, d.values())
	var body struct {
		Blocks json.RawMessage `json:"blocks"`
	}
	return body.Blocks, json.Unmarshal(v.Body, &body)
}

func (e *Emulator) inMessage(s scene, d deed, payload map[string]any) (json.RawMessage, error) {
	if s.here == nil {
		return nil, respond.Invalid("say where: channel is missing")
	}
	m, known := e.find(s.here.ID, d.TS)
	if !known || !m.sees(s.who.ID) {
		return nil, respond.Invalid("%s sees no message %q", s.who.Name, d.TS)
	}
	payload["channel"] = map[string]any{"id": s.here.ID, "name": s.here.Name}
	payload["container"] = map[string]any{"type": "message", "message_ts": m.TS, "channel_id": s.here.ID, "is_ephemeral": m.For != ""}
	payload["state"] = map[string]any{"values": d.values()}
	if m.For == "" { // Slack does not keep what only one person was shown
		payload["message"] = m.wire(s.w)
	}
	payload["response_url"] = e.newHook(s.w, "actions", hook{channel: s.here.ID, user: s.who.ID, original: m.TS}, s.now)
	return m.Blocks, nil
}

// findElement finds an interactive element by the ids of its block and itself.
func findElement(blocks json.RawMessage, block, action string) (map[string]any, bool) {
	var all []map[string]any
	_ = json.Unmarshal(blocks, &all) // they were checked when they came in; none is an empty list
	for _, b := range all {
		if b["block_id"] != block {
			continue
		}
		elements, _ := b["elements"].([]any)
		for _, one := range append(elements, b["accessory"], b["element"]) {
			if element, ok := one.(map[string]any); ok && element["action_id"] == action {
				return element, true
			}
		}
	}
	return nil, false
}

// describe is the entry of actions: what the element is, and what was chosen.
func (e *Emulator) describe(element map[string]any, d deed) (map[string]any, error) {
	ts, _ := e.nextTS()
	action := map[string]any{"type": element["type"], "action_id": d.Action, "block_id": d.Block, "action_ts": ts}
	if element["type"] == "button" { // a person cannot choose what a button says
		for _, field := range []string{"text", "value", "style"} {
			if element[field] != nil {
				action[field] = element[field]
			}
		}
		return action, nil
	}
	if len(d.Value) == 0 {
		return nil, respond.Invalid("value is missing")
	}
	var chosen map[string]any
	if err := json.Unmarshal(d.Value, &chosen); err != nil || chosen == nil {
		return nil, respond.Invalid("value is no object: %s", d.Value)
	}
	maps.Copy(chosen, action)
	return chosen, nil
}

// viewAnswer is how an app takes a filled-in modal.
type viewAnswer struct {
	Action string            `json:"response_action"`
	Errors map[string]string `json:"errors"`
	View   json.RawMessage   `json:"view"`
}

// submit hands a filled-in modal to the app and does what it answers.
func (e *Emulator) submit(ctx context.Context, d deed) (deedResult, error) {
	e.mu.Lock()
	r, v, err := e.submission(d)
	e.mu.Unlock()
	if err != nil {
		return deedResult{}, err
	}
	if missing := unanswered(v.Body, d.values()); len(missing) > 0 {
		return deedResult{Errors: missing}, nil
	}
	started := time.Now()
	out := e.deliver(ctx, r)
	result := deedResult{Problem: out.Problem, Ms: float64(time.Since(started).Microseconds()) / 1000}
	if out.Problem != "" {
		return result, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	result.Errors, err = e.afterSubmit(v, out.Body)
	if err != nil {
		result.Problem = err.Error()
	}
	return result, nil
}

func (e *Emulator) submission(d deed) (request, *View, error) {
	s, err := e.enter(d)
	if err != nil {
		return request{}, nil, err
	}
	v, known := e.viewOf(s.w, d.View, "")
	if !known || v.User != s.who.ID || v.Type != "modal" {
		return request{}, nil, respond.Invalid("%s sees no modal %q", s.who.Name, d.View)
	}
	payload := s.base("view_submission")
	payload["view"], payload["response_urls"] = v.wire(s.w, d.values()), []any{}
	payload["trigger_id"] = e.newTrigger(s.w, s.who.ID, s.now)
	return request{kind: toInteractions, app: s.app, team: s.w.ID, payload: payload}, v, nil
}

// afterSubmit does what the app answered to a submitted modal.
func (e *Emulator) afterSubmit(v *View, body []byte) (map[string]string, error) {
	w := e.memory.workspaces[v.Team]
	var said viewAnswer
	if body = bytes.TrimSpace(body); len(body) > 0 && json.Unmarshal(body, &said) != nil {
		return nil, fail("invalid_response")
	}
	stack := e.modals[v.User]
	switch said.Action {
	case "errors":
		if len(said.Errors) == 0 {
			return nil, fail("invalid_response")
		}
		return said.Errors, nil
	case "clear":
		e.setModals(w, v.User, nil)
		return nil, nil
	case "update", "push":
		next, err := readView(said.View, "modal")
		if err != nil {
			return nil, err
		}
		if said.Action == "push" {
			return nil, e.push(w, v.User, next, false)
		}
		e.replace(w, v, next)
		return nil, nil
	case "":
		if len(stack) > 0 {
			e.setModals(w, v.User, stack[:len(stack)-1])
		}
		return nil, nil
	default:
		return nil, fail("invalid_response_action")
	}
}

// unanswered lists the inputs that must have an answer and have none.
func unanswered(view, values json.RawMessage) map[string]string {
	var body struct {
		Blocks []struct {
			Type     string `json:"type"`
			BlockID  string `json:"block_id"`
			Optional bool   `json:"optional"`
			Element  struct {
				Type     string `json:"type"`
				ActionID string `json:"action_id"`
			} `json:"element"`
		} `json:"blocks"`
	}
	var filled map[string]map[string]map[string]any
	if json.Unmarshal(view, &body) != nil || json.Unmarshal(values, &filled) != nil {
		return nil
	}
	missing := map[string]string{}
	for _, b := range body.Blocks {
		if b.Type == "input" && !b.Optional && !answered(filled[b.BlockID][b.Element.ActionID]) {
			missing[b.BlockID] = "Please complete this required field."
		}
	}
	return missing
}

// answered says whether any of an element's values says something.
func answered(values map[string]any) bool {
	for field, v := range values {
		switch v := v.(type) {
		case string:
			if field != "type" && strings.TrimSpace(v) != "" {
				return true
			}
		case []any:
			if len(v) > 0 {
				return true
			}
		case nil:
		default:
			return true
		}
	}
	return false
}

// closeModal is a person closing the uppermost modal.
func (e *Emulator) closeModal(ctx context.Context, d deed) (deedResult, error) {
	e.mu.Lock()
	r, v, err := e.submission(d)
	if err != nil {
		e.mu.Unlock()
		return deedResult{}, err
	}
	w := e.memory.workspaces[v.Team]
	var options struct {
		Notify bool `json:"notify_on_close"`
		Clear  bool `json:"clear_on_close"`
	}
	_ = json.Unmarshal(v.Body, &options) // it was checked when it came in
	stack := e.modals[v.User]
	if options.Clear || len(stack) == 0 {
		e.setModals(w, v.User, nil)
	} else {
		e.setModals(w, v.User, stack[:len(stack)-1])
	}
	e.mu.Unlock()
	if !options.Notify {
		return deedResult{}, nil
	}
	r.payload["type"], r.payload["is_cleared"] = "view_closed", options.Clear
	delete(r.payload, "trigger_id")
	return e.interact(ctx, r)
}
