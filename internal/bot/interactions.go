package bot

import (
	"context"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Interaction kinds that matter; others are acknowledged and ignored.
const (
	clicked   = "block_actions"
	submitted = "view_submission"
)

// onInteraction answers a click or a submitted modal. The result is what goes
// into the acknowledgement: nil for a click.
func (b *Bot) onInteraction(ctx context.Context, in interaction) any {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	switch in.kind {
	case clicked:
		if in.action != actionLink {
			b.onClick(ctx, in)
		}
	case submitted:
		if r := b.onSubmit(ctx, in); r != nil {
			return r
		}
	}
	return nil
}

// onClick does what a button says as whoever clicked it, and tells them alone.
func (b *Bot) onClick(ctx context.Context, in interaction) {
	who, err := b.who(ctx, in.from)
	var a *answer
	if err == nil {
		a, err = b.click(ctx, in, who)
	}
	if err != nil {
		b.logFault("click", err, in.from)
		a = sorry(err)
	}
	if a != nil {
		b.tellLater(in, a)
	}
}

func (b *Bot) click(ctx context.Context, in interaction, who environment.Caller) (*answer, error) {
	r := request{who: who, from: in.from, once: "action:" + in.trigger + ":" + in.actionTS, responseURL: in.responseURL,
		clicked: true, cmd: command{target: in.value}}
	switch in.action {
	case actionStop:
		r.cmd.verb = verbDown
	case actionExtend1, actionExtend2:
		r.cmd.verb, r.cmd.span = verbExtend, time.Hour
		if in.action == actionExtend2 {
			r.cmd.span = 2 * time.Hour
		}
	case actionStatus:
		r.cmd.verb = verbStatus
	case actionOpen:
		r.cmd.verb = verbOpen
	case actionWhy:
		r.cmd.verb = verbWhy
	case actionClassUp:
		r.cmd = command{verb: verbClass, does: verbUp, course: in.value}
	case actionClassDown:
		r.cmd = command{verb: verbClass, does: verbDown, course: in.value}
	case actionRetry:
		return b.retry(ctx, r)
	case actionExtend:
		return nil, b.openExtend(ctx, in, who)
	case actionNew:
		return nil, b.openUp(ctx, in, who)
	default:
		return nil, environment.Errorf(environment.CodeInvalid, "This button is from another version of daskbot; `/dask` shows the present ones.")
	}
	return b.run(ctx, r)
}

// retry asks again for what an environment was.
func (b *Bot) retry(ctx context.Context, r request) (*answer, error) {
	old, err := b.service.Get(ctx, r.who, r.cmd.target)
	if err != nil {
		return nil, err
	}
	e, made, err := b.changes(r).Up(ctx, r.who, environment.Request{Owner: old.Owner, Course: old.Course, Profile: old.Profile,
		TTL: old.Spec.TTL, Workers: &old.Spec.Workers, Packages: old.Spec.Packages})
	if err != nil {
		return nil, err
	}
	return private(upMessage(e, made, r.who.Subject)), nil
}

// tellLater answers a click: through its response_url, or, from the home tab,
// which has none, in the direct message.
func (b *Bot) tellLater(in interaction, a *answer) {
	b.homeChangedFor(in.from)
	if !b.putOff(func(ctx context.Context) { b.answer(ctx, in.from, in.responseURL, a) }) {
		b.log.Warn("slack answer", "reason", "too many answers are under way", "slack_user", in.from.id())
	}
}

// onEvent takes an Events API delivery. An error makes Slack deliver it again.
func (b *Bot) onEvent(ctx context.Context, ev event) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if ev.takenBack { // before it counts as seen: forgetting may be repeated
		if err := b.forget(ctx, ev); err != nil {
			return err
		}
	}
	first, err := b.service.First(ctx, "slack", "event:"+ev.id)
	if err != nil || !first {
		return err
	}
	switch ev.kind {
	case "app_home_opened":
		if ev.tab == "" || ev.tab == "home" {
			b.homeOpened(ctx, ev.from)
		}
	case "message":
		if ev.byPerson && ev.channel != "" {
			b.answerMessage(ev)
		}
	}
	return nil
}

// answerMessage tells somebody who writes to the app how to talk to it.
func (b *Bot) answerMessage(ev event) {
	text := "I do not read messages, only commands: type `/dask` here or anywhere else.\n" + help("")
	said := newMessage(text, section(text), actions("overview", newButton()))
	ok := b.putOff(func(ctx context.Context) {
		if err := b.write(ctx, ev.from, ev.channel, said, "help"); err != nil {
			b.log.Warn("slack answer", "reason", err.Error(), "slack_user", ev.from.id())
		}
	})
	if !ok {
		b.log.Warn("slack answer", "reason", "too many answers are under way", "slack_user", ev.from.id())
	}
}
