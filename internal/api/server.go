package api

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/daskbot/daskbot/internal/environment"
)

// Base is where the API begins.
const Base = "/api/v1"

const (
	defaultBodyLimit = 1 << 20
	bodyTimeout      = 10 * time.Second
	// heartbeat keeps proxies from closing a quiet event stream.
	heartbeat = 15 * time.Second
	// writeTimeout bounds each write of a stream; the stream itself has no end.
	writeTimeout = 30 * time.Second
)

//go:embed docs
var docsFiles embed.FS

// Config is what a Server needs. Service and Log are required.
type Config struct {
	Service Service
	// Ready says whether the store and the queue can be reached, and, unless
	// whoever asks leaves it out, the cloud; nil means always. The sentence of
	// its error is shown to whoever asks /readyz, which may be anybody.
	Ready func(ctx context.Context, cloud bool) error
	// Closing ends event streams when it is closed: they would hold up a
	// shutdown for as long as somebody reads. nil never is.
	Closing <-chan struct{}
	// Sweep runs the reaper at once; nil when this daemon has none.
	Sweep Sweep
	// Load is how much work there is; nil is none.
	Load func(ctx context.Context) (Load, error)
	// Metrics is served at /metrics; nil leaves the path out.
	Metrics http.Handler
	// QueuePage makes a page about the queue whose addresses begin with prefix;
	// it is shown to admins below QueuePath. nil leaves that out.
	QueuePage func(prefix string) (http.Handler, error)
	Log       *slog.Logger
	// Bearer says whose token it is that Service does not know, as one of an
	// identity provider; nil when there are no others. Its errors are
	// *environment.Error.
	Bearer func(ctx context.Context, token string) (environment.Caller, error)
	// Audit keeps who did what; nil keeps nothing.
	Audit environment.AuditLog
	// Done is told of each request at its end; nil for nobody.
	Done func(ctx context.Context, method, route string, status int, took time.Duration)
	Rate Rate
	// TrustedProxies are addresses and ranges whose X-Forwarded-For is believed.
	TrustedProxies []string
	// BodyLimit is the largest body in bytes; 0 means 1 MiB.
	BodyLimit int64
	// RosterLimit is the same for bodies that hold a course; 0 means BodyLimit.
	RosterLimit int64
	// Version is that of the program, for /healthz.
	Version string
}

// Server is the REST interface as one http.Handler. It listens on nothing by
// itself.
type Server struct {
	service     Service
	ready       func(ctx context.Context, cloud bool) error
	closing     <-chan struct{}
	sweep       Sweep
	load        func(ctx context.Context) (Load, error)
	log         *slog.Logger
	bearer      func(context.Context, string) (environment.Caller, error)
	auditLog    environment.AuditLog
	done        func(ctx context.Context, method, route string, status int, took time.Duration)
	limits      limits
	bodyLimit   int64
	rosterLimit int64
	version     string
	engine      *gin.Engine
	api         huma.API
}

