package slack

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

func (e *Emulator) apiTest(*call) (answer, error) { return answer{}, nil }

func (e *Emulator) authTest(c *call) (answer, error) {
	w := c.workspace
	return answer{
		"url": e.cfg.URL + "/?team=" + w.ID, "team": w.Name, "user": c.app.Name, "team_id": w.ID,
		"user_id": w.BotUser, "bot_id": w.BotID, "is_enterprise_install": false,
	}, nil
}

func (e *Emulator) teamInfo(c *call) (answer, error) {
	return answer{"team": answer{"id": c.workspace.ID, "name": c.workspace.Name, "domain": c.workspace.Domain}}, nil
}

func (e *Emulator) botsInfo(c *call) (answer, error) {
	if c.text("bot") != c.workspace.BotID {
		return nil, fail("bot_not_found")
	}
	return answer{"bot": answer{"id": c.workspace.BotID, "app_id": c.app.ID, "user_id": c.workspace.BotUser, "name": c.app.Name}}, nil
}

// wire is a person as users.* show them; the e-mail address only to those who
// were granted it.
func (p Person) wire(w *Workspace, now time.Time) answer {
	offset := 0
	if zone, err := time.LoadLocation(p.TimeZone); err == nil {
		_, offset = now.In(zone).Zone()
	}
	profile := answer{"real_name": p.RealName, "display_name": p.Name, "team": w.ID}
	if slices.Contains(w.Scopes, "users:read.email") {
		profile["email"] = p.Email
	}
	return answer{
		"id": p.ID, "team_id": w.ID, "name": p.Name, "real_name": p.RealName, "deleted": false, "is_email_confirmed": true, "tz": p.TimeZone, "tz_offset": offset,
		"is_admin": p.Admin, "is_owner": p.Admin, "is_bot": false, "is_app_user": false, "is_restricted": false, "profile": profile,
	}
}

// bot is the app's own user.
func (c *call) bot() answer {
	return answer{
		"id": c.workspace.BotUser, "team_id": c.workspace.ID, "name": c.app.Name, "real_name": c.app.Name, "deleted": false,
		"is_bot": true, "tz": "Etc/UTC", "profile": answer{"bot_id": c.workspace.BotID, "api_app_id": c.app.ID, "real_name": c.app.Name},
	}
}

func (e *Emulator) usersInfo(c *call) (answer, error) {
	key := c.text("user")
	if key == c.workspace.BotUser {
		return answer{"user": c.bot()}, nil
	}
	p, known := c.workspace.person(key)
	if !known || p.ID != key {
		return nil, fail("user_not_found")
	}
	return answer{"user": p.wire(c.workspace, c.now)}, nil
}

func (e *Emulator) usersLookupByEmail(c *call) (answer, error) {
	key := c.text("email")
	p, known := c.workspace.person(key)
	if !known || !strings.EqualFold(p.Email, key) {
		return nil, fail("users_not_found")
	}
	return answer{"user": p.wire(c.workspace, c.now)}, nil
}

func (e *Emulator) usersList(c *call) (answer, error) {
	members := []answer{c.bot()}
	for _, p := range c.workspace.People {
		members = append(members, p.wire(c.workspace, c.now))
	}
	page, next, err := c.page(len(members), 1000)
	if err != nil {
		return nil, err
	}
	return answer{"members": members[page[0]:page[1]], "cache_ts": c.now.Unix(), "response_metadata": answer{"next_cursor": next}}, nil
}

// wire is a channel as conversations.* show it.
func (ch *Channel) wire(w *Workspace) answer {
	out := answer{
		"id": ch.ID, "name": ch.Name, "is_channel": !ch.Direct && !ch.Private, "is_group": ch.Private, "is_im": ch.Direct, "is_private": ch.Private || ch.Direct,
		"is_member": ch.has(w.BotUser), "is_archived": false, "num_members": len(ch.Members), "context_team_id": w.ID,
	}
	if ch.Direct {
		out["user"], out["is_open"] = ch.Members[0], true
		delete(out, "name")
	}
	return out
}

// openDirect finds or makes the direct message with a person and tells their
// page when it is new.
func (e *Emulator) openDirect(w *Workspace, user string) (c *Channel, made bool) {
	c, made = w.direct(user)
	if made {
		e.keep(record{Workspace: w})
		e.show(w, update{Type: "channels", User: user})
	}
	return c, made
}

