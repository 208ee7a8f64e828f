package slack

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daskbot/daskbot/sandbox/internal/slack/blockkit"
)

// maxText is where Slack stops taking a message's text.
const maxText = 40_000

// readContent reads what a message is to say and checks it.
func readContent(text string, blocks, metadata json.RawMessage) (content, error) {
	c := content{Text: text, Metadata: metadata}
	if utf8.RuneCountInString(text) > maxText {
		return c, fail("msg_too_long")
	}
	if len(metadata) > 0 && !validMetadata(metadata) {
		return c, fail("invalid_metadata_format")
	}
	if len(blocks) == 0 || string(blocks) == "null" || string(blocks) == "[]" {
		if strings.TrimSpace(text) == "" {
			return c, fail("no_text")
		}
		return c, nil
	}
	filled, problems := blockkit.Message(blocks)
	if slices.Contains(problems, blockkit.TooLong) {
		return c, fail("msg_blocks_too_long")
	}
	if len(problems) > 0 {
		return c, &apiError{name: "invalid_blocks", messages: problems}
	}
	c.Blocks = filled
	return c, nil
}

// validMetadata says whether metadata names an event and has a payload that
// is an object.
func validMetadata(raw json.RawMessage) bool {
	var m struct {
		EventType    string                     `json:"event_type"`
		EventPayload map[string]json.RawMessage `json:"event_payload"`
	}
	return json.Unmarshal(raw, &m) == nil && (m.EventType != "" || m.EventPayload == nil)
}

func (c *call) content() (content, error) {
	return readContent(c.text("text"), c.structure("blocks"), c.structure("metadata"))
}

// destination is where a message goes: a channel's id or name, or a person's
// id, which means the direct message with them.
func (e *Emulator) destination(c *call) (*Channel, error) {
	key := c.text("channel")
	if p, isPerson := c.workspace.person(key); isPerson && p.ID == key {
		channel, _ := e.openDirect(c.workspace, p.ID)
		return channel, nil
	}
	channel, known := c.workspace.channel(key)
	if !known {
		return nil, fail("channel_not_found")
	}
	if !channel.has(c.workspace.BotUser) {
		public := !channel.Private && slices.Contains(c.workspace.Scopes, "chat:write.public")
		if channel.Private {
			return nil, fail("channel_not_found")
		}
		if !public {
			return nil, fail("not_in_channel")
		}
	}
	return channel, nil
}

func (e *Emulator) chatPostMessage(c *call) (answer, error) {
	channel, err := e.destination(c)
	if err != nil {
		return nil, err
	}
	said, err := c.content()
	if err != nil {
		return nil, err
	}
	if wait := e.limits.take("channel "+channel.ID, perChannel, c.now); wait > 0 {
		return nil, &limited{wait}
	}
	if wait := e.limits.take("workspace "+c.workspace.ID, perWorkspace, c.now); wait > 0 {
		return nil, &limited{wait}
	}
	m := e.post(c.workspace, Message{
		Channel: channel.ID, User: c.workspace.BotUser, Text: said.Text, Blocks: said.Blocks, Metadata: said.Metadata, Thread: c.text("thread_ts"),
	})
	return answer{"channel": channel.ID, "ts": m.TS, "message": m.wire(c.workspace)}, nil
}

func (e *Emulator) chatPostEphemeral(c *call) (answer, error) {
	channel, err := e.destination(c)
	if err != nil {
		return nil, err
	}
	user := c.text("user")
	if _, known := c.workspace.person(user); !known {
		return nil, fail("user_not_found")
	}
	if !channel.has(user) {
		return nil, fail("user_not_in_channel")
	}
	said, err := c.content()
	if err != nil {
		return nil, err
	}
	m := e.post(c.workspace, Message{Channel: channel.ID, User: c.workspace.BotUser, For: user, Text: said.Text, Blocks: said.Blocks})
	return answer{"message_ts": m.TS}, nil
}

// own finds a message that the app wrote and may change. Ephemeral ones are
// not found, as in Slack.
func (e *Emulator) own(c *call, forbidden string) (*Message, error) {
	if _, known := c.workspace.channel(c.text("channel")); !known {
		return nil, fail("channel_not_found")
	}
	m, known := e.find(c.text("channel"), c.text("ts"))
	if !known || m.For != "" {
		return nil, fail("message_not_found")
	}
	if m.User != c.workspace.BotUser {
		return nil, fail(forbidden)
	}
	return m, nil
}

func (e *Emulator) chatUpdate(c *call) (answer, error) {
	old, err := e.own(c, "cant_update_message")
	if err != nil {
		return nil, err
	}
	said, err := c.content()
	if err != nil {
		return nil, err
	}
	m := *old
	m.edit(said, c.now)
	e.put(c.workspace, &m)
	return answer{"channel": m.Channel, "ts": m.TS, "text": m.Text, "message": m.wire(c.workspace)}, nil
}

func (e *Emulator) chatDelete(c *call) (answer, error) {
	old, err := e.own(c, "cant_delete_message")
	if err != nil {
		return nil, err
	}
	m := *old
	m.DeletedAt = &c.now
	e.put(c.workspace, &m)
	return answer{"channel": m.Channel, "ts": m.TS}, nil
}
