package environment

import (
	"context"
	"strings"
)

// SameSlack reports whether two accounts of Slack may be one: a user's id alone,
// as admins write it, stands for that user in whatever workspace.
func SameSlack(a, b string) bool {
	teamA, userA := slackParts(a)
	teamB, userB := slackParts(b)
	return userA != "" && userA == userB && (teamA == "" || teamB == "" || teamA == teamB)
}

func slackParts(account string) (team, user string) {
	if team, user, found := strings.Cut(account, ":"); found {
		return team, user
	}
	return "", account
}

// Recognise finds the person behind a Slack account that Slack itself vouched
// for: "TEAM:USER". An admin may have linked the user's id alone. CodeNotFound
// means that nobody introduced the account yet.
func (s *Service) Recognise(ctx context.Context, slackID string) (Person, error) {
	p, err := s.store.PersonBySlack(ctx, slackID)
	if _, user, found := strings.Cut(slackID, ":"); found && CodeOf(err) == CodeNotFound {
		return s.store.PersonBySlack(ctx, user)
	}
	return p, err
}

// Introduce joins a Slack account to the person with the e-mail address that
// Slack confirmed. Somebody unknown becomes a person named by that address
// when admit is set, and is CodeNotFound otherwise. An account never replaces
// another one: that is CodeForbidden, and for an admin to sort out.
func (s *Service) Introduce(ctx context.Context, slackID, email string, admit bool) (Person, error) {
	email = CleanAddress(strings.TrimSpace(email))
	if email == "" || ValidEmail(email) != nil || ValidSubject("owner", email) != nil {
		return Person{}, Errorf(CodeNotFound, "Slack does not say which e-mail address is yours.")
	}
	p, err := s.store.PersonByEmail(ctx, email)
	if CodeOf(err) == CodeNotFound {
		p, err = s.store.Person(ctx, email)
	}
	switch {
	case CodeOf(err) == CodeNotFound && admit:
		p = Person{Subject: email}
	case CodeOf(err) == CodeNotFound:
		return p, Errorf(CodeNotFound, "Nobody here is known by the e-mail address %s.", email)
	case err != nil:
		return p, err
	}
	if p.SlackID != "" && p.SlackID != slackID {
		return Person{}, Errorf(CodeForbidden, "%s is linked to another Slack account; ask whoever runs daskbot to change that.", p.Subject)
	}
	p.Email, p.SlackID = first(p.Email, email), slackID
	err = s.store.Commit(ctx, Change{Person: &p})
	if CodeOf(err) == CodeConflict { // another delivery introduced them at the same moment
		return s.store.PersonBySlack(ctx, slackID)
	}
	p.Version++
	return p, err
}
