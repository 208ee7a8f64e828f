package bot

import (
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// answer is what Slack is sent back at once, or through a response_url. It is
// seen only by the person who asked.
type answer struct {
	ResponseType    string  `json:"response_type,omitempty"`
	Text            string  `json:"text"`
	Blocks          []block `json:"blocks,omitempty"`
	ReplaceOriginal bool    `json:"replace_original"`
}

func private(m message) *answer {
	return &answer{ResponseType: "ephemeral", Text: m.text, Blocks: m.blocks}
}

func say(text string) *answer { return private(newMessage(text, section(text))) }

// sorry says why something was refused or did not work.
func sorry(err error) *answer { return private(refusalMessage(refusalText(err))) }

// inSlack turns what the domain says about its client into what is typed here,
// save for the one command that exists only there.
var inSlack = strings.NewReplacer("`daskbot link`", "`daskbot link` on the command line", "`daskbot project link ", "`/dask project ", "`daskbot ", "`/dask ")

func refusalText(err error) string {
	text := inSlack.Replace(environment.MessageOf(err))
	if environment.CodeOf(err) == environment.CodeUnavailable {
		return text + " You can simply send the command again."
	}
	return text
}
