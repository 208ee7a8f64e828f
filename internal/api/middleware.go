package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/daskbot/daskbot/internal/environment"
)

// trace follows one request: what the log line at its end says.
type trace struct {
	id     string
	caller environment.Caller
	code   string
	err    error // the cause of a 5xx; for the log only
}

type traceKey struct{}

func traceOf(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

// requestIDPattern is what is taken over from a proxy; anything else is
// replaced, so that a client cannot write into the log.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// observe gives the request an id and logs it once, when it is over. It logs
// the path without the query, and no header.
func (s *Server) observe(c *gin.Context) {
	begun := time.Now()
	t := &trace{id: c.GetHeader("X-Request-Id")}
	if !requestIDPattern.MatchString(t.id) {
		t.id = newRequestID()
	}
	trail := environment.TrailOf(c.Request.Context())
	trail.Request = t.id
	if id := c.Param("id"); strings.Contains(c.FullPath(), "/environments/") && idPattern.MatchString(id) {
		trail.Environment = id
	}
	c.Request = c.Request.WithContext(context.WithValue(environment.WithTrail(c.Request.Context(), trail), traceKey{}, t))
	c.Header("X-Request-Id", t.id)
	c.Next()

	level := slog.LevelInfo
	route := c.FullPath()
	path := printable(c.Request.URL.Path)
	if strings.HasPrefix(path, touchPrefix) {
		path = touchPrefix // also where a wrong method left no route
	}
	switch {
	case c.Writer.Status() >= http.StatusInternalServerError:
		level = slog.LevelError
	case route == "/" || route == "/healthz" || route == "/readyz" || route == "/metrics":
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("request_id", t.id), slog.String("method", c.Request.Method),
		slog.String("path", path), slog.String("route", route),
		slog.Int("status", c.Writer.Status()), slog.Int("bytes", max(c.Writer.Size(), 0)), slog.Duration("dur", time.Since(begun))}
	if t.caller.Subject != "" {
		attrs = append(attrs, slog.String("subject", t.caller.Subject))
	}
	if t.code != "" {
		attrs = append(attrs, slog.String("code", t.code))
	}
	if t.err != nil {
		attrs = append(attrs, slog.Any("err", t.err))
	}
	s.log.LogAttrs(c.Request.Context(), level, "request", attrs...)
	s.done(c.Request.Context(), c.Request.Method, route, c.Writer.Status(), time.Since(begun))
}

func newRequestID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return hex.EncodeToString(b)
}

// recovered turns a panic into a problem, or into a cut connection when the
// answer has already begun: half an answer must not look like a whole one.
func (s *Server) recovered(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		t := traceOf(c.Request.Context())
		t.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		s.refuse(c, newProblem(environment.CodeInternal, environment.MessageOf(nil)))
	}()
	c.Next()
}

// refuse ends a gin request with a problem.
func (s *Server) refuse(c *gin.Context, p *Problem) {
	if t := traceOf(c.Request.Context()); t != nil {
		t.code = p.Code
	}
	p.write(c.Writer, c.Request)
	c.Abort()
}

// headers are those every answer carries. What is below /api is for one
// caller only, and is checked again before it is used again.
func headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if strings.HasPrefix(c.Request.URL.Path, "/api/") {
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Vary", "Accept, Authorization")
	}
	c.Next()
}

// body reads the whole body before anything else looks at it, so that too
// large, too slow and broken off each get an answer of their own.
func (s *Server) body(c *gin.Context) {
	if c.Request.Body == nil || c.Request.Body == http.NoBody || c.FullPath() == "" {
		return // nothing reads it
	}
	if err := http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		traceOf(c.Request.Context()).err = err
	}
	limit := s.bodyLimit
	if strings.HasPrefix(c.FullPath(), Base+"/courses/") {
		limit = s.rosterLimit
	}
	read, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
	var tooLarge *http.MaxBytesError
	var network net.Error
	switch {
	case err == nil:
		c.Request.Body = io.NopCloser(bytes.NewReader(read))
	case errors.As(err, &tooLarge):
		s.refuse(c, newProblem(environment.CodeInvalid, fmt.Sprintf("The body is larger than the %d bytes that are accepted here.", limit)).
			withStatus(http.StatusRequestEntityTooLarge))
	case errors.As(err, &network) && network.Timeout():
		s.refuse(c, newProblem(environment.CodeInvalid, "The body took too long to arrive; send it again.").withStatus(http.StatusRequestTimeout))
	default:
		s.refuse(c, newProblem(environment.CodeInvalid, "The body broke off before its end; send it again.").withStatus(http.StatusBadRequest))
	}
}

