package environment

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
)

// tokenPrefix lets people and secret scanners recognise a token.
const tokenPrefix = "dbt_"

// Authenticate finds out whose token this is. Every failure is the same
// CodeUnauthorized, so that it tells nothing.
func (s *Service) Authenticate(ctx context.Context, secret string) (Caller, error) {
	wrong := Errorf(CodeUnauthorized, "This token is not valid (any more); ask whoever runs daskbot for a new one.")
	if !strings.HasPrefix(secret, tokenPrefix) || len(secret) > 200 {
		return Caller{}, wrong
	}
	hash := HashToken(secret)
	t, err := s.store.Token(ctx, hash)
	if CodeOf(err) == CodeNotFound {
		return Caller{}, wrong
	}
	if err != nil {
		return Caller{}, err
	}
	if subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) != 1 || !t.RevokedAt.IsZero() {
		return Caller{}, wrong
	}
	return Caller{Subject: t.Subject, Role: t.Role, Courses: s.taughtBy(t)}, nil
}

func (s *Service) taughtBy(t Token) []string {
	if t.Role != RoleStaff {
		return nil
	}
	if t.Course != "" {
		return []string{t.Course}
	}
	return nil
}

// CreateToken makes a token; its secret is shown once and never again.
// Admins only.
func (s *Service) CreateToken(ctx context.Context, who Caller, role Role, subject, course string) (Token, Secret, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return Token{}, Secret{}, err
	}
	if !slices.Contains([]Role{RoleStudent, RoleStaff, RoleAdmin}, role) {
		return Token{}, Secret{}, Invalid("role", "%q is not a role: student, staff or admin.", clip(string(role)))
	}
	subject, err := s.called(ctx, who, course, subject)
	if err != nil {
		return Token{}, Secret{}, err
	}
	if err := ValidSubject("subject", subject); err != nil {
		return Token{}, Secret{}, err
	}
	if err := s.knownCourse(ctx, course); err != nil {
		return Token{}, Secret{}, err
	}
	if role == RoleStaff && course == "" {
		return Token{}, Secret{}, Invalid("course", "A staff token needs the course it is for, for example \"de-2026\".")
	}
	secret := NewSecret(tokenPrefix + NewSecretValue().Reveal())
	t, err := s.storeToken(ctx, who.Subject, Token{Role: role, Subject: subject, Course: course}, secret)
	return t, secret, err
}

func (s *Service) storeToken(ctx context.Context, by string, t Token, secret Secret) (Token, error) {
	t.ID, t.Hash, t.CreatedAt, t.CreatedBy = NewID(), HashToken(secret.Reveal()), s.clock(), by
	err := s.store.Commit(ctx, Change{Token: &t})
	t.Version++
	return t, err
}

// AdmitAdminToken makes a secret that an operator chose an admin token, unless
// it is or was one: what was revoked stays revoked. Several replicas may do so
// at once. CodeInvalid is a secret that no token can be, or one so short that it
// could be guessed. It is for the start of the daemon, which has no caller.
func (s *Service) AdmitAdminToken(ctx context.Context, secret Secret) error {
	if text := secret.Reveal(); !strings.HasPrefix(text, tokenPrefix) || len(text) < len(tokenPrefix)+32 || len(text) > 200 {
		return Invalid("auth.adminTokenFile", "The admin token must be %s and at least 32 further characters; make one with: echo %s$(openssl rand -hex 32)", tokenPrefix, tokenPrefix)
	}
	_, err := s.store.Token(ctx, HashToken(secret.Reveal()))
	if CodeOf(err) != CodeNotFound {
		return err
	}
	_, stored := s.storeToken(ctx, "daskbot", Token{Role: RoleAdmin, Subject: "admin"}, secret)
	if stored == nil {
		return nil
	}
	if _, err := s.store.Token(ctx, HashToken(secret.Reveal())); err == nil {
		return nil // another replica was faster
	}
	return stored
}

// EnsureAdminToken makes sure that there is an admin token: the given one if it
// is valid, else a new one. It is for the start of the daemon, which has no
// caller.
func (s *Service) EnsureAdminToken(ctx context.Context, secret Secret) (Secret, error) {
	if !secret.IsZero() {
		t, err := s.store.Token(ctx, HashToken(secret.Reveal()))
		if err == nil && t.RevokedAt.IsZero() {
			return secret, nil
		}
		if err != nil && CodeOf(err) != CodeNotFound {
			return Secret{}, err
		}
	}
	secret = NewSecret(tokenPrefix + NewSecretValue().Reveal())
	_, err := s.storeToken(ctx, "daskbot", Token{Role: RoleAdmin, Subject: "admin"}, secret)
	return secret, err
}

// Tokens lists all tokens without their secrets. Admins only.
func (s *Service) Tokens(ctx context.Context, who Caller) ([]Token, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return nil, err
	}
	return s.store.Tokens(ctx)
}

// RevokeToken makes a token open nothing from now on. Admins only.
func (s *Service) RevokeToken(ctx context.Context, who Caller, id string) error {
	tokens, err := s.Tokens(ctx, who)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(tokens, func(t Token) bool { return t.ID == id })
	switch {
	case i < 0:
		return Errorf(CodeNotFound, "There is no token %s.", clip(id))
	case !tokens[i].RevokedAt.IsZero():
		return nil
	}
	tokens[i].RevokedAt = s.clock()
	return s.store.Commit(ctx, Change{Token: &tokens[i]})
}

