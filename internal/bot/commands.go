package bot

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// onCommand answers a slash command. What changes something is committed
// before it is acknowledged; what asks a cluster is answered later.
func (b *Bot) onCommand(ctx context.Context, s slash) *answer {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	cmd, err := parse(s.text)
	if err != nil {
		return sorry(err)
	}
	if cmd.verb == verbHelp {
		return say(help(cmd.word))
	}
	if cmd.verb == verbLink && cmd.word != "" {
		return b.linkTo(ctx, s.from, cmd.word)
	}
	who, err := b.who(ctx, s.from)
	if err != nil {
		b.logFault("command", err, s.from)
		return sorry(err)
	}
	a, err := b.run(ctx, request{who: who, from: s.from, cmd: cmd, once: "command:" + s.trigger, responseURL: s.responseURL})
	if err != nil {
		b.logFault("command", err, s.from)
		return sorry(err)
	}
	return a
}

// logFault logs what is daskbot's fault; a refusal is the caller's matter.
func (b *Bot) logFault(what string, err error, a account) {
	switch environment.CodeOf(err) {
	case environment.CodeInternal, environment.CodeUnavailable:
		b.log.Error("slack delivery", "kind", what, "reason", err.Error(), "slack_user", a.id())
	default:
		b.log.Debug("slack delivery", "kind", what, "reason", err.Error(), "slack_user", a.id())
	}
}

// request is one command of somebody known.
type request struct {
	who         environment.Caller
	from        account
	cmd         command
	once        string // the delivery's key
	responseURL string
	clicked     bool // on a button
	inForm      bool // sent as a form, which has no place for an answer
}

type handler func(*Bot, context.Context, request) (*answer, error)

var handlers = map[verb]handler{
	verbOverview: (*Bot).overview, verbUp: (*Bot).up, verbStatus: (*Bot).status, verbList: (*Bot).list, verbExtend: (*Bot).extend,
	verbDown: (*Bot).down, verbScale: (*Bot).scale, verbPackages: (*Bot).packages, verbLogs: (*Bot).logs, verbOpen: (*Bot).open,
	verbWhy: (*Bot).why, verbCost: (*Bot).cost, verbClass: (*Bot).class, verbLink: (*Bot).link, verbProject: (*Bot).project,
}

func (b *Bot) run(ctx context.Context, r request) (*answer, error) {
	return b.do(ctx, &r, handlers[r.cmd.verb])
}

// do carries out a request with a handler, traced and written down; the handler
// may learn who is asking. Some of the time is kept for the audit log.
func (b *Bot) do(ctx context.Context, r *request, h handler) (*answer, error) {
	trail := environment.TrailOf(ctx)
	if trail.Request == "" { // over a socket there is no request with an id
		trail.Request = environment.NewID()
	}
	ctx, end := b.span(environment.WithTrail(ctx, trail), "slack "+string(r.cmd.verb))
	work, cancel := endingEarlier(ctx, auditWithin)
	defer cancel()
	a, err := h(b, work, *r)
	end(err)
	b.noteDone(ctx, *r, err)
	return a, err
}

func endingEarlier(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	if end, bounded := ctx.Deadline(); bounded {
		return context.WithDeadline(ctx, end.Add(-by))
	}
	return context.WithCancel(ctx)
}

// changes is the Service for a change that must happen once a delivery.
func (b *Bot) changes(r request) *environment.Service { return b.service.Once("slack", r.once) }

func (b *Bot) up(ctx context.Context, r request) (*answer, error) {
	ask, err := b.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	e, made, err := b.changes(r).Up(ctx, r.who, ask)
	if err != nil {
		return nil, err
	}
	if made && r.inForm { // told by the message that follows it
		return nil, nil
	}
	return private(upMessage(e, made, r.who.Subject)), nil
}

// asked is what `up` asks for.
func (b *Bot) asked(ctx context.Context, r request) (environment.Request, error) {
	ask := environment.Request{Owner: r.cmd.owner, Course: r.cmd.course, Profile: r.cmd.profile, TTL: r.cmd.span,
		Workers: r.cmd.workers, Packages: r.cmd.packages}
	if r.cmd.ownerUser != "" {
		subject, err := b.subjectOf(ctx, r.from.team, r.cmd.ownerUser)
		if err != nil {
			return ask, err
		}
		ask.Owner = subject
	}
	if ask.Course == "" {
		var err error
		if ask.Course, err = b.service.CourseMeant(ctx, r.who, b.directory.DefaultCourse(r.who.Subject)); err != nil {
			return ask, err
		}
	}
	if r.cmd.until.set {
		zone, err := b.zone(ctx, r.from)
		if err != nil {
			return ask, err
		}
		if ask.Until, err = r.cmd.until.at(b.now(), zone); err != nil {
			return ask, err
		}
	}
	return ask, nil
}

