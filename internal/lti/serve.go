package lti

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

//go:embed assets
var assetFiles embed.FS

//go:embed pages
var pageFiles embed.FS

var pages = template.Must(template.New("").ParseFS(pageFiles, "pages/*.html"))

// Page is what every page has.
type Page struct {
	Title string
	// Refresh is after how many seconds a browser without scripts looks again;
	// 0 for never. At is where.
	Refresh int
	At      string
}

// Back fills in what the frame of every page asks for; pages embed it.
func (p Page) Back() Page { return p }

// problemPage says why something was refused.
type problemPage struct {
	Page
	Sentence string
}

// storePage has the platform remember the proof, and goes on.
type storePage struct {
	Page
	To, Target, Origin, Key, Value string
}

// proofPage asks the platform for the proof, or begins anew in a new window.
type proofPage struct {
	Page
	Launch, Token, State, Target, Origin, Key string
	Login                                     string
	Again                                     map[string]string
}

// page turns a handler's error into a page for whoever asked, and a line in the
// log.
func (t *Tool) page(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, longestForm)
		guard(w, nil)
		err := serve(w, r)
		if err == nil {
			return
		}
		status := statusOf(err)
		attrs := []any{"path", strings.SplitAfterN(r.URL.Path, "/", 4)[2], "status", status, "reason", err.Error()}
		if status >= http.StatusInternalServerError {
			t.log.Error("lti", attrs...)
		} else {
			t.log.Warn("lti", attrs...)
		}
		if err := t.show(w, status, t.anyFrames(r), "problem", problemPage{Page{Title: "That did not work"}, environment.MessageOf(err)}); err != nil {
			t.log.Error("lti page", "reason", err.Error())
		}
	}
}

// anyFrames are those that may show a problem: no more can be known, and there
// is nothing to do on it.
func (t *Tool) anyFrames(r *http.Request) []string {
	stored, err := t.service.Platforms(r.Context())
	if err != nil {
		stored = nil // the problem is shown all the same, outside of frames
	}
	var out []string
	for _, p := range append(slices.Clone(t.platforms), stored...) {
		out = append(out, frames(p)...)
	}
	return out
}

// statusOf is how each kind of refusal is told over HTTP.
func statusOf(err error) int {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusRequestTimeout
	}
	switch environment.CodeOf(err) {
	case environment.CodeInvalid:
		return http.StatusBadRequest
	case environment.CodeUnauthorized:
		return http.StatusUnauthorized
	case environment.CodeForbidden, environment.CodeQuota, environment.CodeBudget:
		return http.StatusForbidden
	case environment.CodeNotFound:
		return http.StatusNotFound
	case environment.CodeConflict:
		return http.StatusConflict
	case environment.CodeUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// tooLarge keeps apart a form that is too large from one that is none.
func tooLarge(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &environment.Error{Code: environment.CodeInvalid, Message: "This is larger than what any learning platform sends.", Err: err}
	}
	return &environment.Error{Code: environment.CodeInvalid, Message: "This form cannot be read.", Err: err}
}

// guard sets the headers of every answer: nothing from elsewhere, nothing kept,
// and only the given origins may show it in a frame.
func guard(w http.ResponseWriter, frames []string) {
	ancestors := "'none'"
	if len(frames) > 0 {
		ancestors = strings.Join(frames, " ")
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors "+ancestors)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// show answers with a page that the given origins may frame.
func (t *Tool) show(w http.ResponseWriter, status int, frames []string, name string, data any) error {
	var body bytes.Buffer // half a page must not look like a whole one
	if err := pages.ExecuteTemplate(&body, name, data); err != nil {
		return err
	}
	guard(w, frames)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever asked has left
	return nil
}

// assets serves scripts and styles: the same for everybody.
func assets() http.Handler {
	files, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	serve := http.StripPrefix(assetsPath, http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard(w, nil)
		w.Header().Set("Cache-Control", "public, max-age=300")
		serve.ServeHTTP(w, r)
	})
}

// secureCookie binds a cookie to this very host; browsers want it with https.
const secureCookie = "__Host-"

// cookie is one that works inside a frame of another site, as far as browsers
// allow it: kept apart for each site that shows the frame.
func (t *Tool) cookie(name, value string, age time.Duration) *http.Cookie {
	c := &http.Cookie{Name: t.cookieName(name), Value: value, Path: "/", MaxAge: int(age / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if t.base.Scheme == "https" {
		c.Secure, c.SameSite, c.Partitioned = true, http.SameSiteNoneMode, true
	}
	return c
}

// cookieName is the only name under which a cookie is given and taken.
func (t *Tool) cookieName(name string) string {
	if t.base.Scheme == "https" {
		return secureCookie + name
	}
	return name
}

// Launches at the same time do not share a cookie, nor a place in the
// platform's storage.
func loginCookie(nonce string) string { return "daskbot-login-" + nonce[:min(10, len(nonce))] }

func sessionCookie(id string) string { return "daskbot-lti-" + id }

func storageKey(nonce string) string { return "daskbot_" + nonce[:min(10, len(nonce))] }
