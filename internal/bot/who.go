package bot

import (
	"context"
	"errors"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// itself is who the bot asks as when it tells an owner about what is theirs.
var itself = environment.Caller{Subject: "slack", Role: environment.RoleAdmin}

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
	return b.service.Teaches(ctx, b.directory.Caller(p.Subject))
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

// zone is a user's time zone. A time of day that is read in another one ends
// something at the wrong hour, so that not to know is an error.
func (b *Bot) zone(ctx context.Context, a account) (*time.Location, error) {
	m, err := b.member(ctx, a)
	switch {
	case environment.CodeOf(err) == environment.CodeUnavailable:
		return nil, &environment.Error{Code: environment.CodeUnavailable, Err: err,
			Message: "Slack did not tell me your time zone, so I do not know which time of day you mean; nothing was done. `/dask up for 3h` works all the same."}
	case err == nil && m.zone == nil:
		return nil, environment.Invalid("until", "Slack does not say which time zone is yours, so I do not know which time of day you mean. Say for how long, for example `/dask up for 3h`.")
	}
	return m.zone, err
}
