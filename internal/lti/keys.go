package lti

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/daskbot/daskbot/internal/environment"
)

// How the tool's own keys live. A new one is published before anything is
// signed with it, and an old one stays published for a while after, since
// platforms keep copies.
const (
	keyBits      = 2048
	keyLasts     = 90 * 24 * time.Hour
	keySettles   = 24 * time.Hour
	keyLingers   = 7 * 24 * time.Hour
	ringFreshFor = time.Minute
	ringNote     = "lti/keys"
	// algorithm is the one that LTI asks of everybody; no other is accepted.
	algorithm = jose.RS256
)

// ring is the tool's keys as they were last read from the store, where all
// replicas share them.
type ring struct {
	mu   sync.Mutex
	keys keys
	read time.Time
}

// keys is what the store keeps, sealed.
type keys struct {
	// Seal signs what goes through browsers: states and sessions.
	Seal []byte `json:"seal"`
	// Pairs are the tool's own, newest first.
	Pairs []pair `json:"pairs"`
}

type pair struct {
	ID   string    `json:"kid"`
	Made time.Time `json:"made"`
	PKCS []byte    `json:"pkcs8"`
}

// keys reads the ring, and makes or rotates what is due.
func (t *Tool) keys(ctx context.Context) (keys, error) {
	t.ring.mu.Lock()
	defer t.ring.mu.Unlock()
	now := t.now()
	if !t.ring.read.IsZero() && now.Before(t.ring.read.Add(ringFreshFor)) {
		return t.ring.keys, nil
	}
	k, err := t.readKeys(ctx, now)
	if environment.CodeOf(err) == environment.CodeConflict { // another replica was faster
		k, err = t.readKeys(ctx, now)
	}
	if err != nil {
		return keys{}, err
	}
	t.ring.keys, t.ring.read = k, now
	return k, nil
}

func (t *Tool) readKeys(ctx context.Context, now time.Time) (keys, error) {
	var k keys
	note, err := t.store.Note(ctx, ringNote)
	switch {
	case environment.CodeOf(err) == environment.CodeNotFound:
		note.Key = ringNote
	case err != nil:
		return k, err
	default:
		if err := json.Unmarshal([]byte(note.Secret.Reveal()), &k); err != nil {
			return k, environment.Errorf(environment.CodeInternal, "The stored keys for learning platforms cannot be read.")
		}
	}
	changed, err := k.rotate(now)
	if err != nil || !changed {
		return k, err
	}
	value, err := json.Marshal(k)
	if err != nil {
		return k, err
	}
	note.Secret = environment.NewSecret(string(value))
	return k, t.store.Commit(ctx, environment.Change{Note: &note})
}

// rotate makes what is missing and drops what is over.
func (k *keys) rotate(now time.Time) (changed bool, err error) {
	if len(k.Seal) == 0 {
		k.Seal = make([]byte, 32)
		_, _ = rand.Read(k.Seal) // never fails
	}
	if len(k.Pairs) > 0 && now.Before(k.Pairs[0].Made.Add(keyLasts)) {
		return false, nil
	}
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return false, err
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return false, err
	}
	kept := []pair{{ID: environment.NewID(), Made: now.UTC(), PKCS: pkcs}}
	for _, old := range k.Pairs {
		if now.Before(old.Made.Add(2*keyLasts + keyLingers)) {
			kept = append(kept, old)
		}
	}
	k.Pairs = kept
	return true, nil
}

// published are the pairs whose public halves platforms may need.
func (k keys) published(now time.Time) []pair {
	var out []pair
	for i, p := range k.Pairs {
		if i == 0 || now.Before(k.Pairs[i-1].Made.Add(keyLingers)) {
			out = append(out, p)
		}
	}
	return out
}

// current is what to sign with: the newest that platforms have had time to see.
func (k keys) current(now time.Time) pair {
	for _, p := range k.Pairs {
		if now.After(p.Made.Add(keySettles)) {
			return p
		}
	}
	return k.Pairs[len(k.Pairs)-1] // of a tool that is new itself
}

func (p pair) private() (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(p.PKCS)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, environment.Errorf(environment.CodeInternal, "The stored key for learning platforms is of another kind.")
	}
	return private, nil
}

// sign makes a JWT of claims with the tool's key.
func (t *Tool) sign(ctx context.Context, claims any) (string, error) {
	k, err := t.keys(ctx)
	if err != nil {
		return "", err
	}
	p := k.current(t.now())
	private, err := p.private()
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: private, KeyID: p.ID}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// serveJWKS publishes the tool's public keys.
func (t *Tool) serveJWKS(w http.ResponseWriter, r *http.Request) error {
	k, err := t.keys(r.Context())
	if err != nil {
		return err
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, p := range k.published(t.now()) {
		private, err := p.private()
		if err != nil {
			return err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: private.Public(), KeyID: p.ID, Algorithm: string(algorithm), Use: "sig"})
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	return writeJSON(w, set)
}

func writeJSON(w http.ResponseWriter, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // whoever asked has left
	return nil
}
