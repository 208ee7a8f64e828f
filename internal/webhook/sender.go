package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// waits are before the second attempt and so on, as Standard Webhooks
// recommends: ten attempts within three days.
var waits = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// registersWithin is how soon after its start daskbot notes an address of the
// configuration.
const registersWithin = time.Minute

// Commands is what this package needs of the domain. *environment.Service is
// the implementation.
type Commands interface {
	CourseDocument(ctx context.Context, who environment.Caller, id string) (environment.Course, error)
	NotificationSecret(ctx context.Context, course, address string) (environment.Secret, error)
	SubscriptionState(ctx context.Context, course, address string) (environment.SubscriptionState, error)
	KeepSubscriptionState(ctx context.Context, state environment.SubscriptionState, environmentID string) error
}

// Config is what a Sender needs; Commands and Log are required.
type Config struct {
	Commands Commands
	// Allowed are networks that are sent to besides public addresses; only there
	// plain http is taken.
	Allowed []netip.Prefix
	// Observe is told how each attempt came out: sent, failed or disabled.
	Observe func(outcome string)
	Log     *slog.Logger
	Now     func() time.Time // time.Now when nil
}

// Sender tells the addresses of a course.
type Sender struct {
	Config
	client, plain *http.Client
}

var _ environment.Notifier = (*Sender)(nil)

