package bot

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// itself is who the bot asks as when it tells an owner about what is theirs.
var itself = environment.Caller{Subject: "slack", Role: environment.RoleAdmin}

// member is what Slack says about a user.
type member struct {
	email string
	zone  *time.Location
	at    time.Time
	alien bool // a bot, somebody who left, or from another workspace
}

// directoryCache keeps what Slack said about users: asking anew for each
// command would be slower than an acknowledgement may be.
type directoryCache struct {
	mu      sync.Mutex
	members map[string]member
}

// memberFor is how long what Slack said about a user is believed.
const memberFor = time.Hour

func (d *directoryCache) get(user string, now time.Time) (member, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.members[user]
	return m, ok && now.Sub(m.at) < memberFor
}

func (d *directoryCache) put(u slack.User, now time.Time) member {
	m := member{at: now, zone: time.UTC, alien: u.IsBot || u.Deleted || u.IsStranger}
	if u.IsEmailConfirmed { // an address anybody may claim proves nothing
		m.email = u.Profile.Email
	}
	if zone, err := time.LoadLocation(u.TZ); err == nil && u.TZ != "" {
		m.zone = zone
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.members == nil {
		d.members = map[string]member{}
	}
	d.members[u.ID] = m
	return m
}

// member asks Slack about a user, or remembers what it said.
func (b *Bot) member(ctx context.Context, a account) (member, error) {
	api, err := b.client(ctx, a.team)
	if err != nil {
		return member{}, err
	}
	if m, ok := api.known.get(a.user, b.now()); ok {
		return m, nil
	}
	if err := api.limits.take("users.info", ""); err != nil {
		return member{}, err
	}
	u, err := api.slack.GetUserInfoContext(ctx, a.user)
	if err != nil {
		return member{}, api.heard("users.info", err)
	}
	return api.known.put(*u, b.now()), nil
}

// readMembers learns the whole configured workspace at the start, a thousand people a
// call, so that the first minute of a class asks about nobody.
func (b *Bot) readMembers(ctx context.Context) {
	page := b.api.slack.GetUsersPaginated(slack.GetUsersOptionLimit(1000))
	var err error
	for ctx.Err() == nil {
		page, err = page.Next(ctx)
		if page.Done(err) {
			return
		}
		if err != nil {
			// Not worth insisting: people are asked about one by one.
			b.log.Warn("read the members of the Slack workspace", "reason", translate("users.list", err).Error())
			return
		}
		for _, u := range page.Users {
			b.api.known.put(u, b.now())
		}
	}
}

// who finds out who is asking. An account that nobody introduced yet is known
// by the e-mail address that Slack confirmed.
func (b *Bot) who(ctx context.Context, a account) (environment.Caller, error) {
	p, err := b.service.Recognise(ctx, a.id())
	if environment.CodeOf(err) == environment.CodeNotFound {
		p, err = b.introduce(ctx, a)
	}
	if err != nil {
		return environment.Caller{}, err
	}
	return b.directory.Caller(p.Subject), nil
}

func (b *Bot) introduce(ctx context.Context, a account) (environment.Person, error) {
	if err := b.vouched(ctx, a); err != nil {
		return environment.Person{}, err
	}
	m, err := b.member(ctx, a)
	if environment.CodeOf(err) == environment.CodeUnavailable {
		return environment.Person{}, &environment.Error{Code: environment.CodeUnavailable, Err: err,
			Message: "Slack did not tell me who you are, and I meet you for the first time. Try again in a minute; nothing was done."}
	}
	if err != nil {
		return environment.Person{}, err
	}
	if m.alien {
		return environment.Person{}, environment.Errorf(environment.CodeForbidden, "daskbot serves the members of this workspace only.")
	}
	p, err := b.service.Introduce(ctx, a.id(), m.email, b.admit)
	var e *environment.Error
	if environment.CodeOf(err) == environment.CodeNotFound && errors.As(err, &e) {
		return p, environment.Errorf(environment.CodeNotFound,
			"%s Send whoever runs daskbot your Slack id, `%s`, and ask to be linked to your course identity.", e.Message, a.id())
	}
	return p, err
}

// subjectOf is who a mentioned user is, introducing them if need be.
func (b *Bot) subjectOf(ctx context.Context, team, user string) (string, error) {
	caller, err := b.who(ctx, account{team, user})
	if environment.CodeOf(err) == environment.CodeNotFound {
		return "", environment.Errorf(environment.CodeNotFound, "I do not know them yet; they have to be linked to their course identity first.")
	}
	return caller.Subject, err
}

// zone is a user's time zone; UTC when Slack does not say.
func (b *Bot) zone(ctx context.Context, a account) *time.Location {
	m, err := b.member(ctx, a)
	if err != nil {
		return time.UTC
	}
	return m.zone
}
