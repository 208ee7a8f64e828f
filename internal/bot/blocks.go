package bot

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// Block Kit's limits. Slack refuses a whole message for one character too
// many, so everything is cut here and nowhere else.
const (
	maxBlocks      = 50
	maxViewBlocks  = 100
	maxSection     = 3000
	maxHeader      = 150
	maxButton      = 75
	maxID          = 255
	maxValue       = 2000
	maxURL         = 3000
	maxActions     = 25
	maxContext     = 10
	maxTitle       = 24 // of a modal
	maxConfirmText = 300
	maxOptionText  = 75
	maxOptions     = 100
	maxText        = 3900   // the top-level text; Slack cuts at 4000
	maxMessage     = 12_000 // all blocks together, as JSON; Slack refuses at about 13,200
	maxView        = 200_000
)

// clip shortens text to n characters, with an ellipsis in place of the rest.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// escape makes text from elsewhere mean itself in Slack's markup.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// block is one block of Block Kit.
type block = slack.Block

// message is what is posted: text for notifications and screen readers, and
// blocks for the eye. bare is said where Slack takes no blocks; text when empty.
type message struct {
	text   string
	blocks []slack.Block
	bare   string
}

// withoutBlocks says what it can where blocks are refused.
func (m message) withoutBlocks() message {
	if m.bare != "" {
		return message{text: m.bare}
	}
	return message{text: m.text}
}

// more is what stands in place of blocks that do not fit.
const more = "There is more than fits here; `/dask list` or the web show the rest."

// newMessage drops blocks from the end when there are too many, and says so;
// what matters comes first, and text says it all.
func newMessage(text string, blocks ...slack.Block) message {
	return message{text: clip(text, maxText), blocks: fit(blocks, maxBlocks, maxMessage, more)}
}

// fit keeps as many blocks as there may be, with a hint in place of the rest.
func fit(blocks []slack.Block, most, bytes int, hint string) []slack.Block {
	blocks = present(blocks)
	if len(blocks) <= most && size(blocks) <= bytes {
		return blocks
	}
	blocks = blocks[:min(len(blocks), most)]
	for {
		blocks = blocks[:max(len(blocks)-1, 1)]
		cut := append(slices.Clone(blocks), contextLine(hint))
		if len(blocks) == 1 || size(cut) <= bytes {
			return cut
		}
	}
}

// fitRows spreads rows over sections behind the blocks that are there, as far
// as a message has room, and says how many of them there are room for.
func fitRows(blocks []slack.Block, rows []string) (all []slack.Block, shown int) {
	const rest = 500 // for a hint, and what sections are made of
	room := maxMessage - size(present(blocks)) - rest
	var text strings.Builder
	for _, row := range rows {
		quoted, _ := json.Marshal(row) // as it will be sent
		if room -= len(quoted); room < 0 {
			break
		}
		text.WriteString(row + "\n")
		shown++
	}
	if shown == 0 {
		return blocks, 0
	}
	return append(blocks, lines(strings.TrimSuffix(text.String(), "\n"))...), shown
}

func size(blocks []slack.Block) int {
	b, _ := json.Marshal(blocks) // plain data; a failure counts as empty
	return len(b)
}

// present leaves out blocks that are not there.
func present(blocks []slack.Block) []slack.Block {
	out := make([]slack.Block, 0, len(blocks))
	for _, b := range blocks {
		if b != nil {
			out = append(out, b)
		}
	}
	return out
}

func markdown(text string, n int) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.MarkdownType, Text: clip(text, n)}
}

func plainText(text string, n int) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.PlainTextType, Text: clip(text, n)}
}

func section(text string) slack.Block {
	return slack.NewSectionBlock(markdown(text, maxSection), nil, nil)
}

// sectionWith has a button beside its text.
func sectionWith(text string, b *slack.ButtonBlockElement) slack.Block {
	return slack.NewSectionBlock(markdown(text, maxSection), nil, slack.NewAccessory(b))
}

func header(text string) slack.Block { return slack.NewHeaderBlock(plainText(text, maxHeader)) }

func divider() slack.Block { return slack.NewDividerBlock() }

func contextLine(parts ...string) slack.Block {
	var elements []slack.MixedElement
	for _, p := range parts {
		if p != "" && len(elements) < maxContext {
			elements = append(elements, markdown(p, maxSection))
		}
	}
	if len(elements) == 0 {
		return nil
	}
	return slack.NewContextBlock("", elements...)
}

// actions is a row of buttons; no row when there are none.
func actions(id string, buttons ...*slack.ButtonBlockElement) slack.Block {
	var elements []slack.BlockElement
	for _, b := range buttons {
		if b != nil && len(elements) < maxActions {
			elements = append(elements, b)
		}
	}
	if len(elements) == 0 {
		return nil
	}
	return slack.NewActionBlock(clip(id, maxID), elements...)
}

// button has a label for screen readers that makes sense without its message.
func button(action, text, value, label string) *slack.ButtonBlockElement {
	b := slack.NewButtonBlockElement(clip(action, maxID), clip(value, maxValue), plainText(text, maxButton))
	b.AccessibilityLabel = clip(label, maxButton)
	return b
}

// linkButton opens a page; Slack also reports the click, which is ignored.
func linkButton(action, text, url, label string) *slack.ButtonBlockElement {
	if url == "" || len(url) > maxURL {
		return nil
	}
	b := button(action, text, "", label)
	b.URL = url
	return b.WithStyle(slack.StylePrimary)
}

// confirmed asks before a click that deletes counts.
func confirmed(b *slack.ButtonBlockElement, text string) *slack.ButtonBlockElement {
	b.Confirm = &slack.ConfirmationBlockObject{Title: plainText("Delete it?", maxConfirmText/3), Text: markdown(text, maxConfirmText),
		Confirm: plainText("Delete", 30), Deny: plainText("Keep it", 30), Style: slack.StyleDanger}
	return b.WithStyle(slack.StyleDanger)
}
