package bot

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/environment"
)

// Directory is what the configuration knows about people.
type Directory interface {
	// Caller is who a subject is: admin, staff of courses, or a student.
	Caller(subject string) environment.Caller
	// DefaultCourse is what a command means that names no course, "" for none.
	DefaultCourse(subject string) string
}

// Config is what a Bot needs; Service, Directory, BotToken and Log are
// required, and either SigningSecret (HTTP) or AppToken (Socket Mode).
type Config struct {
	Service       *environment.Service
	Directory     Directory
	SigningSecret environment.Secret
	BotToken      environment.Secret
	AppToken      environment.Secret // xapp-…; Socket Mode when set
	APIURL        string             // Slack's own when empty
	// ClientID and ClientSecret let the app be installed in other workspaces,
	// from a browser that reaches ExternalURL; without them there is only the
	// workspace of BotToken.
	ClientID     string
	ClientSecret environment.Secret
	ExternalURL  string
	// Workspaces are the teams, among those that installed the app themselves,
	// whose e-mail addresses say who somebody is. The administrators of any
	// other could name its members as they like.
	Workspaces []string
	// Admit makes every member of the workspace a person; otherwise only those
	// whose e-mail address or Slack id an admin registered are served.
	Admit bool
	// Span traces commands; nil traces nothing. Audit keeps who did what; nil
	// keeps nothing.
	Span  environment.Span
	Audit environment.AuditLog
	// Feed says what happened to environments, on any replica; without it homes
	// show what was when they were opened.
	Feed *environment.Feed
	Log  *slog.Logger
	Now  func() time.Time // time.Now when nil
}

// Bot serves the Slack workspace of the configured token, and those in which
// the app was installed from a browser.
type Bot struct {
	service       *environment.Service
	directory     Directory
	signingSecret environment.Secret
	admit         bool
	api           *client // of the configured token
	clients       clients // of the other workspaces
	oauth         oauth
	socket        bool
	later         chan func(context.Context)
	homes         homes
	feed          *environment.Feed
	span          environment.Span
	audit         environment.AuditLog
	log           *slog.Logger
	now           func() time.Time
}

var _ environment.Notifier = (*Bot)(nil)

// maxLater bounds answers under way that have to ask a cluster or Slack first.
const maxLater = 256

// New makes a Bot. It starts nothing and does not call Slack: Slack may be
// down.
func New(c Config) (*Bot, error) {
	if c.Service == nil || c.Directory == nil || c.Log == nil {
		return nil, errors.New("bot: Service, Directory and Log are required")
	}
	if c.BotToken.IsZero() || c.SigningSecret.IsZero() && c.AppToken.IsZero() {
		return nil, environment.Invalid("slack", "Slack needs botToken, and signingSecret (HTTP) or appToken (Socket Mode).")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Span == nil {
		c.Span = environment.NoSpan
	}
	return &Bot{span: c.Span, feed: c.Feed, audit: c.Audit, service: c.Service, directory: c.Directory, signingSecret: c.SigningSecret, admit: c.Admit,
		api: newClient(c), clients: clients{config: c, teams: map[string]team{}, joined: make(chan struct{}, 1)}, oauth: newOAuth(c), socket: !c.AppToken.IsZero(), later: make(chan func(context.Context), maxLater),
		log: c.Log, now: c.Now}, nil
}

// Run does what a delivery could not wait for, and keeps the Socket Mode
// connection when there is an app token. It returns when ctx ends. Slack not
// answering is logged and tried again; it is never an error.
func (b *Bot) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range 8 {
		group.Go(func() error { return b.work(ctx) })
	}
	group.Go(func() error { return b.keepMembers(ctx) })
	group.Go(func() error { return b.publishHomes(ctx) })
	if b.socket {
		group.Go(func() error { return b.listen(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// answerTime is how long an answer that was put off may take.
const answerTime = 20 * time.Second

// work carries out what was put off. A panic in one answer ends the program,
// as everywhere.
func (b *Bot) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-b.later:
			bounded, cancel := context.WithTimeout(ctx, answerTime)
			f(bounded)
			cancel()
		}
	}
}

// putOff f; false when too much is under way already.
func (b *Bot) putOff(f func(context.Context)) bool {
	select {
	case b.later <- f:
		return true
	default:
		return false
	}
}

// newClient bounds every call: the library's own HTTP client waits for ever.
func newClient(c Config) *client {
	timed := &http.Client{Timeout: 10 * time.Second}
	options := []slack.Option{slack.OptionHTTPClient(timed)}
	if c.APIURL != "" {
		options = append(options, slack.OptionAPIURL(c.APIURL))
	}
	if !c.AppToken.IsZero() {
		options = append(options, slack.OptionAppLevelToken(c.AppToken.Reveal()))
	}
	return &client{slack: slack.New(c.BotToken.Reveal(), options...), http: timed, limits: newLimits(c.Now)}
}
