package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// forms are the login page of each kind of front door.
var forms = map[string]string{"hub": "/hub/login", "jupyter": "/login"}

// login does what a person with a browser does: open the page, send the form,
// go where it leads. A person who then stands before the form again was turned
// away, and gets an error. On a hub a login starts the person's notebook.
func login(ctx context.Context, kind, address, user, password string) error {
	form, ok := forms[kind]
	if !ok {
		return fmt.Errorf("there is no door of kind %q", kind)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar}
	at, err := url.Parse(strings.TrimSuffix(address, "/") + form)
	if err != nil {
		return err
	}
	if _, err := visit(ctx, browser, http.MethodGet, at, nil); err != nil {
		return err
	}
	fields := url.Values{"username": {user}, "password": {password}}
	for _, c := range jar.Cookies(at) {
		if c.Name == "_xsrf" {
			fields.Set("_xsrf", c.Value)
		}
	}
	end, err := visit(ctx, browser, http.MethodPost, at, fields)
	if err != nil {
		return err
	}
	if end.StatusCode != http.StatusOK || end.Request.URL.Path == form {
		return fmt.Errorf("%s was turned away: %s answers %s", user, end.Request.URL.Path, end.Status)
	}
	return nil
}

// visit sends one request, follows where it leads, and answers with the end.
func visit(ctx context.Context, browser *http.Client, method string, at *url.URL, form url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}
