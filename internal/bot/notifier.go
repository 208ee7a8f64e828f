package bot

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// memory is what was told about one environment.
type memory struct {
	Account string    `json:"account,omitempty"` // who was told
	Channel string    `json:"channel,omitempty"`
	TS      string    `json:"ts,omitempty"`    // of the message that is edited in place
	Shown   string    `json:"shown,omitempty"` // fingerprint of what it shows
	ShownAt time.Time `json:"shownAt,omitzero"`
	Told    []string  `json:"told,omitempty"`  // kinds of message that were posted
	Doing   string    `json:"doing,omitempty"` // the kind being posted: it may have arrived
	// DoingEnd is what Doing is about, when it is a warning.
	DoingEnd environment.Ending `json:"doingEnd,omitzero"`
	Plain    bool               `json:"plain,omitempty"` // this workspace cannot show plans
	// Notes are posted messages whose buttons and times must not go stale.
	Notes map[string]note `json:"notes,omitempty"`
}

// note is a message beside the one that follows.
type note struct {
	TS    string `json:"ts"`
	Shown string `json:"shown"`
	// End is what a warning was about.
	End environment.Ending `json:"end,omitzero"`
}

// The kinds of message.
const (
	kindProgress = "progress"
	kindReady    = "ready"
	kindFailed   = "failed"
	kindWarned   = "warned:" // and which end, how long ahead
	kindUndone   = "undone:" // and the event's number
	kindBudget   = "budget:" // and the event's number
	kindEnded    = "ended"
)

// Name keeps what is told in Slack apart.
func (b *Bot) Name() string { return "slack" }

// editEvery is how often a message about work in progress is edited at most.
const editEvery = 2 * time.Second

// stale is how long after its end an environment that was never mentioned is
// not mentioned any more: the bot was just installed.
const stale = time.Hour

// Tell posts and edits the owner's messages until they agree with the
// environment: one message that follows it, and one more for each of ready,
// about to end, change undone, failed and ended. An owner without a Slack account is told
// nothing.
func (b *Bot) Tell(ctx context.Context, e environment.Environment, remembered string, keep func(context.Context, string) error) (time.Duration, error) {
	var m memory
	if remembered != "" {
		if err := json.Unmarshal([]byte(remembered), &m); err != nil {
			return 0, err
		}
	}
	person, err := b.service.Person(ctx, itself, e.Owner)
	if m.Account != "" && !accountOf(m.Account).is(accountOf(person.SlackID)) {
		m = memory{} // linked to another account, which was told nothing
	}
	m.Account = person.SlackID
	if err != nil || person.SlackID == "" || m.TS == "" && b.longOver(e) {
		return 0, err
	}
	to := accountOf(person.SlackID)
	api, err := b.client(ctx, to.team)
	if err != nil {
		return 0, err
	}
	t := &telling{bot: b, api: api, e: e, user: to.user, m: m, keep: keep}
	if err := t.load(ctx); err != nil {
		return 0, err
	}
	return t.run(ctx)
}

func (b *Bot) longOver(e environment.Environment) bool {
	return e.State == environment.StateDeleted && b.now().Sub(e.DeletedAt) > stale ||
		e.State == environment.StateFailed && e.Failure != nil && b.now().Sub(e.Failure.At) > stale
}

// telling is one look at one environment.
type telling struct {
	bot    *Bot
	api    *client // of the owner's workspace
	e      environment.Environment
	look   environment.Look
	events []environment.Event
	user   string
	m      memory
	keep   func(context.Context, string) error
}

func (t *telling) load(ctx context.Context) (err error) {
	if t.look, err = t.bot.service.Look(ctx, itself, t.e.ID); err != nil {
		return err
	}
	t.events, err = t.bot.service.Events(ctx, itself, t.e.ID, 0, 0)
	return err
}

func (t *telling) run(ctx context.Context) (time.Duration, error) {
	if err := t.follow(ctx); err != nil {
		return 0, err
	}
	if err := t.clearUp(ctx); err != nil {
		return 0, err
	}
	for _, kind := range t.inTurn() {
		if err := t.once(ctx, kind, t.notice); err != nil {
			return 0, err
		}
	}
	again, err := t.edit(ctx)
	if err != nil {
		return 0, err
	}
	return again, t.editNotes(ctx)
}

