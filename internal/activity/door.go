package activity

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Door implements environment.Door: it proves that what answers at an address
// is the environment's own hub or notebook and that its owner, and nobody
// without the password, gets in.
//
// Proving it means logging in once as the owner, which a hub counts as the
// owner's activity. It is done when an environment becomes ready, where that is
// the truth, and must not be used as a routine probe.
type Door struct {
	transport http.RoundTripper
	timeout   time.Duration
}

var _ environment.Door = (*Door)(nil)

// NewDoor makes a Door. transport is how the addresses are reached, nil for
// the usual way with a connection for each request, so that no answer comes
// from a server that was replaced meanwhile; timeout bounds all requests of one
// Open together, 0 for 20 s.
func NewDoor(transport http.RoundTripper, timeout time.Duration) *Door {
	if transport == nil {
		anew := http.DefaultTransport.(*http.Transport).Clone()
		anew.DisableKeepAlives = true
		transport = anew
	}
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	return &Door{transport: transport, timeout: timeout}
}

// Open returns nil when the door opens with these credentials and stays shut
// with others.
//
// CodeUnavailable means not yet: nobody answers, or the proxy answers and what
// is behind it does not. Anything else stays wrong until a person looks:
// CodeConflict when something else answers at the address (addresses are handed
// on when they are released) or the hub refuses its own credentials,
// CodeForbidden when it lets in a wrong password, CodeInvalid for credentials
// that cannot be tried.
func (d *Door) Open(ctx context.Context, kind environment.AccessKind, c environment.Credentials) error {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return environment.Invalid("url", "The environment has no address to look at yet.")
	}
	if c.Password.IsZero() || c.Token.IsZero() {
		return environment.Invalid("credentials", "The environment has no credentials to try.")
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	switch kind {
	case environment.AccessJupyterHub:
		return d.openHub(ctx, base, c)
	case environment.AccessJupyter:
		return d.openJupyter(ctx, base, c)
	default:
		return environment.Invalid("access.kind", "%q is not a kind of front door; there are jupyterhub and jupyter.", kind)
	}
}

// openHub looks for a JupyterHub that knows daskbot's service token.
func (d *Door) openHub(ctx context.Context, base *url.URL, c environment.Credentials) error {
	s := d.session(base)
	var about struct {
		Version string `json:"version"`
	}
	if err := s.getJSON(ctx, "/hub/api/", environment.Secret{}, &about); err != nil {
		return err
	}
	if about.Version == "" {
		return stranger(errors.New("GET /hub/api/ names no version"))
	}
	var me struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	}
	if err := s.getJSON(ctx, "/hub/api/user", c.Token, &me); err != nil {
		return err
	}
	if me.Kind != "service" {
		return stranger(errors.New("the token does not belong to a service of this hub"))
	}
	form := func(password string) url.Values {
		return url.Values{"username": {c.Username}, "password": {password}}
	}
	return d.tryLogins(ctx, base, "/hub/login", form, c)
}

// openJupyter looks for a Jupyter server that knows the environment's token.
func (d *Door) openJupyter(ctx context.Context, base *url.URL, c environment.Credentials) error {
	s := d.session(base)
	var about struct {
		Version string `json:"version"`
	}
	if err := s.getJSON(ctx, "/api", environment.Secret{}, &about); err != nil {
		return err
	}
	if about.Version == "" {
		return stranger(errors.New("GET /api names no version"))
	}
	var status struct {
		Started string `json:"started"`
	}
	if err := s.getJSON(ctx, "/api/status", c.Token, &status); err != nil {
		return err
	}
	form := func(password string) url.Values { return url.Values{"password": {password}} }
	return d.tryLogins(ctx, base, "/login", form, c)
}

// tryLogins tries a wrong password, which must fail, and then the right one.
// Each try has a session of its own, as two people would.
func (d *Door) tryLogins(ctx context.Context, base *url.URL, path string, form func(password string) url.Values, c environment.Credentials) error {
	in, err := d.session(base).login(ctx, path, form("not-"+c.Password.Reveal()))
	if err != nil {
		return err
	}
	if in {
		return environment.Errorf(environment.CodeForbidden,
			"The notebook lets in people without the password, so it was not handed out. Tell whoever runs daskbot.")
	}
	in, err = d.session(base).login(ctx, path, form(c.Password.Reveal()))
	if err != nil {
		return err
	}
	if !in {
		return environment.Errorf(environment.CodeConflict,
			"The notebook refuses the password that was made for it. Tell whoever runs daskbot, or ask for a new environment.")
	}
	return nil
}

// session is one visitor: its own cookies, never another host.
func (d *Door) session(base *url.URL) *session {
	jar, _ := cookiejar.New(nil) // fails only with options
	root := *base
	root.Path = strings.TrimSuffix(root.Path, "/")
	root.RawQuery, root.Fragment = "", ""
	return &session{root: &root, client: &http.Client{
		Transport: d.transport,
		Jar:       jar,
		// A login is judged by the redirect it answers with; following it
		// would start the owner's notebook server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}
