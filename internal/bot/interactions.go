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
	r := request{who: who, from: in.from, once: "action:" + in.trigger + ":" + in.actionTS, responseURL: in.responseURL, clicked: true}
	switch in.action {
	case actionRetry:
		r.cmd = command{verb: verbUp, target: in.value}
		return b.do(ctx, &r, (*Bot).retry)
	case actionExtend:
		return nil, b.openExtend(ctx, in, who)
	case actionNew:
		return nil, b.openUp(ctx, in, who)
	}
	typed, known := typedFor(in)
	if !known {
		return nil, environment.Errorf(environment.CodeInvalid, "This button is from another version of daskbot; `/dask` shows the present ones.")
	}
	r.cmd = typed
	a, err := b.run(ctx, r)
	if err == nil && a.login != nil && in.responseURL == "" { // from the home tab: the direct message would keep it
		return nil, b.openView(ctx, in, *a.login)
	}
	return a, err
}

// typedFor is the command that a button stands for, where it stands for one.
func typedFor(in interaction) (cmd command, known bool) {
	switch in.action {
	case actionStop:
		return command{verb: verbDown, target: in.value}, true
	case actionExtend1:
		return command{verb: verbExtend, span: time.Hour, target: in.value}, true
	case actionExtend2:
		return command{verb: verbExtend, span: 2 * time.Hour, target: in.value}, true
	case actionStatus:
		return command{verb: verbStatus, target: in.value}, true
	case actionOpen:
		return command{verb: verbOpen, target: in.value}, true
	case actionWhy:
		return command{verb: verbWhy, target: in.value}, true
	case actionClassUp:
		return command{verb: verbClass, does: verbUp, course: in.value}, true
	case actionClassDown:
		return command{verb: verbClass, does: verbDown, course: in.value}, true
	default:
		return command{}, false
	}
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