// target finds the environment a command means: by id, by the name of its
// profile, or the only one.
func (b *Bot) target(ctx context.Context, r request) (environment.Environment, error) {
	if r.cmd.target != "" {
		e, err := b.service.Get(ctx, r.who, r.cmd.target)
		if environment.CodeOf(err) != environment.CodeNotFound {
			return e, err
		}
	}
	mine, err := b.mine(ctx, r.who)
	if err != nil {
		return environment.Environment{}, err
	}
	if r.cmd.target != "" {
		mine = slices.DeleteFunc(mine, func(e environment.Environment) bool { return e.Profile != r.cmd.target })
	}
	live := slices.DeleteFunc(slices.Clone(mine), func(e environment.Environment) bool { return !e.State.Live() })
	switch {
	case len(live) == 1:
		return live[0], nil
	case len(live) > 1:
		return environment.Environment{}, environment.Invalid("id", "You have several: %s. Say which, for example `/dask %s %s`.", nameAll(live), r.cmd.verb, live[0].ID)
	case r.cmd.target != "" && len(mine) == 0:
		return environment.Environment{}, environment.Errorf(environment.CodeNotFound, "There is no environment %q, or it is not yours. `/dask list` shows what there is.", clip(r.cmd.target, 40))
	case len(mine) > 0:
		return mine[0], nil // the last one, which ended: status and why can still say how
	default:
		return environment.Environment{}, environment.Errorf(environment.CodeNotFound, "You have no environment. `/dask up` makes one.")
	}
}

// How many environments of one person are looked at: those that are there, and
// those that ended.
const (
	mostCurrent = 100
	mostEnded   = 20
)

// mine lists what the caller owns, newest first, ended ones of late included.
// What is there is asked for by itself, so that however many newer ones ended,
// it is never left out.
func (b *Bot) mine(ctx context.Context, who environment.Caller) ([]environment.Environment, error) {
	ended := []environment.State{environment.StateDeleted, environment.StateFailed}
	current := slices.DeleteFunc(environment.States(), func(s environment.State) bool { return slices.Contains(ended, s) })
	items, _, err := b.service.List(ctx, who, environment.Filter{Owner: who.Subject, States: current, Limit: mostCurrent})
	if err != nil {
		return nil, err
	}
	past, _, err := b.service.List(ctx, who, environment.Filter{Owner: who.Subject, States: ended, Limit: mostEnded})
	if err != nil {
		return nil, err
	}
	for _, e := range past {
		there := slices.ContainsFunc(items, func(i environment.Environment) bool { return i.ID == e.ID }) // it ended between the two
		if !there && (e.State == environment.StateFailed || b.now().Sub(e.DeletedAt) <= 24*time.Hour) {
			items = append(items, e)
		}
	}
	slices.SortStableFunc(items, func(x, y environment.Environment) int { return y.CreatedAt.Compare(x.CreatedAt) })
	return items, nil
}

func nameAll(items []environment.Environment) string {
	var names []string
	for _, e := range items {
		names = append(names, fmt.Sprintf("`%s` (%s)", e.ID, e.Profile))
	}
	return strings.Join(names, ", ")
}

func (b *Bot) status(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	look, err := b.service.Look(ctx, r.who, e.ID)
	if err != nil {
		return nil, err
	}
	return private(statusMessage(e, look, r.who.Subject)), nil
}

// overview is bare /dask: what there is, with buttons.
func (b *Bot) overview(ctx context.Context, r request) (*answer, error) {
	mine, err := b.mine(ctx, r.who)
	if err != nil {
		return nil, err
	}
	live := slices.DeleteFunc(mine, func(e environment.Environment) bool { return e.State == environment.StateDeleted })
	return private(overviewMessage(live)), nil
}

// listed is how many environments one answer shows.
const listed = 30

func (b *Bot) list(ctx context.Context, r request) (*answer, error) {
	items, next, err := b.service.List(ctx, r.who, environment.Filter{Course: r.cmd.course, States: notDeleted(), Limit: listed})
	if err != nil {
		return nil, err
	}
	return private(listMessage(items, next != "", r.cmd.course)), nil
}

func (b *Bot) extend(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	span := r.cmd.span
	if span == 0 {
		span = time.Hour
	}
	e, err = b.changes(r).Extend(ctx, r.who, e.ID, span, 0)
	if err != nil {
		return nil, err
	}
	return say(extendedText(e, r.who.Subject)), nil
}

