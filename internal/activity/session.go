package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// maxBody is more than any page or answer that matters here.
const maxBody = 1 << 20

// session is one visitor of one address.
type session struct {
	root   *url.URL
	client *http.Client
}

// getJSON asks for a path, with a token if there is one, and decodes the
// answer.
func (s *session) getJSON(ctx context.Context, path string, token environment.Secret, into any) error {
	header := http.Header{"Accept": {"application/json"}}
	if !token.IsZero() {
		header.Set("Authorization", "token "+token.Reveal())
	}
	got, err := s.do(ctx, http.MethodGet, path, header, nil)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return refused(path, got.status)
	}
	if err := json.Unmarshal(got.body, into); err != nil {
		return stranger(fmt.Errorf("GET %s: the answer is not the JSON it should be: %w", path, err))
	}
	return nil
}

// login submits the login form and reports whether it let the visitor in.
func (s *session) login(ctx context.Context, path string, form url.Values) (bool, error) {
	page, err := s.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return false, err
	}
	if page.status != http.StatusOK {
		return false, refused(path, page.status)
	}
	if xsrf := s.xsrf(path, page.body); xsrf != "" {
		form.Set("_xsrf", xsrf)
	}
	target := s.url(path).String()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Referer": {target}, "Origin": {s.root.Scheme + "://" + s.root.Host}}
	got, err := s.do(ctx, http.MethodPost, path, header, strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	switch code := got.status; {
	case code >= 300 && code < 400:
		return got.welcomes(path), nil
	case code == http.StatusOK, code == http.StatusUnauthorized, code == http.StatusForbidden:
		return false, nil // the form again, with or without an error status
	default:
		return false, refused(path, code)
	}
}

// answer is what came back, read and closed.
type answer struct {
	status  int
	leadsTo string // the path of a redirect
	cookies []*http.Cookie
	body    []byte
}

// welcomes reports whether a redirect after a login leads in: it gave out a
// cookie and does not lead back to the form.
func (a answer) welcomes(path string) bool {
	if a.leadsTo == "" || strings.HasSuffix(a.leadsTo, path) {
		return false
	}
	for _, c := range a.cookies {
		if c.Name != "_xsrf" && c.Value != "" && c.MaxAge >= 0 {
			return true
		}
	}
	return false
}

var xsrfInput = regexp.MustCompile(`<input[^>]*name="_xsrf"[^>]*>`)
var inputValue = regexp.MustCompile(`value="([^"]*)"`)

// xsrf finds the token that the form must send back: in the form itself, or in
// the cookie where older hubs put it only.
func (s *session) xsrf(path string, page []byte) string {
	if input := xsrfInput.Find(page); input != nil {
		if m := inputValue.FindSubmatch(input); m != nil {
			return html.UnescapeString(string(m[1]))
		}
	}
	for _, c := range s.client.Jar.Cookies(s.url(path)) {
		if c.Name == "_xsrf" {
			return c.Value
		}
	}
	return ""
}

func (s *session) url(path string) *url.URL {
	u := *s.root
	u.Path += path
	return &u
}

// do sends one request and reads its bounded answer. Its error is
// CodeUnavailable: a connection that fails may work later.
func (s *session) do(ctx context.Context, method, path string, header http.Header, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url(path).String(), body)
	if err != nil {
		return answer{}, stranger(err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", "daskbot")
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, silent(withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it matters; nothing can be done
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return answer{}, silent(err)
	}
	a := answer{status: resp.StatusCode, cookies: resp.Cookies(), body: text}
	if to, err := resp.Location(); err == nil {
		a.leadsTo = to.Path
	}
	return a, nil
}

// refused sorts a status that is not the expected one. A proxy whose hub is
// still starting answers 5xx, and 404 before it has a route.
func refused(path string, status int) error {
	cause := fmt.Errorf("%s: status %d", path, status)
	switch {
	case status >= 500, status == http.StatusNotFound, status == http.StatusTooManyRequests:
		return silent(cause)
	default:
		return stranger(cause)
	}
}

// silent is the error for a door that nobody opens yet.
func silent(cause error) error {
	return &environment.Error{Code: environment.CodeUnavailable, Err: cause,
		Message: "The notebook does not answer at its address yet."}
}

// stranger is the error for an address where something else answers.
func stranger(cause error) error {
	return &environment.Error{Code: environment.CodeConflict, Err: cause,
		Message: "What answers at the address is not this environment's notebook."}
}

// withoutURL drops the URL that net/http puts around errors: the caller's
// message names the place.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
