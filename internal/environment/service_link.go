package environment

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// linkFor is how long a code that joins a Slack account is good.
const linkFor = 15 * time.Minute

// offer is what is noted about such a code.
type offer struct {
	Subject string    `json:"subject"`
	Until   time.Time `json:"until"`
	Used    bool      `json:"used,omitempty"`
	By      string    `json:"by,omitempty"` // the account it was used by
}

// LinkCode makes a code with which whoever types it in Slack is joined to a
// person: once, and for a quarter of an hour. The person and admins may ask.
func (s *Service) LinkCode(ctx context.Context, who Caller, subject string) (Secret, time.Time, error) {
	subject, err := s.called(ctx, who, "", subject)
	if err != nil {
		return Secret{}, time.Time{}, err
	}
	if err := Authorize(who, ActionIdentify, subject, ""); err != nil {
		return Secret{}, time.Time{}, err
	}
	if err := ValidSubject("subject", subject); err != nil {
		return Secret{}, time.Time{}, err
	}
	code := NewSecret(strings.Join([]string{randomFrom(idAlphabet, 4), randomFrom(idAlphabet, 4), randomFrom(idAlphabet, 4)}, "-"))
	o := offer{Subject: subject, Until: s.clock().Add(linkFor)}
	return code, o.Until, s.noteOffer(ctx, Note{Key: offerKey(code.Reveal())}, o, Change{})
}

// offerKey does not tell the code.
func offerKey(code string) string { return "link/" + HashToken(strings.ToLower(code)) }

// noteOffer notes it together with another change.
func (s *Service) noteOffer(ctx context.Context, note Note, o offer, with Change) error {
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	note.Value = string(value)
	with.Note = &note
	return s.store.Commit(ctx, with)
}

// LinkSlack joins a Slack account, "TEAM:USER", that Slack vouched for to the
// person whose code it gives. A code that is wrong, used or too old is
// CodeNotFound; the same account may give it again, since a delivery may come
// twice. A person who is linked to another account already is
// CodeForbidden: that is for an admin to sort out.
func (s *Service) LinkSlack(ctx context.Context, slackID, code string) (Person, error) {
	p, err := s.linkSlack(ctx, slackID, code)
	if CodeOf(err) == CodeConflict { // perhaps by the same delivery, at the same moment
		return s.linkSlack(ctx, slackID, code)
	}
	return p, err
}

func (s *Service) linkSlack(ctx context.Context, slackID, code string) (Person, error) {
	o, note, err := s.offer(ctx, code, slackID)
	if err != nil {
		return Person{}, err
	}
	p, err := s.store.Person(ctx, o.Subject)
	switch {
	case CodeOf(err) == CodeNotFound:
		p = Person{Subject: o.Subject}
	case err != nil:
		return p, err
	case p.SlackID != "" && !SameSlack(p.SlackID, slackID):
		return Person{}, Errorf(CodeForbidden, "%s is linked to another Slack account; ask whoever runs daskbot to change that.", p.Subject)
	}
	if o.Used {
		if p.SlackID != slackID { // it was given to somebody else since
			return Person{}, wrongCode()
		}
		return p, nil
	}
	holders, err := s.store.PeopleBySlack(ctx, slackID) // such as one who was made from its e-mail address
	if err != nil {
		return p, err
	}
	p.SlackID, o.Used, o.By = slackID, true, slackID
	err = s.noteOffer(ctx, note, o, Change{Person: &p, Released: without(holders, Person{Subject: p.Subject, SlackID: slackID})})
	p.Version++
	return p, err
}

func wrongCode() error {
	return Errorf(CodeNotFound, "This code is not good (any more). `daskbot link` shows a new one, for a quarter of an hour.")
}

// offer reads what a code stands for, if it is still good for an account.
func (s *Service) offer(ctx context.Context, code, slackID string) (offer, Note, error) {
	var o offer
	note, err := s.store.Note(ctx, offerKey(code))
	if CodeOf(err) == CodeNotFound {
		return o, note, wrongCode()
	}
	if err != nil {
		return o, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &o); err != nil {
		return o, note, &Error{Code: CodeInternal, Message: "What was noted about the code cannot be read.", Err: err}
	}
	if o.Used && o.By != slackID || s.clock().After(o.Until) {
		return o, note, wrongCode()
	}
	return o, note, nil
}