// New makes a Sender. It starts nothing.
func New(c Config) (*Sender, error) {
	if c.Commands == nil || c.Log == nil {
		return nil, errors.New("webhook: Commands and Log are required")
	}
	if c.Observe == nil {
		c.Observe = func(string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Sender{Config: c, client: guard{allowed: c.Allowed}.client(), plain: guard{allowed: c.Allowed, only: true}.client()}, nil
}

// Name is environment.Notifier's.
func (*Sender) Name() string { return "webhook" }

// Report tells nobody: an order for a class is told to who gave it, and what
// becomes of each environment is told anyway.
func (*Sender) Report(context.Context, environment.CourseOrder, string, func(context.Context, string) error) error {
	return nil
}

// memory is what was told of one environment, by address.
type memory map[string]*progress

// progress is what one address was told, and what is on its way there.
type progress struct {
	Told []string `json:"told,omitempty"`
	// The notice on its way: its key, the message's id, and what became of it.
	Key   string    `json:"key,omitempty"`
	ID    string    `json:"id,omitempty"`
	First time.Time `json:"first,omitzero"`
	Tries int       `json:"tries,omitempty"`
	Due   time.Time `json:"due,omitzero"`
}

// Tell brings every address of the environment's course up to date. Ids of
// messages are kept before they are sent, so that a receiver recognises what
// comes twice after a crash.
func (s *Sender) Tell(ctx context.Context, e environment.Environment, remembered string, keep func(context.Context, string) error) (time.Duration, error) {
	subs, err := s.subscriptions(ctx, e.Course)
	if err != nil || len(subs) == 0 {
		return 0, err
	}
	m := memory{}
	if remembered != "" {
		if err := json.Unmarshal([]byte(remembered), &m); err != nil {
			return 0, err
		}
	}
	var sending []*errand
	again := time.Duration(0)
	for _, sub := range subs {
		if sub.Since.IsZero() { // of the configuration, and not registered yet
			again = registersWithin
		} else if a := s.next(m, sub, e); a != nil {
			sending = append(sending, a)
		}
	}
	if len(sending) == 0 {
		return again, nil
	}
	if err := s.keep(ctx, m, remembered, keep); err != nil {
		return 0, err
	}
	next, err := s.run(ctx, sending)
	if next > 0 && (again == 0 || next < again) {
		again = next
	}
	after, _ := json.Marshal(m)
	return again, errors.Join(err, keep(context.WithoutCancel(ctx), string(after)))
}

// keep writes the memory down when it changed.
func (s *Sender) keep(ctx context.Context, m memory, was string, keep func(context.Context, string) error) error {
	text, err := json.Marshal(m)
	if err != nil || string(text) == was {
		return err
	}
	return keep(ctx, string(text))
}

// subscriptions are those of a course; none for no course, or one that is gone.
func (s *Sender) subscriptions(ctx context.Context, course string) ([]environment.Subscription, error) {
	if course == "" {
		return nil, nil
	}
	c, err := s.Commands.CourseDocument(ctx, environment.Caller{Subject: "daskbot", Role: environment.RoleAdmin}, course)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return nil, nil
	}
	return c.Notifications, err
}

// errand is a notice for one address.
type errand struct {
	sub    environment.Subscription
	e      environment.Environment
	notice notice
	p      *progress
}

// next finds what an address is still to be told. What holds no longer is
// given up in favour of what does.
func (s *Sender) next(m memory, sub environment.Subscription, e environment.Environment) *errand {
	p := m[sub.URL]
	if p == nil {
		p = &progress{}
	}
	for _, n := range due(e) {
		if !sub.Wants(n.kind) || n.at.Before(sub.Since) || slices.Contains(p.Told, n.key) {
			continue
		}
		if p.Key != n.key {
			*p = progress{Told: p.Told, Key: n.key, ID: newMessageID()}
		}
		m[sub.URL] = p
		return &errand{sub: sub, e: e, notice: n, p: p}
	}
	return nil
}

// run does all errands at once, so that a slow receiver takes no time from the
// others. It returns when the next one is due.
func (s *Sender) run(ctx context.Context, all []*errand) (again time.Duration, err error) {
	waits, errs := make([]time.Duration, len(all)), make([]error, len(all))
	var group sync.WaitGroup
	for i, a := range all {
		group.Go(func() { waits[i], errs[i] = s.do(ctx, a) })
	}
	group.Wait()
	for _, wait := range waits {
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	return again, errors.Join(errs...)
}

// do makes one attempt, if it is due. It returns when to come again, 0 when
// there is no more to do for this address.
func (s *Sender) do(ctx context.Context, a *errand) (time.Duration, error) {
	now := s.Now()
	if wait := a.p.Due.Sub(now); wait > 0 {
		return wait, nil
	}
	state, err := s.Commands.SubscriptionState(ctx, a.e.Course, a.sub.URL)
	if err != nil {
		return 0, err
	}
	if !state.DisabledAt.IsZero() { // once staff resume it, it begins anew
		a.p.Tries, a.p.Due = 0, time.Time{}
		return 0, nil
	}
	if a.p.Tries == 0 {
		a.p.First = now.UTC()
	}
	if err := s.attempt(ctx, a, now); err != nil {
		if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return 0, ctx.Err() // the process is stopping
		}
		return s.failed(ctx, a, state, err, now)
	}
	s.Observe("sent")
	*a.p = progress{Told: append(a.p.Told, a.p.Key)}
	if !state.FailingSince.IsZero() {
		state.FailingSince, state.Reason = time.Time{}, ""
		if err := s.Commands.KeepSubscriptionState(ctx, state, ""); err != nil && environment.CodeOf(err) != environment.CodeConflict {
			return 0, err
		}
	}
	return time.Millisecond, nil // perhaps there is another notice
}

func (s *Sender) attempt(ctx context.Context, a *errand, now time.Time) *failed {
	secret, err := s.Commands.NotificationSecret(ctx, a.e.Course, a.sub.URL)
	if err != nil {
		return &failed{reason: "The message could not be signed.", err: err}
	}
	text, err := body(a.e, a.notice)
	if err != nil {
		return &failed{reason: "The message could not be written.", err: err}
	}
	return send(ctx, s.clientFor(a.sub.URL), message{id: a.p.ID, url: a.sub.URL, secret: secret, body: text}, now)
}

// clientFor sends what is not encrypted only where that was allowed. A scheme may
// be written in capitals.
func (s *Sender) clientFor(address string) *http.Client {
	if u, err := url.Parse(address); err == nil && u.Scheme == "https" {
		return s.client
	}
	return s.plain
}

// failed plans the next attempt, or gives the address up when it took nothing
// since the first.
func (s *Sender) failed(ctx context.Context, a *errand, state environment.SubscriptionState, f *failed, now time.Time) (time.Duration, error) {
	a.p.Tries++
	exhausted := a.p.Tries > len(waits)
	s.Log.InfoContext(ctx, "notification not taken", "course", a.e.Course, "env_id", a.e.ID, "try", a.p.Tries, "reason", f.Error())
	s.Observe("failed")
	if state.FailingSince.IsZero() {
		state.FailingSince = now.UTC()
	}
	state.Reason = f.reason
	muted := ""
	if f.gone || exhausted && !state.FailingSince.After(a.p.First.Add(waits[0])) {
		state.DisabledAt, muted = now.UTC(), a.e.ID
		s.Observe("disabled")
		s.Log.WarnContext(ctx, "notifications given up", "course", a.e.Course, "since", state.FailingSince, "reason", f.Error())
	}
	// Another environment's attempt may have said the same at this moment.
	if err := s.Commands.KeepSubscriptionState(ctx, state, muted); err != nil && (muted != "" || environment.CodeOf(err) != environment.CodeConflict) {
		return 0, err
	}
	switch {
	case muted != "":
		a.p.Tries, a.p.Due = 0, time.Time{}
		return 0, nil
	case exhausted: // others were taken meanwhile: it is this one that is not wanted
		*a.p = progress{Told: append(a.p.Told, a.p.Key)}
		return time.Millisecond, nil
	}
	wait := max(jitter(waits[a.p.Tries-1]), f.after)
	a.p.Due = now.Add(wait).UTC()
	return wait, nil
}

// jitter spreads attempts over a tenth of the wait, so that what failed
// together does not come back together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}