// New builds a Server. It fails only when the configuration lacks a part.
func New(c Config) (*Server, error) {
	if c.Service == nil || c.Log == nil {
		return nil, errors.New("api: Service and Log are required")
	}
	s := &Server{service: c.Service, ready: c.Ready, closing: c.Closing, sweep: c.Sweep, load: c.Load, log: c.Log, bodyLimit: c.BodyLimit, version: c.Version,
		bearer: c.Bearer, auditLog: c.Audit, done: c.Done, limits: newLimits(c.Rate)}
	if s.load == nil {
		s.load = func(context.Context) (Load, error) { return Load{}, nil }
	}
	if s.done == nil {
		s.done = func(context.Context, string, string, int, time.Duration) {}
	}
	if s.bodyLimit <= 0 {
		s.bodyLimit = defaultBodyLimit
	}
	s.rosterLimit = max(c.RosterLimit, s.bodyLimit)
	s.engine = s.newEngine()
	if err := s.engine.SetTrustedProxies(c.TrustedProxies); err != nil {
		return nil, fmt.Errorf("api: trusted proxies: %w", err)
	}
	s.api = humagin.New(s.engine, s.humaConfig())
	s.api.UseMiddleware(s.audited, s.bounded, s.authenticate, s.named)
	s.environments()
	s.changes()
	s.keeping()
	s.courses()
	s.touching()
	s.reaping()
	s.money()
	s.uses()
	s.events()
	s.people()
	s.tokens()
	s.auditing()
	s.queueing()
	s.orphans()
	s.hooks()
	s.notifications()
	s.lmsPlatforms()
	if err := s.pages(c.Metrics); err != nil {
		return nil, err
	}
	if err := s.queuePage(c.QueuePage); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler serves everything this package knows.
func (s *Server) Handler() http.Handler { return s.engine }

// OpenAPI is the description of the API as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return s.api.OpenAPI().MarshalJSON() }

func (s *Server) newEngine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode) // else gin prints every route
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.UseRawPath = true // a subject may hold an escaped slash or colon
	e.Use(s.observe, s.recovered, headers, s.plain, s.body)
	e.NoRoute(s.nothingHere)
	e.NoMethod(func(c *gin.Context) {
		s.refuse(c, newProblem(environment.CodeInvalid, "This address does not take that method; the Allow header and /docs say which it takes.").
			withStatus(http.StatusMethodNotAllowed))
	})
	return e
}

func (s *Server) nothingHere(c *gin.Context) {
	s.refuse(c, newProblem(environment.CodeNotFound, "There is nothing at this address; /docs lists what there is."))
}

// pages adds what is not part of the API itself.
func (s *Server) pages(metrics http.Handler) error {
	s.engine.GET("/healthz", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"status": "ok", "version": s.version})
	})
	s.engine.GET("/readyz", s.readyz)
	s.engine.GET("/", welcome)
	s.engine.HEAD("/", welcome)
	if metrics != nil {
		s.engine.GET("/metrics", gin.WrapH(metrics))
	}
	files, err := fs.Sub(docsFiles, "docs")
	if err != nil {
		return fmt.Errorf("api: docs: %w", err)
	}
	serve := func(name, contentType string) gin.HandlerFunc {
		return func(c *gin.Context) {
			page, err := fs.ReadFile(files, name)
			if err != nil {
				s.refuse(c, s.failed(c.Request.Context(), err))
				return
			}
			c.Header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'")
			c.Data(http.StatusOK, contentType, page)
		}
	}
	s.engine.GET("/docs", serve("index.html", "text/html; charset=utf-8"))
	s.engine.GET("/docs/docs.js", serve("docs.js", "text/javascript; charset=utf-8"))
	s.engine.GET("/docs/docs.css", serve("docs.css", "text/css; charset=utf-8"))
	return nil
}

// welcome answers whoever has only the address: people who follow it, and load
// balancers, some of which send nobody to a backend that answers / with 404. It
// says of the store and the cloud nothing; readiness is that of /readyz.
func welcome(c *gin.Context) {
	c.JSON(http.StatusOK, gin.H{"service": "daskbot", "docs": "/docs", "openapi": "/openapi.json"})
}

// readyz answers for everything, or with ?exclude=cloud for what it takes to
// be sent requests. The parameter is that of the API server of Kubernetes.
func (s *Server) readyz(c *gin.Context) {
	if s.ready == nil {
		c.JSON(http.StatusOK, gin.H{"status": "ready"})
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), 5*time.Second)
	defer cancel()
	if err := s.ready(ctx, !slices.Contains(c.QueryArray("exclude"), "cloud")); err != nil {
		traceOf(c.Request.Context()).err = err
		detail := "Something daskbot needs does not answer."
		var e *environment.Error
		if errors.As(err, &e) {
			detail = environment.MessageOf(e)
		}
		s.refuse(c, newProblem(environment.CodeUnavailable, detail))
		return
	}
	c.JSON(http.StatusOK, gin.H{"status": "ready"})
}
