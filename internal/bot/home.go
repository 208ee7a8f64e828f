package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		b.homes.seen, b.homes.stale = map[string]account{}, map[string]bool{}
	}
	b.homes.seen[who.Subject] = a
	b.homes.stale[who.Subject] = true
}

// homeChanged notes that a subject's home shows the past. What staff see of
// their courses is brought up to date when they open it.
func (b *Bot) homeChanged(subject string) {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	if _, ok := b.homes.seen[subject]; ok {
		b.homes.stale[subject] = true
	}
}

func (b *Bot) homeChangedFor(a account) {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	for subject, seen := range b.homes.seen {
		if seen == a {
			b.homes.stale[subject] = true
		}
	}
}

// homeEvery gathers changes: a home is published once for all of them.
const homeEvery = time.Second

// publishHomes keeps the homes that were looked at up to date until ctx ends.
func (b *Bot) publishHomes(ctx context.Context) error {
	tick := time.NewTicker(homeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for subject, a := range b.staleHomes() {
			if err := b.publishHome(ctx, subject, a); err != nil {
				b.log.Debug("publish home", "reason", err.Error(), "student", subject)
				if environment.CodeOf(err) == environment.CodeUnavailable {
					b.homeChanged(subject)
				}
			}
		}
	}
}

func (b *Bot) staleHomes() map[string]account {
	b.homes.mu.Lock()
	defer b.homes.mu.Unlock()
	out := map[string]account{}
	for subject := range b.homes.stale {
		out[subject] = b.homes.seen[subject]
		delete(b.homes.stale, subject)
	}
	return out
}

func (b *Bot) publishHome(ctx context.Context, subject string, a account) error {
	who := b.directory.Caller(subject)
	mine, err := b.mine(ctx, who)
	if err != nil {
		return err
	}
	mine = slices.DeleteFunc(mine, func(e environment.Environment) bool { return e.State == environment.StateDeleted })
	var others []environment.Environment
	courses, err := b.service.Courses(ctx, who)
	if err != nil {
		return err
	}
	if who.Role != environment.RoleStudent {
		if others, _, err = b.service.List(ctx, who, environment.Filter{States: notDeleted(), Limit: ofOthers}); err != nil {
			return err
		}
		others = slices.DeleteFunc(others, func(e environment.Environment) bool { return e.Owner == subject })
	}
	looks, err := b.looks(ctx, who, append(slices.Clone(mine), others...))
	if err != nil {
		return err
	}
	return b.showHome(ctx, a, homeBlocks(who, courses, mine, others, looks))
}

// homeBlocks is the home tab: what one has, and for staff what there is.
func homeBlocks(who environment.Caller, courses []environment.Course, mine, others []environment.Environment, looks map[string]environment.Look) []block {
	blocks := []block{header("Your environments")}
	if len(mine) == 0 {
		blocks = append(blocks, section("You have none. The button starts one; so does `/dask up`."))
	}
	for _, e := range mine {
		blocks = append(blocks, section(line(e)), contextLine(estimateText(looks[e.ID]), costText(looks[e.ID].Cost)),
			actions("env:"+e.ID, buttons(e)...))
	}
	blocks = append(blocks, actions("home", newButton()))
	if who.Role != environment.RoleStudent {
		blocks = append(blocks, staffBlocks(courses, others, looks)...)
	}
	blocks = present(blocks)
	if len(blocks) > maxViewBlocks {
		blocks = blocks[:maxViewBlocks]
	}
	return blocks
}

// maxCourses is how many courses an admin's home shows.
const maxCourses = 5

// ofOthers is how many environments of others are counted.
const ofOthers = 200

// staffBlocks is what there is of others: what it comes to, and as many of
// them as there is room for.
func staffBlocks(courses []environment.Course, others []environment.Environment, looks map[string]environment.Look) []block {
	blocks := []block{divider(), header("Your courses")}
	for _, c := range courses[:min(len(courses), maxCourses)] {
		blocks = append(blocks, section("*"+escape(c.ID)+"* "+escape(c.Title)), classButtons(c))
	}
	if len(others) == 0 {
		return append(blocks, section("Nobody else has anything running."))
	}
	blocks = append(blocks, section(plural(len(others), "environment")+": "+summary(others, looks)))
	for i, e := range others {
		if i == listed {
			return append(blocks, contextLine(fmt.Sprintf("These are the newest %d; `/dask class status` lists all.", listed)))
		}
		in := ""
		if e.Course != "" {
			in = " in " + escape(e.Course)
		}
		blocks = append(blocks, sectionWith(escape(e.Owner)+in+": "+line(e), stopButton(e)),
			contextLine(idleText(looks[e.ID]), costText(looks[e.ID].Cost)))
	}
	return blocks
}
