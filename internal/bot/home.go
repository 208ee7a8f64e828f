package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func fieldOf(err error) string {
	var e *environment.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

// homes remembers who looked at their home here, so that it is kept up to date
// for them. Whoever looked on another replica is kept up to date by that one.
type homes struct {
	mu      sync.Mutex
	seen    map[string]viewer // by subject
	stale   map[string]bool   // by subject
	changed map[string]bool   // environments that something happened to since
}

// viewer is somebody who looked at their home.
type viewer struct {
	account account
	who     environment.Caller
	shown   time.Time // when it was published last
}

// teaches says whether what somebody has in a course is on this home.
func (v viewer) teaches(course string) bool {
	return v.who.Role == environment.RoleAdmin || v.who.Role == environment.RoleStaff && slices.Contains(v.who.Courses, course)
}

// homeOpened notes who looks at their home, and shows it to them.
func (b *Bot) homeOpened(ctx context.Context, a account) {
	who, err := b.who(ctx, a)
	if err != nil {
		b.logFault("home", err, a)
		b.putOff(func(ctx context.Context) {
			if err := b.showHome(ctx, a, refusalMessage(refusalText(err)).blocks); err != nil {
				b.log.Warn("publish home", "reason", err.Error(), "slack_user", a.id())
			}
		})
		return
	}
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	if b.homes.seen == nil {
		b.homes.seen, b.homes.stale, b.homes.changed = map[string]viewer{}, map[string]bool{}, map[string]bool{}
	}
	for subject, v := range b.homes.seen { // whoever the account belonged to before
		if v.account == a {
			b.homes.drop(subject)
		}
	}
	b.homes.seen[who.Subject] = viewer{account: a, who: who}
	b.homes.stale[who.Subject] = true
}

// drop forgets a home; the caller holds the lock.
func (h *homes) drop(subject string) {
	delete(h.seen, subject)
	delete(h.stale, subject)
}

// forgetHome forgets that a subject looks at their home with an account.
func (b *Bot) forgetHome(subject string, a account) {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	if b.homes.seen[subject].account == a {
		b.homes.drop(subject)
	}
}

// homeChanged notes that a subject's home shows the past.
func (b *Bot) homeChanged(subject string) {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	if _, ok := b.homes.seen[subject]; ok {
		b.homes.stale[subject] = true
	}
}

// homeChangedFor is homeChanged for somebody who just did something, and waits
// to see it.
func (b *Bot) homeChangedFor(a account) {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	for subject, v := range b.homes.seen {
		if v.account == a {
			v.shown = time.Time{}
			b.homes.seen[subject], b.homes.stale[subject] = v, true
		}
	}
}

// environmentChanged notes that something happened to an environment, on
// whichever replica; with "", that some of it may have been missed.
func (b *Bot) environmentChanged(id string) {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	switch {
	case len(b.homes.seen) == 0:
	case id == "":
		for subject := range b.homes.seen {
			b.homes.stale[subject] = true
		}
	default:
		b.homes.changed[id] = true
	}
}

// homeEvery gathers changes: a home is published once for all of them. Those of
// staff show a whole course, and wait longer.
const (
	homeEvery  = time.Second
	staffEvery = 15 * time.Second
)

// publishHomes keeps the homes that were looked at up to date until ctx ends.
func (b *Bot) publishHomes(ctx context.Context) error {
	if b.feed != nil {
		stop := b.feed.Listen(b.environmentChanged)
		defer stop()
	}
	tick := time.NewTicker(homeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		b.publishStale(ctx)
	}
}

func (b *Bot) publishStale(ctx context.Context) {
	for _, id := range b.changedSince() {
		b.concerns(ctx, id)
	}
	for subject, a := range b.staleHomes() {
		if err := b.publishHome(ctx, subject, a); err != nil {
			b.log.Debug("publish home", "reason", err.Error(), "student", subject)
			if environment.CodeOf(err) == environment.CodeUnavailable {
				b.homeChangedFor(a)
			}
		}
	}
}

func (b *Bot) changedSince() []string {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	ids := slices.Collect(maps.Keys(b.homes.changed))
	clear(b.homes.changed)
	return ids
}

// concerns notes on whose homes an environment is: its owner's, and those of
// the staff of its course.
func (b *Bot) concerns(ctx context.Context, id string) {
	e, err := b.service.Get(ctx, itself, id)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return // a command for a class
	}
	if err != nil {
		b.environmentChanged(id)
		return
	}
	b.homeChanged(e.Owner)
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	for subject, v := range b.homes.seen {
		if v.teaches(e.Course) {
			b.homes.stale[subject] = true
		}
	}
}

