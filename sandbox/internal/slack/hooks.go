package slack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// What Slack allows a response_url.
const (
	hookLife = 30 * time.Minute
	hookUses = 5
)

// hook is a response_url: the right to answer one person's action.
type hook struct {
	team, channel, user string
	original            string // ts of the message acted on; "" for a command
	until               time.Time
	used                int
}

// newHook makes the response_url for an action. kind is commands or actions.
func (e *Emulator) newHook(w *Workspace, kind string, h hook, now time.Time) string {
	for old, other := range e.hooks {
		if now.Sub(other.until) > hookLife {
			delete(e.hooks, old)
		}
	}
	key := secret(12)
	h.team, h.until = w.ID, now.Add(hookLife)
	e.hooks[key] = &h
	return e.cfg.URL + "/hooks/" + kind + "/" + w.ID + "/" + digits(12) + "/" + key
}

// reply is what an app says through a response_url or as the answer to a
// command.
type reply struct {
	ResponseType    string          `json:"response_type"`
	Text            string          `json:"text"`
	Blocks          json.RawMessage `json:"blocks"`
	ReplaceOriginal bool            `json:"replace_original"`
	DeleteOriginal  bool            `json:"delete_original"`
}

func (e *Emulator) serveHook(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	domain := ""
	if team, known := e.memory.workspaces[r.PathValue("team")]; known {
		domain = team.Domain
	}
	e.mu.Unlock()
	if e.misbehave(w, r, "response_url", domain) {
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var said reply
	if err != nil || json.Unmarshal(raw, &said) != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h, err := e.useHook(r.PathValue("key"), time.Now())
	if err == nil {
		err = e.respond(h, said)
	}
	var refused *apiError
	switch {
	case err == nil:
		_, _ = io.WriteString(w, "ok")
	case errors.Is(err, errHookGone) || errors.Is(err, errHookUsed):
		respond.JSON(w, http.StatusNotFound, answer{"ok": false, "error": err.Error()})
	case errors.As(err, &refused):
		http.Error(w, refused.name, http.StatusBadRequest)
	default:
		http.Error(w, "server_error", http.StatusInternalServerError)
	}
}

// errHookGone and errHookUsed are the names Slack gives a response_url that
// is past its time or its uses.
var (
	errHookGone = errors.New("expired_url")
	errHookUsed = errors.New("used_url")
)

func (e *Emulator) useHook(key string, now time.Time) (*hook, error) {
	h, known := e.hooks[key]
	if !known || now.After(h.until) {
		return nil, errHookGone
	}
	if h.used >= hookUses {
		return nil, errHookUsed
	}
	h.used++
	return h, nil
}

// respond does what an app says about an action: a new message, for one
// person unless it says otherwise, or another text for the message acted on.
// What a command answered with cannot be replaced this way; Slack posts anew.
func (e *Emulator) respond(h *hook, said reply) error {
	w := e.memory.workspaces[h.team]
	if w == nil {
		return errHookGone
	}
	old, hasOriginal := e.find(h.channel, h.original)
	if said.DeleteOriginal {
		if hasOriginal {
			m, now := *old, time.Now()
			m.DeletedAt = &now
			e.put(w, &m)
		}
		return nil
	}
	c, err := readContent(said.Text, said.Blocks, nil)
	if err != nil {
		return err
	}
	if said.ReplaceOriginal && hasOriginal {
		m := *old
		m.edit(c, time.Now())
		e.put(w, &m)
		return nil
	}
	m := Message{Channel: h.channel, User: w.BotUser, Text: c.Text, Blocks: c.Blocks}
	if said.ResponseType != "in_channel" {
		m.For = h.user
	}
	e.post(w, m)
	return nil
}