// clearUp looks for a message that was perhaps posted before a crash, and that
// would not be posted any more: if it is there, its buttons and its login must
// not go stale.
func (t *telling) clearUp(ctx context.Context) error {
	kind := t.m.Doing
	if kind == "" || slices.Contains(t.due(), kind) {
		return nil
	}
	ts, err := t.find(ctx, kind)
	if err != nil {
		return err
	}
	if ts != "" {
		t.m.Told = append(t.m.Told, kind)
		if keptFresh(kind) {
			t.remember(kind, ts, "")
		}
	}
	t.m.Doing = ""
	return t.save(ctx)
}

// due lists what has to be said beside the message that follows. Only what is
// true now: somebody whose environment failed while Slack was down need not
// first be told that it was ready.
func (t *telling) due() []string {
	var kinds []string
	switch t.e.State {
	case environment.StateReady:
		kinds = append(kinds, kindReady)
		if warned := t.warned(); warned != "" {
			kinds = append(kinds, warned)
		}
		if ev, ok := t.last(environment.EventRolledBack); ok {
			kinds = append(kinds, kindUndone+strconv.FormatInt(ev.Seq, 10))
		}
	case environment.StateUpdating:
		if warned := t.warned(); warned != "" {
			kinds = append(kinds, warned)
		}
	case environment.StateFailed:
		kinds = append(kinds, kindFailed)
	case environment.StateDeleted:
		// That a failure is cleared away by itself is nothing new; whoever asked
		// for that was promised to hear of it.
		if _, asked := t.last(environment.EventStopping); asked || !slices.Contains(t.m.Told, kindFailed) {
			kinds = append(kinds, kindEnded)
		}
	default: // in between, the message that follows says it all
	}
	if ev, ok := t.last(environment.EventBudget); ok { // of the owner, not of this environment: it counts whatever became of that
		kinds = append(kinds, kindBudget+strconv.FormatInt(ev.Seq, 10))
	}
	return slices.DeleteFunc(kinds, func(k string) bool { return slices.Contains(t.m.Told, k) })
}

// inTurn is due with what was perhaps posted first: only one such kind is kept
// in mind, so that another one posted before it would have it told twice.
func (t *telling) inTurn() []string {
	kinds := t.due()
	if i := slices.Index(kinds, t.m.Doing); i > 0 {
		kinds = slices.Insert(slices.Delete(kinds, i, i+1), 0, t.m.Doing)
	}
	return kinds
}

// last is the last event of a type.
func (t *telling) last(kind environment.EventType) (environment.Event, bool) {
	for _, ev := range slices.Backward(t.events) {
		if ev.Type == kind {
			return ev, true
		}
	}
	return environment.Event{}, false
}

// follow posts the message that will be edited.
func (t *telling) follow(ctx context.Context) error {
	if t.m.TS != "" {
		return nil
	}
	return t.once(ctx, kindProgress, func(context.Context, string) (message, error) { return t.progress(), nil })
}

// progress is the message that follows, as this workspace can show it.
func (t *telling) progress() message { return progressMessage(t.e, t.look, t.events, t.m.Plain) }

// versions of a message, from the best to the one that Slack always takes: a
// block that it refuses must not cost the message.
func (t *telling) versions(kind string, said message) []message {
	if kind == kindProgress && !t.m.Plain {
		return []message{said, progressMessage(t.e, t.look, t.events, true), said.withoutBlocks()}
	}
	return []message{said, said.withoutBlocks()}
}

// once posts a message of a kind that was not posted yet. That it is being
// posted is kept first: after a crash in between it is looked for in Slack.
func (t *telling) once(ctx context.Context, kind string, render func(context.Context, string) (message, error)) error {
	said, err := render(ctx, kind)
	if err != nil {
		return err
	}
	ts, shown := "", "" // what is found says what was true when it was posted
	if t.m.Doing == kind {
		if ts, err = t.find(ctx, kind); err != nil {
			return err
		}
	}
	if ts == "" {
		if ts, err = t.post(ctx, kind, said); err != nil {
			return err
		}
		shown = t.shown(kind, said)
		if kind == kindProgress {
			t.m.Shown, t.m.ShownAt = fingerprint(t.progress()), t.bot.now()
		}
	}
	if kind == kindProgress {
		t.m.TS = ts
	}
	if keptFresh(kind) {
		t.remember(kind, ts, shown)
	}
	t.m.Told, t.m.Doing = append(t.m.Told, kind), ""
	return t.save(ctx)
}