func (b *Bot) down(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	e, already, err := b.changes(r).Down(ctx, r.who, e.ID, 0)
	if err != nil {
		return nil, err
	}
	return say(downText(e, already, r.who.Subject)), nil
}

func (b *Bot) scale(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	e, err = b.changes(r).Scale(ctx, r.who, e.ID, *r.cmd.workers, 0)
	if err != nil {
		return nil, err
	}
	return say(scaledText(e, r.who.Subject)), nil
}

func (b *Bot) packages(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	e, err = b.changes(r).ChangePackages(ctx, r.who, e.ID, r.cmd.packages, r.cmd.remove, 0)
	if err != nil {
		return nil, err
	}
	return say(packagesText(e, r.who.Subject)), nil
}

func (b *Bot) open(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	creds, err := b.service.Credentials(ctx, r.who, e.ID)
	if environment.CodeOf(err) == environment.CodeConflict {
		return say(fmt.Sprintf("%s cannot be opened: it is %s. `/dask why` says more.", titleFor(e, r.who.Subject), stateWords(e.State))), nil
	}
	if err != nil {
		return nil, err
	}
	a := private(readyMessage(e, creds, b.service.LongestExtension(r.who, e)))
	form := loginModal(e, creds)
	a.login = &form
	return a, nil
}

func (b *Bot) why(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	look, err := b.service.Look(ctx, r.who, e.ID)
	if err != nil {
		return nil, err
	}
	events, err := b.service.Events(ctx, r.who, e.ID, 0, 0)
	if err != nil {
		return nil, err
	}
	text := whyText(e, look, events, r.who.Subject)
	if e.State == environment.StateReady {
		text += b.mishaps(ctx, r.who, e.ID)
	}
	return say(text), nil
}

// askWithin is how long an answer that is due waits for a cluster.
const askWithin = time.Second

// mishaps asks the cluster what went wrong in an environment that is ready. It
// is said beside what daskbot knows by itself: a cluster that does not answer
// at once leaves it out.
func (b *Bot) mishaps(ctx context.Context, who environment.Caller, id string) string {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	seen, err := b.service.Describe(ctx, who, id)
	if err != nil {
		return ""
	}
	return mishapsText(seen)
}

func (b *Bot) cost(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	look, err := b.service.Look(ctx, r.who, e.ID)
	if err != nil {
		return nil, err
	}
	return say(priceText(e, look.Cost, r.who.Subject)), nil
}

// link says who somebody is; the joining happened on the way here.
func (b *Bot) link(_ context.Context, r request) (*answer, error) {
	return say(knownText(r.who)), nil
}

// linkTo joins an account to the person who was shown the code; the account
// need not be known yet.
func (b *Bot) linkTo(ctx context.Context, a account, code string) *answer {
	r := request{from: a, cmd: command{verb: verbLink, target: a.id()}}
	said, err := b.do(ctx, &r, func(b *Bot, ctx context.Context, _ request) (*answer, error) {
		p, err := b.service.LinkSlack(ctx, a.id(), code)
		if err != nil {
			return nil, err
		}
		b.homeChangedFor(a)
		r.who = b.directory.Caller(p.Subject)
		return say(linkedText(p.Subject)), nil
	})
	if err != nil {
		b.logFault("link", err, a)
		return sorry(err)
	}
	return said
}

func (b *Bot) logs(ctx context.Context, r request) (*answer, error) {
	e, err := b.target(ctx, r)
	if err != nil {
		return nil, err
	}
	return b.answerLater(r, "Fetching the last log lines of *"+escape(name(e))+"* …", func(ctx context.Context) *answer {
		var out bytes.Buffer
		if err := b.service.Logs(ctx, r.who, e.ID, r.cmd.word, 30, &out); err != nil {
			b.logFault("logs", err, r.from)
			return sorry(err)
		}
		return private(logsMessage(e, out.String()))
	})
}

// answerLater acknowledges now and answers when f is done. These are questions,
// which may be asked again when a crash comes in between, and the linking of a
// project.
func (b *Bot) answerLater(r request, meanwhile string, f func(context.Context) *answer) (*answer, error) {
	accepted := b.putOff(func(ctx context.Context) {
		a := f(ctx)
		a.ReplaceOriginal = !r.clicked // of a click, that is the message with the button
		b.answer(ctx, r.from, r.responseURL, a)
	})
	if !accepted {
		return nil, environment.Errorf(environment.CodeUnavailable, "Too many people are asking at this moment.")
	}
	return say(meanwhile), nil
}
