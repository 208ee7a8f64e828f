package environment

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Subscription is an address outside to which a course has notifications of
// its environments sent.
type Subscription struct {
	URL string `json:"url"`
	// Events are the notices wanted, such as environment.ready; empty for all.
	Events []string `json:"events,omitempty"`
	// Since is when it was registered: what happened before is not told. Zero:
	// not yet, and nothing is.
	Since time.Time `json:"since"`
}

// Wants reports whether a notice is to be sent there.
func (s Subscription) Wants(notice string) bool {
	return len(s.Events) == 0 || slices.Contains(s.Events, notice)
}

// The notices that a course can have sent.
const (
	NoticeRequested = "environment.requested"
	NoticeReady     = "environment.ready"
	NoticeEnding    = "environment.ending" // it ends by itself soon
	NoticeFailed    = "environment.failed"
	NoticeDeleted   = "environment.deleted"
)

// Notices lists them.
func Notices() []string {
	return []string{NoticeRequested, NoticeReady, NoticeEnding, NoticeFailed, NoticeDeleted}
}

// maxSubscriptions bounds how many addresses one course may have told.
const maxSubscriptions = 5

// CheckNotifications refuses addresses that nothing could be sent to. Whether
// one leads to a private network is found out when it is connected to: a name
// may lead elsewhere tomorrow.
func (c Course) CheckNotifications() error {
	if len(c.Notifications) > maxSubscriptions {
		return Invalid("notifications", "A course has at most %d addresses told.", maxSubscriptions)
	}
	seen := map[string]bool{}
	for i, s := range c.Notifications {
		at := "notifications[" + strconv.Itoa(i) + "]"
		if !postable(s.URL) {
			return Invalid(at+".url", "%q is not an address that notifications can be sent to, for example \"https://hooks.example.edu/daskbot\".", clip(s.URL))
		}
		if seen[s.URL] {
			return Invalid(at+".url", "This address is in the list twice.")
		}
		seen[s.URL] = true
		for _, notice := range s.Events {
			if !slices.Contains(Notices(), notice) {
				return Invalid(at+".events", "%q is not a notice: %s.", clip(notice), strings.Join(Notices(), ", "))
			}
		}
	}
	return nil
}

// postable reports whether an address is one that something can be sent to.
func postable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || len(address) > 500 || strings.ContainsFunc(address, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' }) {
		return false
	}
	return (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.Fragment == ""
}

// subscribed are the subscriptions of a document, each since it was first in
// one.
func (c Course) subscribed(wanted []Subscription, now time.Time) []Subscription {
	var out []Subscription
	for _, s := range wanted {
		s.Since = now
		if i := slices.IndexFunc(c.Notifications, func(old Subscription) bool { return old.URL == s.URL && !old.Since.IsZero() }); i >= 0 {
			s.Since = c.Notifications[i].Since
		}
		out = append(out, s)
	}
	return out
}

// SubscriptionState is how sending to an address goes.
type SubscriptionState struct {
	Course string `json:"course"`
	URL    string `json:"url"`
	// FailingSince is when what was sent last began to fail; zero while it does
	// not.
	FailingSince time.Time `json:"failingSince,omitzero"`
	// DisabledAt is when it was given up; nothing is sent until staff resume it.
	DisabledAt time.Time `json:"disabledAt,omitzero"`
	// Reason is a sentence for staff about the last failure.
	Reason  string `json:"reason,omitempty"`
	version int64
}

// Notification is a subscription with what its receiver has to know and how it
// goes.
type Notification struct {
	Subscription
	State SubscriptionState
	// Secret verifies what is sent there, by Standard Webhooks.
	Secret Secret
}

const (
	subscriptionPrefix = "webhook/to/"
	signingNote        = "webhook/key"
)

func subscriptionKey(course, address string) string {
	return subscriptionPrefix + course + "/" + HashToken(address)
}

