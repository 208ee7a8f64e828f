package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// keptFresh says which messages are edited after they were posted: those with
// a time that can move, and with buttons that can come to mean nothing.
func keptFresh(kind string) bool {
	return kind == kindReady || strings.HasPrefix(kind, kindWarned) || strings.HasPrefix(kind, kindUndone)
}

// sameEnd is how far apart two ends are the same one: what a hub says about
// its last use jitters.
const sameEnd = 2 * time.Minute

// warned names the warning that is due, "" while no end is near. One end has
// one warning for each time ahead: an end that moved is another one, and one
// that was taken back and comes again is not.
func (t *telling) warned() string {
	end := t.e.Ending
	if end == nil {
		return ""
	}
	for kind, n := range t.m.Notes {
		if n.End.Lead == end.Lead && n.End.Cause == end.Cause && n.End.At.Sub(end.At).Abs() <= sameEnd {
			return kind
		}
	}
	return fmt.Sprintf("%s%d:%d", kindWarned, end.At.Unix(), int(end.Lead/time.Second))
}

func (t *telling) remember(kind, ts, shown string) {
	if t.m.Notes == nil {
		t.m.Notes = map[string]note{}
	}
	n := note{TS: ts, Shown: shown, End: t.endMeant(kind)}
	if kind == t.m.Doing && !t.m.DoingEnd.At.IsZero() { // which may have been posted when another end was near
		n.End = t.m.DoingEnd
	}
	t.m.Notes[kind] = n
}

// endMeant is the end that a warning is about which is posted now; the zero
// Ending for any other message.
func (t *telling) endMeant(kind string) environment.Ending {
	if !strings.HasPrefix(kind, kindWarned) || t.e.Ending == nil {
		return environment.Ending{}
	}
	return *t.e.Ending
}

func (t *telling) owner() environment.Caller {
	return environment.Caller{Subject: t.e.Owner, Role: environment.RoleStudent}
}

func (t *telling) credentials(ctx context.Context) (environment.Credentials, error) {
	return t.bot.service.Credentials(ctx, t.owner(), t.e.ID)
}

// longest is how much longer the owner may ask for.
func (t *telling) longest() time.Duration { return t.bot.service.LongestExtension(t.owner(), t.e) }

// shown is the fingerprint of a message; of the one with credentials, without
// them.
func (t *telling) shown(kind string, said message) string {
	if over := t.settled(kind); over != "" {
		return over
	}
	if kind == kindReady && t.usable() {
		said = readyMessage(t.e, environment.Credentials{URL: t.e.URL}, t.longest())
	}
	return fingerprint(said)
}

// settled stands for what a warning says that does not hold any more: why not,
// which is decided by the last thing that happened to the end. What is known of
// the use at that moment is not looked up again.
func (t *telling) settled(kind string) string {
	if !strings.HasPrefix(kind, kindWarned) || kind == t.warned() && t.usable() {
		return ""
	}
	return fmt.Sprintf("after %d, %s", lastWord(t.events).Seq, t.e.State)
}

// lastWord is the last event that moved the end.
func lastWord(events []environment.Event) environment.Event {
	for _, ev := range slices.Backward(events) {
		switch ev.Type {
		case environment.EventWarned, environment.EventKept, environment.EventExtended, environment.EventStopping, environment.EventDeleted:
			return ev
		default:
		}
	}
	return environment.Event{}
}

// usable says whether the owner can work with it now.
func (t *telling) usable() bool {
	return t.e.Desired == environment.Present && !t.e.ReadyAt.IsZero() && t.e.URL != ""
}

// editNotes makes the messages beside the one that follows true again. They
// leave room for that one, which says the same.
func (t *telling) editNotes(ctx context.Context) error {
	for _, kind := range slices.Sorted(maps.Keys(t.m.Notes)) {
		if err := t.editNote(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

func (t *telling) editNote(ctx context.Context, kind string) error {
	n := t.m.Notes[kind]
	if over := t.settled(kind); over != "" && over == n.Shown {
		return nil
	}
	want, err := t.present(ctx, kind)
	if err != nil || t.shown(kind, want) == n.Shown {
		return err
	}
	if err := t.api.limits.takeAbove("chat.update", t.m.Channel, finalReserve); err != nil {
		return err
	}
	_, err = t.api.update(ctx, t.m.Channel, n.TS, mark(t.e.ID, kind), t.versions(kind, want)...)
	if gone(err) {
		delete(t.m.Notes, kind)
		return t.save(ctx)
	}
	if err != nil {
		return err
	}
	n.Shown = t.shown(kind, want)
	t.m.Notes[kind] = n
	return t.save(ctx)
}

// present is what a posted message should say now.
func (t *telling) present(ctx context.Context, kind string) (message, error) {
	switch {
	case kind == kindReady && t.usable():
		return t.notice(ctx, kind)
	case kind == kindReady:
		return wasReadyMessage(t.e), nil
	case strings.HasPrefix(kind, kindUndone) && t.usable():
		return undoneMessage(t.e, t.undoneBecause(kind)), nil
	case strings.HasPrefix(kind, kindUndone):
		return wasUndoneMessage(t.e), nil
	case kind == t.warned() && t.usable():
		return warnedMessage(t.e, t.longest()), nil
	default:
		return wasWarnedMessage(t.e, t.look, t.events), nil
	}
}

// undoneBecause is why the change that a message is about was taken back.
func (t *telling) undoneBecause(kind string) string {
	for _, ev := range t.events {
		if ev.Type == environment.EventRolledBack && kind == kindUndone+strconv.FormatInt(ev.Seq, 10) {
			return ev.Message
		}
	}
	return ""
}

// gone says that a message cannot be edited any more: somebody removed it, or
// it is too old.
func gone(err error) bool {
	return slices.Contains([]string{"message_not_found", "cant_update_message", "edit_window_closed"}, refusal(err))
}
