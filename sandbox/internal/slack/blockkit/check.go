package blockkit

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Limits of Slack that concern the whole.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxID            = 255
	maxTotal         = 13_200 // characters of all blocks of a message; Slack documents no number
	maxView          = 250_000
)

// TooLong is the only problem of a message whose blocks are too long together.
const TooLong = "msg_blocks_too_long"

// Where blocks are used decides which may be.
const (
	message = "message"
	modal   = "modal"
	home    = "home"
)

// object is a JSON object.
type object = map[string]any

// checker collects what is wrong.
type checker struct {
	surface  string
	problems []string
	blockIDs map[string]bool
}

// Message checks the blocks of a message and returns them with ids filled in.
// The problems are empty when Slack would take it.
func Message(raw json.RawMessage) (json.RawMessage, []string) {
	c := checker{surface: message, blockIDs: map[string]bool{}}
	var blocks []any
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return nil, []string{"[ERROR] must be an array of blocks [json-pointer:/blocks]"}
	}
	if utf8.RuneCount(raw) > maxTotal {
		return nil, []string{TooLong}
	}
	c.blocks("/blocks", blocks, maxMessageBlocks)
	return c.filled(blocks)
}

// View checks a modal or a home tab and returns it with ids filled in.
func View(raw json.RawMessage) (json.RawMessage, []string) {
	var v object
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, []string{"[ERROR] must be an object [json-pointer:/view]"}
	}
	c := checker{blockIDs: map[string]bool{}}
	c.surface, _ = v["type"].(string)
	if c.surface != modal && c.surface != home {
		return nil, []string{"[ERROR] unsupported type: " + c.surface + " [json-pointer:/view/type]"}
	}
	if len(raw) > maxView {
		return nil, []string{"[ERROR] view is too large [json-pointer:/view]"}
	}
	c.length("/view/private_metadata", v["private_metadata"], 3000)
	c.length("/view/callback_id", v["callback_id"], maxID)
	c.length("/view/external_id", v["external_id"], maxID)
	blocks := c.list("/view", v, "blocks")
	if c.surface == modal {
		c.plain("/view", v, "title", 24, true)
		c.plain("/view", v, "submit", 24, false)
		c.plain("/view", v, "close", 24, false)
		if v["submit"] == nil && slices.ContainsFunc(blocks, func(b any) bool { o, _ := b.(object); return o["type"] == "input" }) {
			c.wrong("/view", "missing required field: submit")
		}
	}
	c.blocks("/view/blocks", blocks, maxViewBlocks)
	return c.filled(v)
}

func (c *checker) filled(v any) (json.RawMessage, []string) {
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, []string{"[ERROR] " + err.Error()}
	}
	return out, nil
}

func (c *checker) wrong(at, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf("[ERROR] "+format+" [json-pointer:"+at+"]", args...))
}

func (c *checker) blocks(at string, blocks []any, most int) {
	if len(blocks) > most {
		c.wrong(at, "no more than %d items allowed", most)
		return
	}
	plans, tasks := 0, 0
	for i, b := range blocks {
		at := fmt.Sprintf("%s/%d", at, i)
		o, ok := b.(object)
		if !ok {
			c.wrong(at, "must be an object")
			continue
		}
		c.block(at, o)
		switch o["type"] {
		case "plan":
			plans++
		case "task_card":
			tasks++
		}
	}
	if plans > 1 || plans > 0 && tasks > 0 {
		c.wrong(at, "plan and task_card blocks cannot be used together")
	}
}

// blockChecks are the blocks that there are.
func blockChecks() map[string]func(*checker, string, object) {
	return map[string]func(*checker, string, object){
		"section": (*checker).section, "header": (*checker).header, "divider": func(*checker, string, object) {},
		"context": (*checker).context, "actions": (*checker).actions, "input": (*checker).input, "image": (*checker).image,
		"rich_text": (*checker).richText, "markdown": (*checker).markdown, "plan": (*checker).plan, "task_card": (*checker).taskCard,
	}
}

// surfaces says where blocks belong that do not belong everywhere.
var surfaces = map[string][]string{
	"plan": {message}, "task_card": {message}, "markdown": {message},
}

func (c *checker) block(at string, b object) {
	kind, _ := b["type"].(string)
	check, known := blockChecks()[kind]
	if where, limited := surfaces[kind]; !known || limited && !slices.Contains(where, c.surface) {
		c.wrong(at+"/type", "unsupported type: %s", kind)
		return
	}
	c.id(at, b, "block_id")
	if id := b["block_id"].(string); c.blockIDs[id] {
		c.wrong(at+"/block_id", "block_id already exists: %s", id)
	} else {
		c.blockIDs[id] = true
	}
	check(c, at, b)
}

// id checks an id, and makes one up when there is none.
func (c *checker) id(at string, o object, field string) {
	s, isText := o[field].(string)
	switch {
	case o[field] == nil || isText && s == "":
		o[field] = rand.Text()[:5]
	case !isText:
		c.wrong(at+"/"+field, "must be a string")
		o[field] = rand.Text()
	case utf8.RuneCountInString(s) > maxID:
		c.wrong(at+"/"+field, "must be less than %d characters", maxID+1)
	}
}

func (c *checker) length(at string, v any, most int) {
	s, _ := v.(string)
	if utf8.RuneCountInString(s) > most {
		c.wrong(at, "must be less than %d characters", most+1)
	}
}

// needs checks a field that must have text.
func (c *checker) needs(at string, o object, field string, most int) {
	if s, _ := o[field].(string); s == "" {
		c.wrong(at, "missing required field: %s", field)
	}
	c.length(at+"/"+field, o[field], most)
}

func (c *checker) list(at string, o object, field string) []any {
	list, ok := o[field].([]any)
	if !ok {
		c.wrong(at, "missing required field: %s", field)
	}
	return list
}

// each calls f for the objects of a list that has from least to most items.
func (c *checker) each(at string, o object, field string, least, most int, f func(at string, o object)) {
	list := c.list(at, o, field)
	at += "/" + field
	if len(list) > most {
		c.wrong(at, "no more than %d items allowed", most)
	}
	if len(list) < least {
		c.wrong(at, "no fewer than %d items allowed", least)
	}
	for i, item := range list {
		at := fmt.Sprintf("%s/%d", at, i)
		if o, ok := item.(object); ok {
			f(at, o)
		} else {
			c.wrong(at, "must be an object")
		}
	}
}

// text checks a text object of either kind.
func (c *checker) text(at string, o object, field string, most int, required bool) {
	if o[field] == nil {
		if required {
			c.wrong(at, "missing required field: %s", field)
		}
		return
	}
	at += "/" + field
	t, ok := o[field].(object)
	if !ok {
		c.wrong(at, "must be an object")
		return
	}
	if t["type"] != "plain_text" && t["type"] != "mrkdwn" {
		c.wrong(at+"/type", "unsupported type: %v", t["type"])
	}
	s, _ := t["text"].(string)
	if s == "" {
		c.wrong(at+"/text", "must be more than 0 characters")
	}
	c.length(at+"/text", s, most)
}

// plain is text that has to be plain.
func (c *checker) plain(at string, o object, field string, most int, required bool) {
	c.text(at, o, field, most, required)
	if t, ok := o[field].(object); ok && t["type"] == "mrkdwn" {
		c.wrong(at+"/"+field+"/type", "must be plain_text")
	}
}
