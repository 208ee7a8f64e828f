package lti

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Where this package's pages are.
const (
	loginPath    = "/lti/login"
	launchPath   = "/lti/launch"
	jwksPath     = "/lti/jwks"
	configPath   = "/lti/config"
	registerPath = environment.RegisterPath
	pagePath     = "/lti/page"
	actPath      = "/lti/act"
	assetsPath   = "/lti/assets/"
)

// Service is what this package asks for; *environment.Service is it.
type Service interface {
	// First says whether a key is seen for the first time, by any replica.
	First(ctx context.Context, caller, key string) (bool, error)
	RecogniseLaunched(ctx context.Context, l environment.Launched) (environment.Person, error)

	// Platforms, Invited and RegisterPlatform are for dynamic registration.
	Platforms(ctx context.Context) ([]environment.Platform, error)
	Invited(ctx context.Context, code string) (name, home string, err error)
	RegisterPlatform(ctx context.Context, code string, p environment.Platform) error

	CourseByLMS(ctx context.Context, source, lmsContext string) (environment.Course, error)
	EnrollLaunched(ctx context.Context, who environment.Caller, course string, m environment.Member, hooks string) (changed bool, err error)
	Unenroll(ctx context.Context, who environment.Caller, course, subject, reason string) (changed bool, err error)
	CourseDocument(ctx context.Context, who environment.Caller, id string) (environment.Course, error)
	CourseStatus(ctx context.Context, who environment.Caller, course string) (environment.CourseStatus, error)
	CourseUp(ctx context.Context, who environment.Caller, course string) (environment.Batch, error)
	CourseDown(ctx context.Context, who environment.Caller, course string) (environment.Batch, error)

	Up(ctx context.Context, who environment.Caller, r environment.Request) (e environment.Environment, created bool, err error)
	Down(ctx context.Context, who environment.Caller, id string, expect int64) (e environment.Environment, already bool, err error)
	List(ctx context.Context, who environment.Caller, f environment.Filter) (items []environment.Environment, next string, err error)
	Look(ctx context.Context, who environment.Caller, id string) (environment.Look, error)
	Credentials(ctx context.Context, who environment.Caller, id string) (environment.Credentials, error)
}

// Store keeps the tool's keys and where rosters are read; environment.Store is
// it.
type Store interface {
	Note(ctx context.Context, key string) (environment.Note, error)
	Commit(ctx context.Context, change environment.Change) error
}

// Config is what a Tool needs; all but Platforms, HTTP, Audit and Now is required.
type Config struct {
	Service Service
	Store   Store
	// ExternalURL is daskbot's address, as the platforms and browsers see it.
	ExternalURL string
	// Platforms are those of the configuration; others may register themselves.
	Platforms []environment.Platform
	// HTTP asks platforms; http.DefaultTransport when nil.
	HTTP http.RoundTripper
	// Audit keeps who was launched, and who was refused; nil keeps nothing.
	Audit environment.AuditLog
	Log   *slog.Logger
	Now   func() time.Time // time.Now when nil
}

// Tool serves launches. It starts nothing by itself.
type Tool struct {
	service   Service
	store     Store
	base      *url.URL
	platforms []environment.Platform
	http      *http.Client
	audit     environment.AuditLog
	log       *slog.Logger
	now       func() time.Time
	ring      ring

	mu   sync.Mutex
	sets map[string]*keySet // of platforms, by address
	turn refusals           // to be written down
}

// askWithin bounds one request to a platform.
const askWithin = 10 * time.Second

// New checks the configuration.
func New(c Config) (*Tool, error) {
	base, err := url.Parse(strings.TrimRight(c.ExternalURL, "/"))
	if err != nil || base.Host == "" {
		return nil, errors.New("lti: ExternalURL is not an address")
	}
	if c.Service == nil || c.Store == nil || c.Log == nil {
		return nil, errors.New("lti: Service, Store and Log are required")
	}
	t := &Tool{service: c.Service, store: c.Store, base: base, platforms: c.Platforms, audit: c.Audit, log: c.Log, now: c.Now, sets: map[string]*keySet{}}
	if t.now == nil {
		t.now = time.Now
	}
	// A redirect would lead somewhere that nobody configured.
	t.http = &http.Client{Transport: c.HTTP, Timeout: askWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return t, nil
}

// at is the full address of one of this package's pages.
func (t *Tool) at(path string) string { return t.base.String() + path }

// Handler serves everything under /lti/.
func (t *Tool) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loginPath, t.page(t.serveLogin))
	mux.HandleFunc("POST "+loginPath, t.page(t.serveLogin))
	mux.HandleFunc("POST "+launchPath, t.page(t.serveLaunch))
	mux.HandleFunc("GET "+launchPath, t.page(openedByHand))
	mux.HandleFunc("GET "+jwksPath, t.page(t.serveJWKS))
	mux.HandleFunc("GET "+configPath, t.page(t.serveConfig))
	mux.HandleFunc("GET "+registerPath+"{code}", t.page(t.serveRegister))
	mux.HandleFunc("GET "+pagePath+"/{sid}", t.page(t.servePage))
	mux.HandleFunc("POST "+pagePath, t.page(t.servePage))
	mux.HandleFunc("POST "+actPath, t.page(t.serveAct))
	mux.Handle("GET "+assetsPath, assets())
	return mux
}

// platform finds a registration. A login that names no client must leave no
// choice. CodeNotFound for one that nobody made.
func (t *Tool) platform(ctx context.Context, issuer, client string) (environment.Platform, error) {
	stored, err := t.service.Platforms(ctx)
	if err != nil {
		return environment.Platform{}, err
	}
	var found []environment.Platform
	for _, list := range [][]environment.Platform{t.platforms, stored} { // the configuration goes first
		for _, p := range list {
			if p.Issuer == issuer && (client == "" || p.ClientID == client) {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 || client == "" && len(found) > 1 {
		return environment.Platform{}, environment.Errorf(environment.CodeNotFound, "This learning platform is not registered with daskbot; whoever runs daskbot can register it.")
	}
	return found[0], nil
}

// openedByHand answers whoever types the address of a launch.
func openedByHand(http.ResponseWriter, *http.Request) error {
	return environment.Errorf(environment.CodeInvalid, "This address is for learning platforms: open daskbot from the page of your course.")
}
