package lms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/daskbot/daskbot/internal/environment"
)

// How a source proves what it sends.
const (
	Generic = "generic" // Standard Webhooks signatures
	Canvas  = "canvas"  // a JWS under the platform's published keys
	Moodle  = "moodle"  // a secret in the Authorization header or in the body
	Bearer  = "bearer"  // a secret in the Authorization header
)

// What a source may start; see Source.AutoProvision.
const (
	ProvisionOff      = "off"       // nothing
	ProvisionOnLaunch = "on_launch" // what an event asks to start by name
	ProvisionOnEnroll = "on_enroll" // an environment for whoever is enrolled, too
)

// Source is one learning platform that may send hooks.
type Source struct {
	Name string // in the path and in a course's bindings
	Kind string
	// Secrets and PublicKeys are all live at once, so that they can be rotated.
	Secrets    []environment.Secret
	PublicKeys []string
	JWKSURL    string
	// RootAccount is the uuid of the school's root account in Canvas. Every
	// school that Instructure hosts signs with the same keys: without it, events
	// are only believed of courses that are bound by their own ids.
	RootAccount string
	// Course is the only one it may speak of; "" for all. It is also meant when
	// a message names none.
	Course        string
	AutoProvision string
	// CreateCourses lets it make courses here, by naming them.
	CreateCourses bool
	// PerMinute bounds how many messages are taken.
	PerMinute int
}

// Commands is what this package needs of the domain. *environment.Service is
// the implementation.
type Commands interface {
	CourseByLMS(ctx context.Context, source, lmsContext string) (environment.Course, error)
	CourseDocument(ctx context.Context, who environment.Caller, id string) (environment.Course, error)
	ApplyCourse(ctx context.Context, who environment.Caller, doc environment.Course, expect int64, dry bool) (environment.CourseChange, error)
	EndCourse(ctx context.Context, who environment.Caller, course string, at time.Time) (ends time.Time, err error)
	Platforms(ctx context.Context) ([]environment.Platform, error)
	WhomEnrollTakes(ctx context.Context, course string, m environment.Member) (environment.Member, error)
	WhomHooksMean(ctx context.Context, p environment.Platform, id string) (environment.Person, error)
	Enroll(ctx context.Context, who environment.Caller, course string, m environment.Member) (changed bool, err error)
	Unenroll(ctx context.Context, who environment.Caller, course, subject, reason string) (changed bool, err error)
	Up(ctx context.Context, who environment.Caller, r environment.Request) (e environment.Environment, created bool, err error)
	Down(ctx context.Context, who environment.Caller, id string, expect int64) (e environment.Environment, already bool, err error)
	List(ctx context.Context, who environment.Caller, f environment.Filter) (items []environment.Environment, next string, err error)
	OrderCourse(ctx context.Context, who environment.Caller, course string, action environment.ScheduleAction) error
}

// Notes is where is kept what one message does not say; environment.Store is it.
type Notes interface {
	Note(ctx context.Context, key string) (environment.Note, error)
	Commit(ctx context.Context, change environment.Change) error
}

// Config is what Hooks need. Commands, Once, Inbox, Notes and Log are required.
type Config struct {
	Sources []Source
	// Platforms are those of the configuration that launch people. A source with
	// the name of one speaks of the same people.
	Platforms []environment.Platform
	Commands  Commands
	// Once is Commands with the command made at most once for a key.
	Once  func(caller, key string) Commands
	Inbox environment.Inbox
	Notes Notes
	// Keep is for how long deliveries are remembered, and so copies of them
	// told; 30 days when 0.
	Keep time.Duration
	// Observe is told of each request and of each delivery that was carried
	// out, for metrics; nil for nobody.
	Observe func(source, outcome string)
	// Client asks for platforms' keys; one of its own when nil.
	Client *http.Client
	Log    *slog.Logger
	Now    func() time.Time // time.Now when nil
}

// Hooks take messages in and carry them out.
type Hooks struct {
	Config
	sources map[string]*source
}

// source is a Source ready for use.
type source struct {
	Source
	verifier verifier
	limit    *rate.Limiter
}

// verifier proves that a request comes from a source. Its error is for the
// log: whoever asked learns only that it was refused.
type verifier interface {
	Verify(r *http.Request, body []byte, now time.Time) (proof, error)
}

// proof is what was proved.
type proof struct {
	// key tells a copy from news; when weak it was made of the contents.
	key  string
	weak bool
	// dated: the proof itself has no time and lasts, so that the message must
	// say when it was made.
	dated  bool
	body   []byte // what was signed, without secrets
	sentAt time.Time
}

const (
	usualKeep      = 30 * 24 * time.Hour
	usualPerMinute = 20_000
)

// New checks the sources and makes Hooks of them. It starts nothing. The error
// names the source at fault and repeats no secret.
func New(c Config) (*Hooks, error) {
	if c.Commands == nil || c.Once == nil || c.Inbox == nil || c.Notes == nil || c.Log == nil {
		return nil, errors.New("lms: Commands, Once, Inbox, Notes and Log are required")
	}
	h := &Hooks{Config: c.usual(), sources: map[string]*source{}}
	for _, s := range c.Sources {
		v, err := h.verifier(s)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		if s.PerMinute == 0 {
			s.PerMinute = usualPerMinute
		}
		if s.AutoProvision == "" {
			s.AutoProvision = ProvisionOnLaunch
		}
		h.sources[s.Name] = &source{s, v, rate.NewLimiter(rate.Limit(s.PerMinute)/60, max(s.PerMinute/10, 1))}
	}
	return h, nil
}

// usual fills in what was left out.
func (c Config) usual() Config {
	c.Keep = cmp.Or(c.Keep, usualKeep)
	if c.Observe == nil {
		c.Observe = func(string, string) {}
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: keysTimeout}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Check says what is wrong with a source, for the check of a configuration.
func Check(s Source) error {
	_, err := (&Hooks{}).verifier(s)
	return err
}

func (h *Hooks) verifier(s Source) (verifier, error) {
	switch s.Kind {
	case Generic:
		return newStandard(s.Secrets, s.PublicKeys)
	case Canvas:
		if s.JWKSURL == "" {
			return nil, errors.New("jwksUrl is missing: unsigned events prove nothing and are not taken")
		}
		if s.CreateCourses && s.RootAccount == "" {
			return nil, errors.New("createCourses needs rootAccount: every school that Canvas hosts signs with the same keys, and each could make courses here")
		}
		return jws{newKeySet(s.JWKSURL, h.Client), s.RootAccount}, nil
	case Moodle:
		return newBearer(s.Secrets, true)
	case Bearer:
		return newBearer(s.Secrets, false)
	default:
		return nil, fmt.Errorf("there is no kind %q: generic, canvas, moodle or bearer", s.Kind)
	}
}
