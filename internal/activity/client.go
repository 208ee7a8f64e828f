package activity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// What a server can answer instead of what was asked.
var (
	errDenied   = errors.New("denied")
	errAbsent   = errors.New("there is no such page")
	errStranger = errors.New("it is something else that answers")
)

// What can become of a connection besides silence. A port that nobody listens
// on is known only when the connection is used.
var (
	errUnreached = errors.New("the pod cannot be reached")
	errRefused   = errors.New("nobody at the port talks HTTP")
)

// client asks one port of one pod.
type client struct {
	http  *http.Client
	token environment.Secret
	// date is what the server's clock read at its last answer; zero when it
	// did not say.
	date time.Time
}

// client makes one for a pod's port; the caller closes it. token is sent with
// every request, unless it is zero.
func (l *look) client(pod environment.Pod, port int, token environment.Secret) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := l.prober.Inside.Dial(ctx, l.Target, l.Plan.Namespace, pod.Name, port)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreached, err)
		}
		return conn, nil
	}
	return &client{token: token, http: &http.Client{
		Transport: &http.Transport{DialContext: dial, MaxConnsPerHost: 1, DisableCompression: true},
		// A redirect leads to a login page or to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// get asks for a path and returns its bounded answer. Its error is errDenied,
// errAbsent or errStranger for an answer, errUnreached or errRefused for none,
// or anything else for silence and for trouble.
func (c *client) get(ctx context.Context, path, accept string) ([]byte, error) {
	// The name is what a connection from inside the pod would use: Jupyter
	// refuses others when it listens on its own loopback.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "daskbot")
	if !c.token.IsZero() {
		req.Header.Set("Authorization", "token "+c.token.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, broken(ctx, withoutURL(err)))
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it matters; nothing can be done
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	c.date = time.Time{}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.date = date
	}
	return body, meaning(path, resp.StatusCode)
}

// broken tells a connection that broke at once from one that was not made, and
// from one on which nothing was said in time.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, errUnreached) {
		return err
	}
	return fmt.Errorf("%w: %w", errRefused, err)
}

func meaning(path string, status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("GET %s: status %d: %w", path, status, errDenied)
	case http.StatusNotFound:
		return fmt.Errorf("GET %s: %w", path, errAbsent)
	default:
		if status < http.StatusInternalServerError {
			return fmt.Errorf("GET %s: status %d: %w", path, status, errStranger)
		}
		return fmt.Errorf("GET %s: status %d", path, status)
	}
}

// getJSON asks for a path and decodes the answer.
func (c *client) getJSON(ctx context.Context, path string, into any) error {
	return c.getAs(ctx, path, "application/json", into)
}

func (c *client) getAs(ctx context.Context, path, accept string, into any) error {
	body, err := c.get(ctx, path, accept)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: the answer is not the JSON it should be: %w: %w", path, errStranger, err)
	}
	return nil
}
