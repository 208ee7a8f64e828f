package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// doors are the login page of each kind of front door, and a page that only
// those who are in can read.
var doors = map[string]struct{ form, inside string }{
	"hub":     {"/hub/login", "/hub/home"},
	"jupyter": {"/login", "/lab"},
}

// login does what a person with a browser does: open the page, send the form,
// and see whether it led in. A person turned away gets an error.
func login(ctx context.Context, kind, address, user, password string) error {
	door, ok := doors[kind]
	if !ok {
		return fmt.Errorf("there is no door of kind %q", kind)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	base := strings.TrimSuffix(address, "/")
	if _, err := visit(ctx, browser, http.MethodGet, base+door.form, nil); err != nil {
		return err
	}
	form := url.Values{"username": {user}, "password": {password}}
	at, err := url.Parse(base + door.form)
	if err != nil {
		return err
	}
	for _, c := range jar.Cookies(at) {
		if c.Name == "_xsrf" {
			form.Set("_xsrf", c.Value)
		}
	}
	status, err := visit(ctx, browser, http.MethodPost, base+door.form, form)
	if err != nil {
		return err
	}
	inside, err := visit(ctx, browser, http.MethodGet, base+door.inside, nil)
	if err != nil {
		return err
	}
	if inside != http.StatusOK {
		return fmt.Errorf("%s was turned away: the form answered %d, %s answers %d", user, status, door.inside, inside)
	}
	return nil
}

// visit sends one request and answers with its status.
func visit(ctx context.Context, browser *http.Client, method, address string, form url.Values) (int, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
