package lms

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"
)

// Times and bounds of asking for keys.
const (
	// keysFloor is how often the keys may be asked for, whatever arrives: a
	// stranger must not make us ask. keysBurst are tries that may come sooner, for
	// keys that change, or an answer that is lost, just after a question.
	keysFloor = time.Minute
	keysBurst = 3
	// keysLast is how long keys are believed without asking again, so that one
	// that was taken back does not hold for ever.
	keysLast    = 24 * time.Hour
	keysTimeout = 5 * time.Second
	maxKeysBody = 1 << 20
	leastRSA    = 2048
)

// jws proves messages whose body is a compact JWS, as Canvas sends them: RS256
// under one of the keys that the platform publishes. No other algorithm is
// read, so that neither "none" nor an HMAC under a public key proves anything.
type jws struct {
	keys *keySet
	// account is the only root account that may have sent it; "" for any that
	// the keys sign for.
	account string
}

// Verify proves the body and returns what was signed.
func (j jws) Verify(r *http.Request, body []byte, now time.Time) (proof, error) {
	text := strings.TrimSpace(string(body))
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return proof{}, fmt.Errorf("read the JWS: %w", err)
	}
	kid := signed.Signatures[0].Protected.KeyID
	if kid == "" {
		return proof{}, errors.New("the JWS names no key")
	}
	key, err := j.keys.find(r.Context(), kid, now)
	if err != nil {
		return proof{}, err
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return proof{}, fmt.Errorf("verify the JWS: %w", err)
	}
	if err := inTime(payload, now); err != nil {
		return proof{}, err
	}
	if err := j.sentBy(payload); err != nil {
		return proof{}, err
	}
	sum := sha256.Sum256(payload)
	return proof{key: hex.EncodeToString(sum[:]), weak: true, dated: true, body: payload}, nil
}

// sentBy refuses what another school sent: the signature is the same.
func (j jws) sentBy(payload []byte) error {
	if j.account == "" {
		return nil
	}
	root, err := read("", payload)
	if err != nil {
		return err
	}
	if got := root.object("metadata").text("root_account_uuid"); got != j.account {
		return fmt.Errorf("it is of the root account %q and not of the source's", got)
	}
	return nil
}

// inTime refuses a JWS outside of the times it gives itself, if it does.
func inTime(payload []byte, now time.Time) error {
	var claims struct {
		Expires   float64 `json:"exp"`
		NotBefore float64 `json:"nbf"`
	}
	_ = json.Unmarshal(payload, &claims) // without claims there are no times; what it is then, translation says
	at := float64(now.Unix())
	if claims.Expires != 0 && at > claims.Expires+tolerance.Seconds() || claims.NotBefore != 0 && at < claims.NotBefore-tolerance.Seconds() {
		return errors.New("the JWS is not valid at this time")
	}
	return nil
}

// keySet keeps what a JWKS address published.
type keySet struct {
	url    string
	client *http.Client

	mu      sync.RWMutex
	keys    map[string]*rsa.PublicKey
	fetched time.Time // the last success

	fetch  sync.Mutex    // one request at a time; it also guards the next two
	turns  *rate.Limiter // of asking
	failed error         // of the last try; nil once one succeeded
}

func newKeySet(url string, client *http.Client) *keySet {
	return &keySet{url: url, client: client, turns: rate.NewLimiter(rate.Every(keysFloor), keysBurst)}
}

// find returns a key, and asks for the keys when it is new or they are old.
func (k *keySet) find(ctx context.Context, kid string, now time.Time) (*rsa.PublicKey, error) {
	key, fresh := k.known(kid, now)
	if key != nil && fresh {
		return key, nil
	}
	failed := k.refresh(ctx, kid, now)
	// Old keys are better than none while the platform does not answer.
	if found, _ := k.known(kid, now); found != nil {
		return found, nil
	}
	if failed != nil {
		return nil, failed
	}
	return nil, errors.New("the JWS names a key that the platform does not publish")
}

func (k *keySet) known(kid string, now time.Time) (key *rsa.PublicKey, fresh bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[kid], now.Sub(k.fetched) < keysLast
}

// refresh asks for the keys unless that was done too often of late. Its error is
// that of the last time they were asked for: only keys that were had say that
// one is not among them.
func (k *keySet) refresh(ctx context.Context, kid string, now time.Time) error {
	k.fetch.Lock()
	defer k.fetch.Unlock()
	if key, fresh := k.known(kid, now); key != nil && fresh {
		return nil // another request brought it
	}
	if !k.turns.AllowN(now, 1) {
		return k.failed
	}
	// The next to ask needs them too, also when this one hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	keys, err := k.get(ctx)
	if err != nil {
		k.failed = &keysError{err}
		return k.failed
	}
	k.failed = nil
	k.mu.Lock()
	k.keys, k.fetched = keys, now
	k.mu.Unlock()
	return nil
}

// keysError says that the platform's keys could not be had: nobody's proof is
// wrong, it cannot be checked.
type keysError struct{ err error }

// Error says what went wrong.
func (e *keysError) Error() string { return "get the platform's keys: " + e.err.Error() }

// Unwrap gives the cause.
func (e *keysError) Unwrap() error { return e.err }

func (k *keySet) get(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeysBody))
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys keeps the RSA keys for signatures, and leaves out what it cannot
// use: a platform may publish others besides.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		var one jose.JSONWebKey
		if one.UnmarshalJSON(raw) != nil || one.KeyID == "" || one.Use != "" && one.Use != "sig" {
			continue
		}
		if key, ok := one.Key.(*rsa.PublicKey); ok && key.N.BitLen() >= leastRSA {
			keys[one.KeyID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no usable key among them")
	}
	return keys, nil
}
