package blockkit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func x(n int) string { return strings.Repeat("x", n) }

func repeat(n int, block string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(block+",", n), ",") + "]"
}

func button(rest string) string {
	return `{"type":"button","text":{"type":"plain_text","text":"Go"}` + rest + `}`
}

func actions(elements string) string { return `[{"type":"actions","elements":` + elements + `}]` }

// TestMessage breaks one rule a case; "" is what Slack takes.
func TestMessage(t *testing.T) {
	text := func(kind, s string) string { return fmt.Sprintf(`{"type":%q,"text":%q}`, kind, s) }
	section := func(s string) string { return `[{"type":"section","text":` + text("mrkdwn", s) + `}]` }
	option := `{"text":{"type":"plain_text","text":"a"},"value":"a"}`
	tests := map[string]struct{ blocks, want string }{
		"section":             {section(x(3000)), ""},
		"long section":        {section(x(3001)), "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		"runes, not bytes":    {section(strings.Repeat("π", 3000)), ""},
		"empty text":          {section(""), "[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		"empty section":       {`[{"type":"section"}]`, "[ERROR] missing required field: text [json-pointer:/blocks/0]"},
		"eleven fields":       {`[{"type":"section","fields":` + repeat(11, text("mrkdwn", "x")) + `}]`, "[ERROR] no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		"fifty blocks":        {repeat(50, `{"type":"divider"}`), ""},
		"fifty-one blocks":    {repeat(51, `{"type":"divider"}`), "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"},
		"long altogether":     {repeat(5, `{"type":"section","text":`+text("mrkdwn", x(2900))+`}`), TooLong},
		"header in markup":    {`[{"type":"header","text":` + text("mrkdwn", "x") + `}]`, "[ERROR] must be plain_text [json-pointer:/blocks/0/text/type]"},
		"long header":         {`[{"type":"header","text":` + text("plain_text", x(151)) + `}]`, "[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		"context":             {`[{"type":"context","elements":` + repeat(11, text("mrkdwn", "x")) + `}]`, "[ERROR] no more than 10 items allowed [json-pointer:/blocks/0/elements]"},
		"button":              {actions("[" + button(`,"value":"`+x(2000)+`"`) + "]"), ""},
		"value":               {actions("[" + button(`,"value":"`+x(2001)+`"`) + "]"), "[ERROR] must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"},
		"style":               {actions("[" + button(`,"style":"default"`) + "]"), "[ERROR] must be one of primary, danger [json-pointer:/blocks/0/elements/0/style]"},
		"action id":           {actions("[" + button(`,"action_id":"`+x(256)+`"`) + "]"), "[ERROR] must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]"},
		"twenty-six buttons":  {actions(repeat(26, button(""))), "[ERROR] no more than 25 items allowed [json-pointer:/blocks/0/elements]"},
		"same action twice":   {actions("[" + button(`,"action_id":"a"`) + "," + button(`,"action_id":"a"`) + "]"), "[ERROR] action_id already exists: a [json-pointer:/blocks/0/elements/1/action_id]"},
		"same block twice":    {`[{"type":"divider","block_id":"b"},{"type":"divider","block_id":"b"}]`, "[ERROR] block_id already exists: b [json-pointer:/blocks/1/block_id]"},
		"six options":         {actions(`[{"type":"overflow","options":` + repeat(6, option) + `}]`), "[ERROR] no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]"},
		"initial option":      {actions(`[{"type":"static_select","options":[` + option + `],"initial_option":{"text":{"type":"plain_text","text":"b"},"value":"a"}}]`), "[ERROR] must be one of the provided options [json-pointer:/blocks/0/elements/0/initial_option]"},
		"confirm":             {actions("[" + button(`,"confirm":{"title":{"type":"plain_text","text":"Sure?"},"text":{"type":"plain_text","text":"x"},"confirm":{"type":"plain_text","text":"Yes"}}`) + "]"), "[ERROR] missing required field: deny [json-pointer:/blocks/0/elements/0/confirm]"},
		"image without alt":   {`[{"type":"image","image_url":"https://x.example/y.png"}]`, "[ERROR] missing required field: alt_text [json-pointer:/blocks/0]"},
		"plan":                {`[{"type":"plan","title":"t","tasks":[{"type":"task_card","task_id":"1","title":"x","status":"complete"}]}]`, ""},
		"completed":           {`[{"type":"plan","title":"t","tasks":[{"type":"task_card","task_id":"1","title":"x","status":"completed"}]}]`, "[ERROR] must be one of pending, in_progress, complete, error [json-pointer:/blocks/0/tasks/0/status]"},
		"plan beside a task":  {`[{"type":"plan","title":"t"},{"type":"task_card","task_id":"1","title":"x"}]`, "[ERROR] plan and task_card blocks cannot be used together [json-pointer:/blocks]"},
		"input in a message":  {`[{"type":"input","label":` + text("plain_text", "x") + `,"element":{"type":"plain_text_input"}}]`, ""},
		"no such block":       {`[{"type":"button"}]`, "[ERROR] unsupported type: button [json-pointer:/blocks/0/type]"},
		"no list":             {`{"type":"divider"}`, "[ERROR] must be an array of blocks [json-pointer:/blocks]"},
		"text where a object": {`[{"type":"section","text":"x"}]`, "[ERROR] must be an object [json-pointer:/blocks/0/text]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := Message(json.RawMessage(tt.blocks))
			if got := strings.Join(problems, "\n"); got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

func TestView(t *testing.T) {
	modal := func(rest string) string {
		return `{"type":"modal","title":{"type":"plain_text","text":"Up"},"blocks":[{"type":"divider"}]` + rest + `}`
	}
	input := `{"type":"input","label":{"type":"plain_text","text":"x"},"element":{"type":"plain_text_input"}}`
	tests := map[string]struct{ view, want string }{
		"modal":             {modal(""), ""},
		"long title":        {`{"type":"modal","title":{"type":"plain_text","text":"` + x(25) + `"},"blocks":[]}`, "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"},
		"input, no submit":  {`{"type":"modal","title":{"type":"plain_text","text":"Up"},"blocks":[` + input + `]}`, "[ERROR] missing required field: submit [json-pointer:/view]"},
		"long metadata":     {modal(`,"private_metadata":"` + x(3001) + `"`), "[ERROR] must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		"home":              {`{"type":"home","blocks":` + repeat(100, `{"type":"divider"}`) + `}`, ""},
		"long home":         {`{"type":"home","blocks":` + repeat(101, `{"type":"divider"}`) + `}`, "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"},
		"plan in a home":    {`{"type":"home","blocks":[{"type":"plan","title":"t"}]}`, "[ERROR] unsupported type: plan [json-pointer:/view/blocks/0/type]"},
		"neither":           {`{"type":"page"}`, "[ERROR] unsupported type: page [json-pointer:/view/type]"},
		"home of no blocks": {`{"type":"home"}`, "[ERROR] missing required field: blocks [json-pointer:/view]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := View(json.RawMessage(tt.view))
			if got := strings.Join(problems, "\n"); got != tt.want {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

// TestIDs sees that ids an app left out are made up, and those it gave stay.
func TestIDs(t *testing.T) {
	filled, problems := Message(json.RawMessage(`[{"type":"actions","block_id":"mine","elements":[` + button("") + `]},{"type":"divider"}]`))
	var blocks []struct {
		BlockID  string `json:"block_id"`
		Elements []struct {
			ActionID string `json:"action_id"`
		} `json:"elements"`
	}
	if err := json.Unmarshal(filled, &blocks); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if blocks[0].BlockID != "mine" || blocks[0].Elements[0].ActionID == "" || blocks[1].BlockID == "" {
		t.Errorf("got %s", filled)
	}
}