// plain refuses control characters and broken UTF-8 in paths and queries:
// nothing that is named here has any, and databases choke on them.
func (s *Server) plain(c *gin.Context) {
	if c.FullPath() == "" {
		return // 404 or 405, whatever else is wrong
	}
	for _, part := range c.Params {
		if part.Value == "" {
			s.nothingHere(c)
			return
		}
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery) // URL.Query drops what it cannot read
	if err != nil {
		s.refuse(c, newProblem(environment.CodeInvalid, "The query string cannot be read; escape special characters, for example %25 for a percent sign.").withStatus(http.StatusBadRequest))
		return
	}
	ok := clean(c.Request.URL.Path)
	for name, values := range query {
		ok = ok && clean(name) && clean(strings.Join(values, ""))
	}
	if !ok {
		s.refuse(c, newProblem(environment.CodeInvalid, "The address holds characters that nothing here is named with.").withStatus(http.StatusBadRequest))
	}
}

func clean(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}

// authenticate finds out who is asking, for operations that declare it, and
// whether they ask too often.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	c := humagin.Unwrap(ctx)
	if len(ctx.Operation().Security) == 0 {
		next(ctx)
		return
	}
	if _, problem := s.admitted(c, c.GetHeader("Authorization")); problem != nil {
		s.refuse(c, problem)
		return
	}
	next(ctx)
}

// admitted is who is asking, unless that is nobody or they ask too often.
func (s *Server) admitted(c *gin.Context, authorization string) (environment.Caller, *Problem) {
	ctx := c.Request.Context()
	who, problem := s.caller(ctx, authorization)
	if problem != nil {
		if tooOften := s.limits.stranger(c.ClientIP(), time.Now()); tooOften != nil {
			return who, tooOften
		}
		if problem.Status == http.StatusUnauthorized {
			s.limits.refused(c.ClientIP(), time.Now())
		}
		return who, problem
	}
	traceOf(ctx).caller = who
	return who, s.limits.caller(who, time.Now())
}

// caller is whose token the header holds.
func (s *Server) caller(ctx context.Context, authorization string) (environment.Caller, *Problem) {
	scheme, secret, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return environment.Caller{}, newProblem(environment.CodeUnauthorized, "This needs a token: send it as the header Authorization: Bearer <token>. Whoever runs daskbot gives you one.")
	}
	who, err := s.service.Authenticate(ctx, secret)
	if environment.CodeOf(err) == environment.CodeUnauthorized && s.bearer != nil {
		who, err = s.bearer(ctx, secret)
	}
	if err == nil {
		return who, nil
	}
	p := s.failed(ctx, err)
	if p.Status == http.StatusUnauthorized {
		p.headers.Set("WWW-Authenticate", `Bearer realm="daskbot", error="invalid_token"`)
	}
	return environment.Caller{}, p
}

// failed translates an error and keeps the cause for the log.
func (s *Server) failed(ctx context.Context, err error) *Problem {
	err = overdue(ctx, err)
	p := problemOf(err)
	if t := traceOf(ctx); t != nil {
		t.code = p.Code
		if p.Status >= http.StatusInternalServerError {
			t.err = err
		}
	}
	return p
}

// idPattern is that of every id in a path; anything else names nothing.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)

// named refuses ids that cannot be one before the store is asked for them.
func (s *Server) named(ctx huma.Context, next func(huma.Context)) {
	if id := ctx.Param("id"); id != "" && !idPattern.MatchString(id) {
		s.refuse(humagin.Unwrap(ctx), newProblem(environment.CodeNotFound, "There is nothing with this id, or it is not yours."))
		return
	}
	next(ctx)
}