// stillTheirs says whether an account belongs to the subject whose home it
// looks at. One that was given to somebody else must not be shown what the
// former one has: it is shown its own, or nothing when nobody is linked to it.
func (b *Bot) stillTheirs(ctx context.Context, subject string, a account) (bool, error) {
	p, err := b.service.Recognise(ctx, a.id())
	switch {
	case err == nil && p.Subject == subject:
		return true, nil
	case err == nil:
		b.homeOpened(ctx, a)
		return false, nil
	case environment.CodeOf(err) != environment.CodeNotFound:
		return false, err
	}
	if err := b.showHome(ctx, a, []block{section(unlinkedText)}); err != nil {
		return false, err
	}
	b.forgetHome(subject, a)
	return false, nil
}

// unlinkedText takes the place of a home.
const unlinkedText = "This Slack account is no longer linked to the person whose environments were shown here. `/dask link` says who you are now."

// staleHomes are those to publish now.
func (b *Bot) staleHomes() map[string]account {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	out, now := map[string]account{}, b.now()
	for subject := range b.homes.stale { // each of them is in seen, too
		v := b.homes.seen[subject]
		if v.who.Role != environment.RoleStudent && now.Sub(v.shown) < staffEvery {
			continue
		}
		v.shown = now
		out[subject], b.homes.seen[subject] = v.account, v
		delete(b.homes.stale, subject)
	}
	return out
}

// home is what the home tab shows: what one has, and for staff what there is.
type home struct {
	who     environment.Caller
	courses []environment.Course
	mine    []environment.Environment
	others  []environment.Environment // the newest ones
	more    bool                      // there are others beside these
	looks   map[string]environment.Look
}

func (b *Bot) publishHome(ctx context.Context, subject string, a account) error {
	if theirs, err := b.stillTheirs(ctx, subject, a); err != nil || !theirs {
		return err
	}
	who, err := b.service.Teaches(ctx, b.directory.Caller(subject))
	if err != nil {
		return err
	}
	h := home{who: who}
	if h.mine, err = b.mine(ctx, who); err != nil {
		return err
	}
	h.mine = slices.DeleteFunc(h.mine, func(e environment.Environment) bool { return e.State == environment.StateDeleted })
	if h.courses, err = b.service.Courses(ctx, who); err != nil {
		return err
	}
	if who.Role != environment.RoleStudent {
		next := ""
		if h.others, next, err = b.service.List(ctx, who, environment.Filter{States: notDeleted(), Limit: ofOthers}); err != nil {
			return err
		}
		h.more = next != ""
		h.others = slices.DeleteFunc(h.others, func(e environment.Environment) bool { return e.Owner == subject })
	}
	if h.looks, err = b.looks(ctx, who, append(slices.Clone(h.mine), h.others...)); err != nil {
		return err
	}
	return b.showHome(ctx, a, h.blocks())
}

// blocks draws it.
func (h home) blocks() []block {
	blocks := []block{header("Your environments")}
	if len(h.mine) == 0 {
		blocks = append(blocks, section("You have none. The button starts one; so does `/dask up`."))
	}
	for _, e := range h.mine {
		blocks = append(blocks, section(line(e)), contextLine(estimateText(e, h.looks[e.ID]), costText(h.looks[e.ID].Cost)),
			actions("env:"+e.ID, buttons(e)...))
	}
	blocks = append(blocks, actions("home", newButton()))
	if h.who.Role != environment.RoleStudent {
		blocks = append(blocks, h.staffBlocks()...)
	}
	return fit(blocks, maxViewBlocks, maxView, more)
}

// maxCourses is how many courses an admin's home shows with buttons.
const maxCourses = 5

// ofOthers is how many environments of others are counted.
const ofOthers = 200

// staffBlocks is what there is of others: what it comes to, and as many of
// them as there is room for.
func (h home) staffBlocks() []block {
	blocks := []block{divider(), header("Your courses")}
	shown := min(len(h.courses), maxCourses)
	for _, c := range h.courses[:shown] {
		blocks = append(blocks, section("*"+escape(c.ID)+"* "+escape(c.Title)), classButtons(c))
	}
	var rest []string
	for _, c := range h.courses[shown:] {
		rest = append(rest, escape(c.ID))
	}
	if len(rest) > 0 {
		blocks = append(blocks, section(fmt.Sprintf("And %s: %s. `/dask class status COURSE` shows one, with its buttons.", plural(len(rest), "more course"), strings.Join(rest, ", "))))
	}
	if len(h.others) == 0 {
		return append(blocks, section("Nobody else has anything running."))
	}
	count := plural(len(h.others), "environment") + ": "
	if h.more {
		count = fmt.Sprintf("More than %d environments. The newest %d: ", len(h.others), len(h.others))
	}
	blocks = append(blocks, section(count+summary(h.others, h.looks)))
	for i, e := range h.others {
		if i == listed {
			return append(blocks, contextLine(fmt.Sprintf("These are the newest %d; `/dask class status COURSE` lists all of a course.", listed)))
		}
		in := ""
		if e.Course != "" {
			in = " in " + escape(e.Course)
		}
		blocks = append(blocks, sectionWith(escape(e.Owner)+in+": "+line(e), stopButton(e)),
			contextLine(idleText(h.looks[e.ID]), costText(h.looks[e.ID].Cost)))
	}
	return blocks
}
