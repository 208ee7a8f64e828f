package bot

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// answer is what Slack is sent back at once, or through a response_url. It is
// seen only by the person who asked.
type answer struct {
	ResponseType    string  `json:"response_type,omitempty"`
	Text            string  `json:"text"`
	Blocks          []block `json:"blocks,omitempty"`
	ReplaceOriginal bool    `json:"replace_original"`
	// login is an answer with a secret as a form, of which nothing stays where
	// it was shown. Such an answer is never posted as a message.
	login *slack.ModalViewRequest
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

// insistFor is how long a response_url is tried; the rest of answerTime is for
// the direct message.
const insistFor = 12 * time.Second

// answer tells somebody through a response_url or, from the home tab, which
// has none, in the direct message; there too when the response_url takes
// nothing.
func (b *Bot) answer(ctx context.Context, to account, responseURL string, a *answer) {
	if responseURL != "" {
		bounded, cancel := context.WithTimeout(ctx, insistFor)
		err := insist(bounded, true, func() error { return b.api.respond(bounded, responseURL, a) })
		cancel()
		if err == nil {
			return
		}
		b.log.Warn("slack answer", "reason", err.Error(), "slack_user", to.id())
	}
	if a.login != nil {
		a = say("I could not show you how to log in; `/dask open` does.")
	}
	if err := insist(ctx, false, func() error { return b.write(ctx, to, to.user, message{text: a.Text, blocks: a.Blocks}, "answer") }); err != nil {
		b.log.Warn("slack answer", "reason", err.Error(), "slack_user", to.id())
	}
}

// insist tries again what Slack cannot take at the moment, a few times, as long
// as what it asks to wait fits into what ctx leaves. What it may have taken is
// tried again only where saying it twice does no harm.
func insist(ctx context.Context, harmless bool, try func() error) error {
	const longest = 4 * time.Second
	for wait := time.Second; ; wait *= 2 {
		err := try()
		var e *environment.Error
		if !errors.As(err, &e) || e.Code != environment.CodeUnavailable || e.Ambiguous && !harmless || wait > longest {
			return err
		}
		pause := max(wait, e.RetryAfter)
		if end, bounded := ctx.Deadline(); bounded && time.Until(end) <= pause {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