// SubscriptionState reads how sending to an address goes; the zero state while
// nothing ever failed. For daskbot's own parts: it checks no caller.
func (s *Service) SubscriptionState(ctx context.Context, course, address string) (SubscriptionState, error) {
	state := SubscriptionState{Course: course, URL: address}
	note, err := s.store.Note(ctx, subscriptionKey(course, address))
	if CodeOf(err) == CodeNotFound {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal([]byte(note.Value), &state); err != nil {
		return state, &Error{Code: CodeInternal, Message: "What was noted about a notification's address cannot be read.", Err: err}
	}
	state.version = note.Version
	return state, nil
}

// KeepSubscriptionState writes a state that was read before; CodeConflict when
// somebody else wrote meanwhile. When it was disabled now, the course's staff
// find that among the events of the environment that could not be told of. For
// daskbot's own parts: it checks no caller.
func (s *Service) KeepSubscriptionState(ctx context.Context, state SubscriptionState, environment string) error {
	value, err := json.Marshal(state)
	if err != nil {
		return err
	}
	change := Change{Note: &Note{Key: subscriptionKey(state.Course, state.URL), Value: string(value), Version: state.version}}
	if !state.DisabledAt.IsZero() && environment != "" {
		e, err := s.store.Environment(ctx, environment)
		if err != nil {
			return err
		}
		change.Events = []Event{{At: state.DisabledAt, Environment: e.ID, Type: EventMuted, State: e.State, Phase: e.Phase, Actor: "daskbot",
			Detail: state.muted()}}
	}
	return s.store.Commit(ctx, change)
}

// muted says to staff that an address was given up, why, and what to do.
func (s SubscriptionState) muted() string {
	return "Notifications to " + s.URL + " are not sent any more: " + s.Reason + " `daskbot course notifications " + s.Course + " --resume` has them sent again."
}

// mutedIn says which addresses of a course were given up.
func (s *Service) mutedIn(ctx context.Context, c Course) ([]string, error) {
	var all []string
	for _, sub := range c.Notifications {
		state, err := s.SubscriptionState(ctx, c.ID, sub.URL)
		if err != nil {
			return nil, err
		}
		if !state.DisabledAt.IsZero() {
			all = append(all, state.muted())
		}
	}
	return all, nil
}

// NotificationSecret is what notifications to an address are signed with. It
// follows from a key that is made at the first use and kept sealed. For
// daskbot's own parts: it checks no caller.
func (s *Service) NotificationSecret(ctx context.Context, course, address string) (Secret, error) {
	key, err := s.signingKey(ctx)
	if err != nil {
		return Secret{}, err
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	_, _ = mac.Write([]byte(course + "\n" + address)) // a hash takes everything
	return NewSecret("whsec_" + base64.StdEncoding.EncodeToString(mac.Sum(nil))), nil
}

func (s *Service) signingKey(ctx context.Context) (Secret, error) {
	note, err := s.store.Note(ctx, signingNote)
	if CodeOf(err) != CodeNotFound {
		return note.Secret, err
	}
	made := Note{Key: signingNote, Value: "made", Secret: NewSecret(NewSecretValue().Reveal() + NewSecretValue().Reveal())}
	err = s.store.Commit(ctx, Change{Note: &made})
	if CodeOf(err) == CodeConflict { // another made it at the same moment
		note, err = s.store.Note(ctx, signingNote)
		return note.Secret, err
	}
	return made.Secret, err
}

// Notifications lists where a course has notifications sent, with the secrets
// to verify them. Staff of the course and admins; errors are those of
// CourseDocument.
func (s *Service) Notifications(ctx context.Context, who Caller, course string) ([]Notification, error) {
	class, err := s.class(ctx, who, course)
	if err != nil {
		return nil, err
	}
	var out []Notification
	for _, sub := range class.Notifications {
		n := Notification{Subscription: sub}
		if n.State, err = s.SubscriptionState(ctx, class.ID, sub.URL); err != nil {
			return nil, err
		}
		if n.Secret, err = s.NotificationSecret(ctx, class.ID, sub.URL); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// ResumeNotifications has notifications sent again to addresses that were
// given up. What happened meanwhile is told as far as it still holds when
// something next happens. Callers and errors are those of Notifications.
func (s *Service) ResumeNotifications(ctx context.Context, who Caller, course string) ([]Notification, error) {
	all, err := s.Notifications(ctx, who, course)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if n.State.DisabledAt.IsZero() && n.State.FailingSince.IsZero() {
			continue
		}
		fresh := SubscriptionState{Course: n.State.Course, URL: n.State.URL, version: n.State.version}
		if err := s.KeepSubscriptionState(ctx, fresh, ""); err != nil {
			return nil, err
		}
	}
	return s.Notifications(ctx, who, course)
}
