package environment

import (
	"context"
	"strings"
)

// Launched is who a learning platform says has come, in a launch that was
// verified.
type Launched struct {
	// LMSID is the platform's own name for the person, and unlike the others
	// never handed on to somebody else.
	LMSID       string
	Name, Email string
	// EmailTrusted says that the platform's e-mail addresses are believed: that
	// its people cannot choose them at will.
	EmailTrusted bool
	// Subject is what somebody new is called; "" when that is not known yet.
	Subject string
	// Hooks is what the platform's hooks call the person ("canvas:42"), where
	// LMSID does not tell it; "" where it does.
	Hooks string
}

// RecogniseLaunched finds the person behind a verified launch, and makes one of
// somebody new. An e-mail address leads to a person who is known already only
// when the platform's are trusted; one that is linked to another account of
// the platform, or an address that several have, is CodeForbidden: that is for
// an admin to sort out. One that is linked to an account of another platform
// keeps that one, and who has come is somebody new. Somebody new without a
// subject is CodeNotFound.
func (s *Service) RecogniseLaunched(ctx context.Context, l Launched) (Person, error) {
	p, err := s.recognise(ctx, l)
	if err == nil && l.Hooks != "" {
		err = s.noteHooks(ctx, l)
	}
	return p, err
}

func (s *Service) recognise(ctx context.Context, l Launched) (Person, error) {
	p, err := s.store.PersonByLMS(ctx, l.LMSID)
	if CodeOf(err) != CodeNotFound {
		return p, err
	}
	if p, err = s.launchedAnew(ctx, l); err != nil {
		return Person{}, err
	}
	if p.LMSID != "" && issuerOf(p.LMSID) != issuerOf(l.LMSID) && l.Subject != "" {
		if p, err = s.personNamed(ctx, l.Subject); err != nil {
			return Person{}, err
		}
	}
	if p.LMSID != "" && p.LMSID != l.LMSID {
		return Person{}, Errorf(CodeForbidden, "%s is linked to another account of the learning platform; ask whoever runs daskbot to change that.", p.Subject)
	}
	p.LMSID = l.LMSID
	err = s.store.Commit(ctx, Change{Person: &p})
	if CodeOf(err) == CodeConflict { // another launch of theirs came at the same moment
		return s.store.PersonByLMS(ctx, l.LMSID)
	}
	p.Version++
	return p, err
}

// launchedAnew is the person whom an account that is not linked yet is to be
// linked to.
func (s *Service) launchedAnew(ctx context.Context, l Launched) (Person, error) {
	email := CleanAddress(strings.TrimSpace(l.Email))
	if ValidEmail(email) != nil || !asciiOnly(email) { // rosters take no other
		email = ""
	}
	subject := l.Subject
	if email != "" && l.EmailTrusted {
		p, err := s.store.PersonByEmail(ctx, email)
		switch CodeOf(err) {
		case CodeNotFound:
		case CodeConflict:
			return p, Errorf(CodeForbidden, "Several people are registered with the address %s; ask whoever runs daskbot to sort that out.", email)
		default:
			return p, err
		}
		if ValidSubject("owner", email) == nil {
			subject = email
		}
	}
	if subject == "" {
		return Person{}, Errorf(CodeNotFound, "The learning platform does not say by which id its people are known here; whoever set daskbot up there must add it to the custom parameters of launches.")
	}
	p, err := s.personNamed(ctx, subject)
	// An address that is not trusted is not kept: elsewhere it would be
	// believed.
	if l.EmailTrusted && p.Version == 0 {
		p.Email = email
	}
	return p, err
}

// personNamed is the person of that name, or a new one.
func (s *Service) personNamed(ctx context.Context, subject string) (Person, error) {
	p, err := s.store.Person(ctx, subject)
	if CodeOf(err) == CodeNotFound {
		return Person{Subject: subject}, ValidSubject("owner", subject)
	}
	return p, err
}

// issuerOf is which platform an account is of.
func issuerOf(lmsID string) string {
	issuer, _, _ := strings.Cut(lmsID, "#")
	return issuer
}

func hooksKey(name string) string { return "lti/hooks/" + name }

// noteHooks remembers which account hooks mean by a name of theirs.
func (s *Service) noteHooks(ctx context.Context, l Launched) error {
	note, err := s.store.Note(ctx, hooksKey(l.Hooks))
	switch CodeOf(err) {
	case CodeNotFound:
		note = Note{Key: hooksKey(l.Hooks)}
	case "":
	default:
		return err
	}
	if note.Value == l.LMSID {
		return nil
	}
	note.Value = l.LMSID
	err = s.store.Commit(ctx, Change{Note: &note})
	if CodeOf(err) == CodeConflict { // another launch of theirs noted the same at the same moment
		return nil
	}
	return err
}

// WhomHooksMean finds the person whom a platform's hooks name by an id, as far
// as launches told. Without a subject nobody has the account, or several people
// have; without an account nobody was launched with that id yet. For daskbot's
// own parts: it checks no caller.
func (s *Service) WhomHooksMean(ctx context.Context, p Platform, id string) (Person, error) {
	account := p.Issuer + "#" + id
	if p.UserIDFrom != "" {
		note, err := s.store.Note(ctx, hooksKey(p.Name+":"+id))
		if CodeOf(err) == CodeNotFound {
			return Person{}, nil
		}
		if err != nil {
			return Person{}, err
		}
		account = note.Value
	}
	person, err := s.store.PersonByLMS(ctx, account)
	if code := CodeOf(err); code == CodeNotFound || code == CodeConflict {
		return Person{LMSID: account}, nil
	}
	return person, err
}
