package bot

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// clients are those of the workspaces that installed the app themselves. Each
// has its own: limits and members are a workspace's.
type clients struct {
	config Config
	mu     sync.Mutex
	teams  map[string]team
	joined chan struct{} // gets a value when there is another one
}

type team struct {
	token environment.Secret
	api   *client
}

// of returns the client with a team's token, the same one until the token
// changes.
func (c *clients) of(name string, token environment.Secret) *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.teams[name]
	if !ok || known.token != token {
		config := c.config
		config.BotToken = token
		known = team{token, newClient(config)}
		c.teams[name] = known
		select {
		case c.joined <- struct{}{}:
		default: // a value is waiting already
		}
	}
	return known.api
}

// client talks to a team: with the token it installed, or else with the
// configured one. The store is asked each time, because another replica may
// have taken the news. A team that took the app away is CodeForbidden.
func (b *Bot) client(ctx context.Context, team string) (*client, error) {
	w, err := b.service.Workspace(ctx, team)
	switch {
	case team == "" || environment.CodeOf(err) == environment.CodeNotFound:
		return b.api, nil
	case err != nil:
		return nil, err
	case w.Gone(b.clients.config.BotToken):
		return nil, environment.Errorf(environment.CodeForbidden, "daskbot is no longer installed in this Slack workspace.")
	case w.Token.IsZero():
		return b.api, nil
	}
	return b.clients.of(team, w.Token), nil
}

// vouched refuses to believe the e-mail addresses of a workspace that nobody
// but its own people chose: they could make themselves anybody.
func (b *Bot) vouched(ctx context.Context, a account) error {
	w, err := b.service.Workspace(ctx, a.team)
	switch {
	case environment.CodeOf(err) == environment.CodeNotFound:
		return nil
	case err != nil:
		return err
	case w.Token.IsZero() || slices.Contains(b.clients.config.Workspaces, a.team):
		return nil
	}
	return environment.Errorf(environment.CodeNotFound, "I do not know you yet. `daskbot link` shows a code; type `/dask link CODE` with it. "+
		"Or send whoever runs daskbot your Slack id, `%s`, and ask to be linked to your course identity.", a.id())
}

// forget a team's token: Slack has taken it back.
func (b *Bot) forget(ctx context.Context, ev event) error {
	err := b.service.ForgetWorkspace(ctx, ev.from.team, b.clients.config.BotToken, ev.at)
	if environment.CodeOf(err) == environment.CodeConflict { // the other of the two events, at the same moment
		err = b.service.ForgetWorkspace(ctx, ev.from.team, b.clients.config.BotToken, ev.at)
	}
	if err == nil {
		b.log.Warn("slack has taken back the app's access; nobody there is told anything until it is installed again", "event", ev.kind, "slack_team", ev.from.team)
	}
	return err
}

// accountOf reads what is kept with a person; an admin may have left out the
// team.
func accountOf(slackID string) account {
	if team, user, found := strings.Cut(slackID, ":"); found {
		return account{team, user}
	}
	return account{user: slackID}
}

// is says whether both are one account, as far as their teams are known.
func (a account) is(b account) bool {
	return a.user == b.user && (a.team == b.team || a.team == "" || b.team == "")
}

// write posts in a channel of somebody's workspace, or in the direct message
// with them.
func (b *Bot) write(ctx context.Context, to account, channel string, m message, kind string) error {
	api, err := b.client(ctx, to.team)
	if err != nil {
		return err
	}
	if err := api.limits.take("chat.postMessage", channel); err != nil {
		return err
	}
	_, _, _, err = api.post(ctx, channel, mark("", kind), m, m.withoutBlocks())
	return err
}

func (b *Bot) openView(ctx context.Context, in interaction, v slack.ModalViewRequest) error {
	api, err := b.client(ctx, in.from.team)
	if err != nil {
		return err
	}
	return api.openView(ctx, in.trigger, v)
}

func (b *Bot) showHome(ctx context.Context, a account, blocks []block) error {
	api, err := b.client(ctx, a.team)
	if err != nil {
		return err
	}
	return api.publishHome(ctx, a.user, blocks)
}
