package bot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// member is what Slack says about a user.
type member struct {
	email string
	zone  *time.Location // nil when Slack does not say
	at    time.Time
	alien bool // a bot, somebody who left, or from another workspace
}

// directoryCache keeps what Slack said about users: asking anew for each
// command would be slower than an acknowledgement may be.
type directoryCache struct {
	mu      sync.Mutex
	members map[string]member
	zones   map[string]*time.Location // by name: few, and each holds a century of changes
	reading chan struct{}             // closed when the reading under way ends; nil when there is none
	page    *slack.UserPagination     // where it goes on after Slack asked to wait
	due     time.Time                 // when everybody is read again
}

// How long what Slack said about a user is believed without asking again; how
// often everybody is read, which is soon enough that a class that comes the
// next morning finds nobody's entry old; and when that is tried again after it
// did not work.
const (
	memberFor    = time.Hour
	membersEvery = 45 * time.Minute
	membersAgain = 5 * time.Minute
	// renewWithin is how long an old entry waits for a new one. Slack itself
	// vouched for the account, so that what it said before is still a better
	// answer than none.
	renewWithin = time.Second
)

func (d *directoryCache) get(user string) (member, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.members[user]
	return m, ok
}

func (d *directoryCache) put(u slack.User, now time.Time) member {
	m := member{at: now, alien: u.IsBot || u.Deleted || u.IsStranger}
	if u.IsEmailConfirmed { // an address anybody may claim proves nothing
		m.email = u.Profile.Email
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.members == nil {
		d.members, d.zones = map[string]member{}, map[string]*time.Location{}
	}
	m.zone = d.zoneOf(u)
	d.members[u.ID] = m
	return m
}

// zoneOf is a user's time zone; one that this machine does not know by its name
// is as far from UTC as Slack says it is now.
func (d *directoryCache) zoneOf(u slack.User) *time.Location {
	if u.TZ == "" {
		return nil
	}
	if zone, ok := d.zones[u.TZ]; ok {
		return zone
	}
	zone, err := time.LoadLocation(u.TZ)
	if err != nil {
		return time.FixedZone(u.TZ, u.TZOffset)
	}
	d.zones[u.TZ] = zone
	return zone
}

// begin a reading of everybody, where the last one was told to wait.
func (d *directoryCache) begin(api *slack.Client) slack.UserPagination {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading = make(chan struct{})
	if d.page != nil {
		return *d.page
	}
	return api.GetUsersPaginated(slack.GetUsersOptionLimit(1000))
}

// end a reading; page is where it goes on, nil at the beginning.
func (d *directoryCache) end(page *slack.UserPagination, due time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.reading)
	d.reading, d.page, d.due = nil, page, due
}

// await the end of a reading under way, if there is one.
func (d *directoryCache) await(ctx context.Context) {
	d.mu.Lock()
	reading := d.reading
	d.mu.Unlock()
	if reading == nil {
		return
	}
	select {
	case <-reading:
	case <-ctx.Done():
	}
}

func (d *directoryCache) dueAt() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.due
}

// member asks Slack about a user, or remembers what it said.
func (b *Bot) member(ctx context.Context, a account) (member, error) {
	api, err := b.client(ctx, a.team)
	if err != nil {
		return member{}, err
	}
	old, known := api.known.get(a.user)
	if known && b.now().Sub(old.at) < memberFor {
		return old, nil
	}
	asking := ctx
	if known {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, renewWithin)
		defer cancel()
	}
	m, err := b.ask(asking, api, a.user)
	if environment.CodeOf(err) != environment.CodeUnavailable {
		return m, err
	}
	if known {
		return old, nil
	}
	api.known.await(ctx)
	if m, known = api.known.get(a.user); known {
		return m, nil
	}
	return member{}, err
}

// ask Slack about one user.
func (b *Bot) ask(ctx context.Context, api *client, user string) (member, error) {
	if err := api.limits.take("users.info", ""); err != nil {
		return member{}, err
	}
	u, err := api.slack.GetUserInfoContext(ctx, user)
	if err != nil {
		return member{}, api.heard("users.info", err)
	}
	return api.known.put(*u, b.now()), nil
}

// keepMembers reads everybody in the workspaces that are talked to, again and
// again, so that the first minute of a class asks about nobody.
func (b *Bot) keepMembers(ctx context.Context) error {
	for {
		timer := time.NewTimer(b.readAllMembers(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-b.clients.joined:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// readAllMembers reads the workspaces that are due and returns when the next
// one is.
func (b *Bot) readAllMembers(ctx context.Context) time.Duration {
	next := membersEvery
	for _, api := range append([]*client{b.api}, b.talkedTo(ctx)...) {
		if wait := api.known.dueAt().Sub(b.now()); wait > 0 {
			next = min(next, wait)
			continue
		}
		next = min(next, b.readMembers(ctx, api))
	}
	return next
}

// talkedTo are the clients of the workspaces that installed the app and were
// heard of since the start. Those that took it away are forgotten.
func (b *Bot) talkedTo(ctx context.Context) []*client {
	b.clients.mu.Lock()
	teams := slices.Sorted(maps.Keys(b.clients.teams))
	b.clients.mu.Unlock()
	var out []*client
	for _, name := range teams {
		api, err := b.client(ctx, name)
		switch {
		case environment.CodeOf(err) == environment.CodeForbidden || err == nil && api == b.api:
			b.clients.mu.Lock()
			delete(b.clients.teams, name)
			b.clients.mu.Unlock()
		case err == nil:
			out = append(out, api)
		}
	}
	return out
}

// readMembers learns a whole workspace, a thousand people a call, and returns
// when to do it again, or to go on.
func (b *Bot) readMembers(ctx context.Context, api *client) time.Duration {
	page := api.known.begin(api.slack)
	wait, rest := membersEvery, (*slack.UserPagination)(nil)
	defer func() { api.known.end(rest, b.now().Add(wait)) }()
	for {
		next, err := page.Next(ctx)
		var limited *slack.RateLimitedError
		switch {
		case next.Done(err):
			return wait
		case errors.As(err, &limited):
			wait, rest = max(limited.RetryAfter, time.Second), &page
			return wait
		case err != nil:
			wait = membersAgain
			if ctx.Err() == nil {
				b.log.Warn("read the members of the Slack workspace", "reason", translate("users.list", err).Error())
			}
			return wait
		}
		page = next
		for _, u := range page.Users {
			api.known.put(u, b.now())
		}
	}
}