// called is who somebody means by a name: the caller, or whoever has exactly that
// one in the course or as a person, else the name in the form it is compared in.
func (s *Service) called(ctx context.Context, who Caller, course, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == CleanSubject(name) || name == who.Subject {
		return name, nil
	}
	var class Course
	if course != "" {
		var err error
		class, err = s.roster.Class(ctx, course)
		if err != nil && CodeOf(err) != CodeNotFound { // who looks for the course says so
			return "", err
		}
	}
	return s.spelt(ctx, class, name)
}

// Person returns what is known of a subject; an unknown one is empty.
func (s *Service) Person(ctx context.Context, who Caller, subject string) (Person, error) {
	subject, err := s.called(ctx, who, "", subject)
	if err != nil {
		return Person{}, err
	}
	if err := Authorize(who, ActionIdentify, subject, ""); err != nil {
		return Person{}, err
	}
	p, err := s.store.Person(ctx, subject)
	if CodeOf(err) == CodeNotFound {
		return Person{Subject: subject}, nil
	}
	return p, err
}

// PutPerson stores identities. A project that was not linked before is linked
// only if daskbot may act there; if not, CodeConflict with the commands that
// grant it. Students may link a project, but not say who they are elsewhere:
// that would let them take another's identity. An account of Slack or of a
// learning platform that somebody else had so far is no longer theirs: that is
// how two people become one. With Once, one that is delivered again changes
// nothing, and answers with the person as they are now.
func (s *Service) PutPerson(ctx context.Context, who Caller, p Person) (Person, error) {
	old, err := s.Person(ctx, who, p.Subject)
	if err != nil {
		return p, err
	}
	p.Subject = old.Subject
	if done, err := s.doneBefore(ctx, ""); err != nil || done {
		return old, err
	}
	if err := ValidSubject("subject", p.Subject); err != nil {
		return p, err
	}
	if err := ValidEmail(p.Email); err != nil {
		return p, err
	}
	if who.Role != RoleAdmin && p.poses(old) {
		return p, Errorf(CodeForbidden, "Only an admin may change e-mail, Slack and LMS identities; you may link a project.")
	}
	if p.Project != "" && p.Project != old.Project {
		if err := s.CheckProject(ctx, who, p.Project); err != nil {
			return p, err
		}
	}
	holders, err := s.holdersOf(ctx, p, old)
	if err != nil {
		return p, err
	}
	p.Version = old.Version
	return s.storePerson(ctx, p, holders)
}

// poses says whether p claims other identities than are known.
func (p Person) poses(known Person) bool {
	return p.Email != known.Email || p.SlackID != known.SlackID || p.LMSID != known.LMSID
}

func (s *Service) storePerson(ctx context.Context, p Person, released []Person) (Person, error) {
	err := s.store.Commit(ctx, Change{Person: &p, Released: released, Replay: s.onceFor("", s.clock())})
	if CodeOf(err) == CodeConflict { // perhaps by the same delivery, at the same moment
		if done, failed := s.doneBefore(ctx, ""); failed == nil && done {
			return s.store.Person(ctx, p.Subject)
		}
	}
	p.Version++
	return p, err
}

// holdersOf are those who had the accounts that p is to have, without them.
func (s *Service) holdersOf(ctx context.Context, p, old Person) (holders []Person, err error) {
	if p.SlackID != old.SlackID {
		if holders, err = s.store.PeopleBySlack(ctx, p.SlackID); err != nil {
			return nil, err
		}
	}
	if p.LMSID != old.LMSID && p.LMSID != "" {
		holder, err := s.store.PersonByLMS(ctx, p.LMSID)
		switch CodeOf(err) {
		case "":
			holders = append(holders, holder)
		case CodeNotFound:
		case CodeConflict:
			return nil, &Error{Code: CodeConflict, Field: "lmsId", Err: err,
				Message: "Several people are registered with the account " + clip(p.LMSID) + "; take it from all but one of them first."}
		default:
			return nil, err
		}
	}
	return without(holders, p), nil
}

// without are people, each once, without the accounts that p is to have; p is
// none of them.
func without(people []Person, p Person) (out []Person) {
	for _, h := range people {
		if h.Subject == p.Subject || slices.ContainsFunc(out, func(k Person) bool { return k.Subject == h.Subject }) {
			continue
		}
		if SameSlack(h.SlackID, p.SlackID) {
			h.SlackID = ""
		}
		if h.LMSID == p.LMSID {
			h.LMSID = ""
		}
		out = append(out, h)
	}
	return out
}

// CheckProject asks the cloud whether daskbot may act in the project.
func (s *Service) CheckProject(ctx context.Context, who Caller, project string) error {
	if who.Subject == "" {
		return Authorize(who, ActionView, "", "")
	}
	if err := ValidProject(project); err != nil {
		return err
	}
	if s.noCloud {
		return Invalid("project", "This installation has no cloud, so no project can be linked: it only uses clusters that it was given.")
	}
	err := s.clusters.Allowed(ctx, project)
	if e, ok := errorAs(err); ok && (e.Code == CodeForbidden || e.Code == CodeNotFound) {
		return &Error{Code: CodeConflict, Field: "project", Message: e.Message, Err: err}
	}
	return err
}
