//go:build e2e

package real

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// browser is a person before a Jupyter: cookies, and the address of the
// notebook server once there is one.
type browser struct {
	client *http.Client
	site   *url.URL // where the login page is
	server *url.URL // the notebook server; ends with a slash
}

func newBrowser(t *testing.T, address string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil {
		t.Fatal(err)
	}
	// Connections of its own: those of somebody who came earlier may lead to a
	// server that is being replaced.
	anew := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(anew.CloseIdleConnections)
	return &browser{client: &http.Client{Jar: jar, Timeout: time.Minute, Transport: anew}, site: site, server: site}
}

var errTurnedAway = errors.New("turned away")

// logIn opens a login page, fills it in and sends it. It returns errTurnedAway
// when the person stands before the form again.
func (b *browser) logIn(ctx context.Context, page, user, password string) error {
	at := b.site.JoinPath(page)
	if _, _, err := b.visit(ctx, http.MethodGet, at, nil); err != nil {
		return err
	}
	form := url.Values{"username": {user}, "password": {password}, "_xsrf": {b.xsrf(at)}}
	answer, _, err := b.visit(ctx, http.MethodPost, at, form)
	if err != nil {
		return err
	}
	if answer.Request.URL.Path == at.Path || answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%s: %w", user, errTurnedAway)
	}
	return nil
}

// visit sends one request and follows where it leads.
func (b *browser) visit(ctx context.Context, method string, at *url.URL, form url.Values) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	// A browser says that a person navigates; servers trust cookies then.
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	answer, err := b.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

// xsrf is the token that a request from a page must carry. Hub and server set
// one each; the more specific path comes first.
func (b *browser) xsrf(at *url.URL) string {
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == "_xsrf" {
			return c.Value
		}
	}
	return ""
}

// startServer has the hub start the person's notebook and waits for it.
func (b *browser) startServer(t *testing.T, user string) {
	t.Helper()
	b.server = b.site.JoinPath("user", user) // a slash is added below
	b.server.Path += "/"
	if _, _, err := b.visit(t.Context(), http.MethodGet, b.site.JoinPath("hub/spawn", user), nil); err != nil {
		t.Fatal(err)
	}
	until(t, changeTime, "the notebook server", func() (bool, string) {
		answer, body, err := b.visit(t.Context(), http.MethodGet, b.server.JoinPath("lab"), nil)
		if err != nil {
			return false, err.Error()
		}
		ok := answer.StatusCode == http.StatusOK && strings.HasPrefix(answer.Request.URL.Path, b.server.Path)
		return ok, fmt.Sprintf("%s answers %s: %.200s", answer.Request.URL, answer.Status, body)
	})
}

// api sends a request to the notebook server as its own page would.
func (b *browser) api(ctx context.Context, method, path string, body, into any) error {
	at := b.server.JoinPath("api", path)
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(content))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-XSRFToken", b.xsrf(at))
	answer, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %.300s", method, at.Path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// file is a text file or notebook in the home folder.
type file struct {
	Name, Type string
	Content    json.RawMessage
}

// read reads one from the home folder.
func (b *browser) read(t *testing.T, name string) file {
	t.Helper()
	var f file
	if err := b.api(t.Context(), http.MethodGet, "contents/"+name, nil, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// cells are the sources of a notebook's code cells.
func (b *browser) cells(t *testing.T, notebook string) []string {
	t.Helper()
	var content struct {
		Cells []struct {
			CellType string `json:"cell_type"`
			Source   string
		}
	}
	if err := json.Unmarshal(b.read(t, notebook).Content, &content); err != nil {
		t.Fatalf("%s: %v", notebook, err)
	}
	var code []string
	for _, c := range content.Cells {
		if c.CellType == "code" {
			code = append(code, c.Source)
		}
	}
	return code
}

// dial opens a WebSocket of the notebook server.
func (b *browser) dial(ctx context.Context, path string, query url.Values) (*websocket.Conn, error) {
	at := b.server.JoinPath("api", path)
	query.Set("_xsrf", b.xsrf(at))
	at.RawQuery = query.Encode()
	dialer := websocket.Dialer{Jar: b.client.Jar, HandshakeTimeout: time.Minute}
	header := http.Header{"Origin": {at.Scheme + "://" + at.Host}}
	at.Scheme = "ws"
	conn, answer, err := dialer.DialContext(ctx, at.String(), header)
	if err != nil {
		if answer != nil {
			return nil, fmt.Errorf("%s: %w (%s)", at.Path, err, answer.Status)
		}
		return nil, fmt.Errorf("%s: %w", at.Path, err)
	}
	return conn, nil
}