// find looks for a message that a crash may have left untold. Where the app
// may not read its own messages, saying it twice is better than never.
func (t *telling) find(ctx context.Context, kind string) (ts string, err error) {
	channel, ts, err := t.api.find(ctx, t.user, t.e.ID, kind, t.e.CreatedAt)
	if refusal(err) == "missing_scope" {
		return "", nil
	}
	if ts != "" && t.m.Channel == "" {
		t.m.Channel = channel
	}
	return ts, err
}

func (t *telling) post(ctx context.Context, kind string, said message) (string, error) {
	where := t.m.Channel
	if where == "" {
		where = t.user // Slack makes the direct message and says its name
	}
	reserve := 0.0
	if kind == kindProgress {
		reserve = t.reserve()
	}
	if err := t.api.limits.takeAbove("chat.postMessage", where, reserve); err != nil {
		if t.m.Doing == kind { // an earlier attempt, which was looked for
			t.undo(ctx, err)
		}
		return "", err
	}
	if t.m.Doing != kind {
		t.m.Doing, t.m.DoingEnd = kind, t.endMeant(kind)
		if err := t.save(ctx); err != nil {
			return "", err
		}
	}
	channel, ts, shown, err := t.api.post(ctx, where, mark(t.e.ID, kind), t.versions(kind, said)...)
	if err != nil {
		t.undo(ctx, err)
		return "", err
	}
	t.m.Plain = t.m.Plain || kind == kindProgress && shown > 0
	if t.m.Channel == "" {
		t.m.Channel = channel
	}
	return ts, nil
}

// undo forgets an attempt that Slack certainly did not carry out, so that the
// next one need not look for it.
func (t *telling) undo(ctx context.Context, err error) {
	var e *environment.Error
	if errors.As(err, &e) && !e.Ambiguous {
		t.m.Doing = ""
		if err := t.save(ctx); err != nil {
			t.bot.log.Debug("keep what was told", "reason", err.Error(), "env_id", t.e.ID)
		}
	}
}

func (t *telling) save(ctx context.Context) error {
	text, err := json.Marshal(t.m)
	if err != nil {
		return err
	}
	return t.keep(ctx, string(text))
}

// finalReserve are calls of a method kept back for what cannot wait: messages
// that reach their final state, and warnings.
const finalReserve = 5

// reserve is what a class that starts leaves to those who are ready, or about
// to lose what they have.
func (t *telling) reserve() float64 {
	if t.e.State == environment.StateReady || t.e.State.Terminal() {
		return 0
	}
	return finalReserve
}

// edit makes the message that follows show the present.
func (t *telling) edit(ctx context.Context) (time.Duration, error) {
	now := t.bot.now()
	want := t.progress()
	if fingerprint(want) == t.m.Shown {
		return 0, nil
	}
	if wait := t.m.ShownAt.Add(editEvery).Sub(now); wait > 0 && t.reserve() > 0 {
		return wait, nil
	}
	if err := t.api.limits.takeAbove("chat.update", t.m.Channel, t.reserve()); err != nil {
		return 0, err
	}
	shown, err := t.api.update(ctx, t.m.Channel, t.m.TS, mark(t.e.ID, kindProgress), t.versions(kindProgress, want)...)
	if err != nil && !gone(err) {
		return 0, err
	}
	t.m.Plain = t.m.Plain || shown > 0
	t.m.Shown, t.m.ShownAt = fingerprint(t.progress()), now
	return 0, t.save(ctx)
}

func fingerprint(m message) string {
	return environment.Fingerprint(struct {
		Text   string
		Blocks []block
	}{m.text, m.blocks})
}

func (t *telling) notice(ctx context.Context, kind string) (message, error) {
	switch {
	case kind == kindReady:
		creds, err := t.credentials(ctx)
		return readyMessage(t.e, creds, t.longest()), err
	case strings.HasPrefix(kind, kindWarned):
		return warnedMessage(t.e, t.longest()), nil
	case kind == kindFailed:
		return failedMessage(t.e), nil
	case kind == kindEnded:
		return endedMessage(t.e, t.look, t.events), nil
	case strings.HasPrefix(kind, kindBudget):
		ev, _ := t.last(environment.EventBudget)
		return budgetMessage(ev.Message), nil
	default:
		return undoneMessage(t.e, t.undoneBecause(kind)), nil
	}
}