func (e *Emulator) conversationsOpen(c *call) (answer, error) {
	if key := c.text("channel"); key != "" {
		channel, known := c.workspace.channel(key)
		if !known || !channel.Direct {
			return nil, fail("channel_not_found")
		}
		return answer{"no_op": true, "already_open": true, "channel": c.opened(channel)}, nil
	}
	users := strings.Split(c.text("users"), ",")
	if users[0] == "" {
		return nil, fail("users_list_not_supplied")
	}
	if len(users) > 1 {
		return nil, fail("method_not_supported_for_channel_type") // group direct messages are not played
	}
	p, known := c.workspace.person(users[0])
	if !known || p.ID != users[0] {
		return nil, fail("user_not_found")
	}
	channel, made := e.openDirect(c.workspace, p.ID)
	return answer{"no_op": !made, "already_open": !made, "channel": c.opened(channel)}, nil
}

// opened is what conversations.open shows: the id, or everything.
func (c *call) opened(channel *Channel) answer {
	if c.flag("return_im") {
		return channel.wire(c.workspace)
	}
	return answer{"id": channel.ID}
}

// visible finds a channel that the app can see.
func (e *Emulator) visible(c *call) (*Channel, error) {
	channel, known := c.workspace.channel(c.text("channel"))
	if !known || (channel.Private || channel.Direct) && !channel.has(c.workspace.BotUser) {
		return nil, fail("channel_not_found")
	}
	return channel, nil
}

func (e *Emulator) conversationsInfo(c *call) (answer, error) {
	channel, err := e.visible(c)
	if err != nil {
		return nil, err
	}
	return answer{"channel": channel.wire(c.workspace)}, nil
}

func (e *Emulator) conversationsList(c *call) (answer, error) {
	types := c.text("types")
	if types == "" {
		types = "public_channel"
	}
	all := []answer{}
	for i := range c.workspace.Channels {
		ch := &c.workspace.Channels[i]
		kind := "public_channel"
		switch {
		case ch.Direct:
			kind = "im"
		case ch.Private:
			kind = "private_channel"
		}
		if slices.Contains(strings.Split(types, ","), kind) && (kind == "public_channel" || ch.has(c.workspace.BotUser)) {
			all = append(all, ch.wire(c.workspace))
		}
	}
	page, next, err := c.page(len(all), 1000)
	if err != nil {
		return nil, err
	}
	return answer{"channels": all[page[0]:page[1]], "response_metadata": answer{"next_cursor": next}}, nil
}

func (e *Emulator) conversationsMembers(c *call) (answer, error) {
	channel, err := e.visible(c)
	if err != nil {
		return nil, err
	}
	page, next, err := c.page(len(channel.Members), 1000)
	if err != nil {
		return nil, err
	}
	return answer{"members": slices.Clone(channel.Members[page[0]:page[1]]), "response_metadata": answer{"next_cursor": next}}, nil
}

func (e *Emulator) conversationsHistory(c *call) (answer, error) {
	channel, err := e.visible(c)
	if err != nil {
		return nil, err
	}
	if !channel.has(c.workspace.BotUser) {
		return nil, fail("not_in_channel")
	}
	found := []map[string]any{}
	for _, m := range slices.Backward(e.memory.messages[channel.ID]) {
		if m.For == "" && m.DeletedAt == nil && c.between(m.TS) {
			found = append(found, m.wire(c.workspace))
		}
	}
	page, next, err := c.page(len(found), 999)
	if err != nil {
		return nil, err
	}
	return answer{"messages": found[page[0]:page[1]], "has_more": next != "", "response_metadata": answer{"next_cursor": next}}, nil
}

// between says whether a time stamp lies between the arguments oldest and
// latest.
func (c *call) between(ts string) bool {
	oldest, latest := c.text("oldest"), c.text("latest")
	if ts == oldest || ts == latest {
		return c.flag("inclusive")
	}
	return ts > oldest && (latest == "" || ts < latest)
}

// page is the part of n things that cursor and limit ask for, and the cursor
// of the next one.
func (c *call) page(n, most int) (part [2]int, next string, err error) {
	if cursor := c.text("cursor"); cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &part[0]); err != nil || part[0] < 0 || part[0] > n {
			return part, "", fail("invalid_cursor")
		}
	}
	part[1] = min(n, part[0]+c.number("limit", most))
	if part[1] < n {
		raw, err := json.Marshal(part[1])
		return part, string(raw), err
	}
	return part, "", nil
}
