package lti

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"github.com/daskbot/daskbot/internal/environment"
)

// keySet is a platform's public keys, remembered.
type keySet struct {
	address string
	http    *http.Client
	now     func() time.Time

	mu     sync.Mutex
	keys   []jose.JSONWebKey
	read   time.Time     // when they were last had
	turns  *rate.Limiter // of asking
	failed error         // of the last question; nil once one was answered
}

const (
	// keysFreshFor is how long keys are believed without asking again.
	keysFreshFor = time.Hour
	// keysFloor is how often the platform may be asked, so that tokens with made-up
	// key ids do not become a flood of requests to it. keysBurst are questions that
	// may come sooner, for keys that change, or an answer that is lost, just after
	// one.
	keysFloor = 10 * time.Second
	keysBurst = 3
	// keysWithin bounds one question: every launch waits for it.
	keysWithin = 5 * time.Second
	// largestAnswer bounds what is read of a platform's answers.
	largestAnswer = 1 << 20
)

// keysOf is the key set at an address, the same one each time.
func (t *Tool) keysOf(p environment.Platform) *keySet {
	t.mu.Lock()
	defer t.mu.Unlock()
	set, ok := t.sets[p.JWKSURL]
	if !ok {
		set = &keySet{address: p.JWKSURL, http: t.http, now: t.now, turns: rate.NewLimiter(rate.Every(keysFloor), keysBurst)}
		t.sets[p.JWKSURL] = set
	}
	return set
}

var errUnsigned = errors.New("no key of the platform fits the signature")

// VerifySignature returns what was signed. Its error is CodeUnavailable when the platform's keys cannot be had.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errUnsigned
	}
	candidates, err := s.find(ctx, jws.Signatures[0].Header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, key := range candidates {
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errUnsigned
}

// witness is a key set that remembers why it did not verify: the verifier tells
// it as text only.
type witness struct {
	keys *keySet
	err  error
}

// VerifySignature implements oidc.KeySet.
func (w *witness) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	payload, w.err = w.keys.VerifySignature(ctx, token)
	return payload, w.err
}

// find returns the keys that a token may have been signed with. A key id that
// is not known may be new: the platform is asked, but not too often. While it
// does not answer, what is remembered holds, and nobody's token is called wrong.
func (s *keySet) find(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	known := s.matching(kid)
	if len(known) > 0 && now.Sub(s.read) < keysFreshFor {
		return known, nil
	}
	if s.turns.AllowN(now, 1) {
		s.refresh(ctx, now)
		known = s.matching(kid)
	}
	if len(known) == 0 && s.failed != nil {
		return nil, &environment.Error{Code: environment.CodeUnavailable, Message: "The learning platform does not tell its keys just now; try again in a minute.", Err: s.failed}
	}
	return known, nil
}

// refresh asks the platform. Those who come next need the answer too, also when
// this browser goes away.
func (s *keySet) refresh(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysWithin)
	defer cancel()
	keys, err := s.ask(ctx)
	if err == nil {
		s.keys, s.read = keys, now
	}
	if err == nil && len(keys) == 0 {
		err = errors.New("the platform publishes no keys")
	}
	s.failed = err
}

// matching is by id; a token without one may be of any key.
func (s *keySet) matching(kid string) []jose.JSONWebKey {
	var out []jose.JSONWebKey
	for _, key := range s.keys {
		if kid == "" || key.KeyID == kid {
			out = append(out, key)
		}
	}
	return out
}

func (s *keySet) ask(ctx context.Context) ([]jose.JSONWebKey, error) {
	body, err := get(ctx, s.http, s.address)
	if err != nil {
		return nil, err
	}
	return readKeys(body)
}

// readKeys keeps the public keys for signatures.
func readKeys(body []byte) ([]jose.JSONWebKey, error) {
	// Keys of kinds that are not known here must not hide the others.
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.IsPublic() && key.Valid() && key.Use != "enc" {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// get reads one answer of a platform.
func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	body, _, err := do(client, req)
	return body, err
}

// do sends a request to a platform and reads the answer, which must be a
// success and not too large.
func do(client *http.Client, req *http.Request) ([]byte, http.Header, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer+1))
	switch {
	case err != nil:
		return nil, nil, err
	case len(body) > largestAnswer:
		return nil, nil, fmt.Errorf("the answer of %s is larger than %d bytes", req.URL.Host, largestAnswer)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, nil, fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	return body, resp.Header, nil
}
