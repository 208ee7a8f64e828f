package slack

import (
	"encoding/json"
	"slices"
	"time"
)

// Message is one message and everything it ever said.
type Message struct {
	Team      string          `json:"team"`
	Channel   string          `json:"channel"`
	TS        string          `json:"ts"`
	User      string          `json:"user"`             // who wrote it
	For       string          `json:"for,omitempty"`    // the only person who sees it; an ephemeral message
	Thread    string          `json:"thread,omitempty"` // ts of the message it answers
	Text      string          `json:"text"`
	Blocks    json.RawMessage `json:"blocks,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	PostedAt  time.Time       `json:"postedAt"`
	EditedAt  *time.Time      `json:"editedAt,omitempty"`
	DeletedAt *time.Time      `json:"deletedAt,omitempty"`
	History   []Version       `json:"history,omitempty"` // what it said before each edit, oldest first
}

// Version is what a message said until it was edited.
type Version struct {
	Text   string          `json:"text"`
	Blocks json.RawMessage `json:"blocks,omitempty"`
	Until  time.Time       `json:"until"`
}

// content is what a message says.
type content struct {
	Text     string
	Blocks   json.RawMessage
	Metadata json.RawMessage
}

// edit replaces what the message says and remembers what it said.
func (m *Message) edit(c content, now time.Time) {
	m.History = append(slices.Clone(m.History), Version{Text: m.Text, Blocks: m.Blocks, Until: now})
	m.Text, m.Blocks = c.Text, c.Blocks
	if len(c.Metadata) > 0 {
		m.Metadata = c.Metadata
	}
	m.EditedAt = &now
}

// wire is the message as the Web API and payloads show it.
func (m *Message) wire(w *Workspace) map[string]any {
	out := map[string]any{"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": m.Team}
	if m.User == w.BotUser {
		out["bot_id"], out["app_id"] = w.BotID, w.App
	}
	if len(m.Blocks) > 0 {
		out["blocks"] = m.Blocks
	}
	if len(m.Metadata) > 0 {
		out["metadata"] = m.Metadata
	}
	if m.Thread != "" {
		out["thread_ts"] = m.Thread
	}
	if m.EditedAt != nil {
		out["edited"] = map[string]string{"user": m.User, "ts": stamp(*m.EditedAt)}
	}
	return out
}

// View is a modal or a home tab as an app sent it, with what Slack adds.
type View struct {
	ID       string          `json:"id"`
	Team     string          `json:"team"`
	User     string          `json:"user"`
	Type     string          `json:"type"` // modal or home
	Body     json.RawMessage `json:"body"` // what the app sent, with ids filled in
	Hash     string          `json:"hash"`
	External string          `json:"externalId,omitempty"`
	Root     string          `json:"root"`
	Previous string          `json:"previous,omitempty"`
}

// wire is the view as payloads and answers show it. values is what the person
// filled in, nil when nothing was asked.
func (v *View) wire(w *Workspace, values json.RawMessage) map[string]any {
	out := map[string]any{
		"private_metadata": "", "callback_id": "", "clear_on_close": false, "notify_on_close": false,
		"close": nil, "submit": nil, "title": nil,
	}
	var body map[string]any
	_ = json.Unmarshal(v.Body, &body) // it was checked when it came in
	for k, value := range body {
		out[k] = value
	}
	if values == nil {
		values = json.RawMessage(`{}`)
	}
	out["id"], out["team_id"], out["type"], out["hash"], out["external_id"] = v.ID, v.Team, v.Type, v.Hash, v.External
	out["root_view_id"], out["app_id"], out["bot_id"], out["app_installed_team_id"] = v.Root, w.App, w.BotID, v.Team
	out["state"] = map[string]any{"values": values}
	out["previous_view_id"] = nil
	if v.Previous != "" {
		out["previous_view_id"] = v.Previous
	}
	return out
}
