package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	launchClient = "bench-client"
	launchCourse = "bench"
	launchKey    = "bench-key"
)

// campus is a learning platform that launches a class: it signs and shows its
// key, and has no pages, so that only the daemon's time counts.
type campus struct {
	*stage
	url    string
	signer jose.Signer
	http   *http.Client

	mu   sync.Mutex
	took []time.Duration
	lost []string
}

// launching has 500 students open their environments from a course page, each
// twice.
func launching(ctx context.Context, s *stage) (results, error) {
	c := &campus{stage: s, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	stop, err := c.open(ctx)
	if err != nil {
		return results{}, err
	}
	defer stop()
	if err := c.prepare(ctx); err != nil {
		return results{}, err
	}
	cpu, err := s.cpuPer(requests, func() error {
		return evenly(ctx, func(n int, due time.Time) { c.launches(ctx, n, due) })
	})
	if err != nil {
		return results{}, err
	}
	slices.Sort(c.took)
	got := results{values: map[string]float64{"lti.launch_p50_ms": ms(quantile(c.took, 0.50)), "lti.launch_p99_ms": ms(quantile(c.took, 0.99)), "lti.lost": float64(len(c.lost)), "lti.cpu_ms": cpu}}
	if len(c.lost) > 0 {
		got.notes = append(got.notes, fmt.Sprintf("%d of %d launches were lost, the first: %s", len(c.lost), requests, c.lost[0]))
	}
	return got, nil
}

// open serves the platform's key.
func (c *campus) open(ctx context.Context) (stop func(), err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	if c.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: launchKey}}, nil); err != nil {
		return nil, err
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: launchKey, Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c.url = "http://" + listener.Addr().String()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	return func() {
		_ = server.Close()
		<-done
	}, nil
}

// prepare starts both programs, the daemon as the platform's tool, with a
// course. The creates hang, as when a zone is out of machines.
func (c *campus) prepare(ctx context.Context) error {
	c.extra = []string{"LMS_ISSUER=" + c.url, "LMS_CLIENT_ID=" + launchClient, "LMS_DEPLOYMENT=1", "LMS_AUTH_URL=" + c.url + "/auth",
		"LMS_TOKEN_URL=" + c.url + "/token", "LMS_JWKS_URL=" + c.url + "/jwks"}
	if err := c.start(ctx); err != nil {
		return err
	}
	if err := c.control(ctx, http.MethodPost, "/faults", map[string]any{"kind": "stockout", "project": project, "delay": "1h"}, nil); err != nil {
		return err
	}
	course := map[string]any{"id": launchCourse, "title": "A large class", "lms": []map[string]string{{"source": "campus", "context": launchCourse}}}
	return c.rest(ctx, http.MethodPut, "/courses/"+launchCourse, course, nil)
}

// launches is the nth launch: from the click to the page.
func (c *campus) launches(ctx context.Context, n int, due time.Time) {
	who := fmt.Sprintf("student-%03d", n%people)
	page, err := c.launch(ctx, who)
	took := time.Since(due)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, took)
	if err == nil && !strings.Contains(page, "Being made.") {
		err = fmt.Errorf("the page shows no environment: %.200q", page)
	}
	if err != nil {
		c.lost = append(c.lost, who+": "+err.Error())
	}
}

func (c *campus) launch(ctx context.Context, who string) (string, error) {
	target := c.daemonURL + "/lti/launch"
	began, err := c.post(ctx, c.daemonURL+"/lti/login", url.Values{"iss": {c.url}, "client_id": {launchClient}, "login_hint": {who}, "target_link_uri": {target}})
	if err != nil {
		return "", err
	}
	to, err := url.Parse(began.Header.Get("Location"))
	if err != nil || began.StatusCode != http.StatusFound {
		return "", fmt.Errorf("login: %s", began.Status)
	}
	token, err := c.sign(who, target, to.Query().Get("nonce"))
	if err != nil {
		return "", err
	}
	shown, err := c.post(ctx, target, url.Values{"state": {to.Query().Get("state")}, "id_token": {token}}, began.Cookies()...)
	if err != nil {
		return "", err
	}
	return shown.page, shown.failed()
}

func (c *campus) sign(who, target, nonce string) (string, error) {
	const claim = "https://purl.imsglobal.org/spec/lti/claim/"
	now := time.Now()
	return jwt.Signed(c.signer).Claims(map[string]any{"iss": c.url, "aud": launchClient, "sub": who, "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		claim + "message_type": "LtiResourceLinkRequest", claim + "version": "1.3.0", claim + "deployment_id": "1", claim + "target_link_uri": target,
		claim + "context": map[string]string{"id": launchCourse}, claim + "roles": []string{"http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"}}).Serialize()
}

// shown is an answer, read.
type shown struct {
	*http.Response
	page string
}

func (s shown) failed() error {
	if s.StatusCode != http.StatusOK {
		return fmt.Errorf("launch: %s", s.Status)
	}
	return nil
}

// post sends a form as a browser does.
func (c *campus) post(ctx context.Context, address string, form url.Values, cookies ...*http.Cookie) (shown, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return shown{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return shown{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return shown{resp, string(body)}, err
}
