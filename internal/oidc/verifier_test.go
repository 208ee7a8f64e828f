package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/oidc"
)

// provider is an identity provider on loopback with one key.
type provider struct {
	url  string
	key  *ecdsa.PrivateKey
	kid  string
	asks atomic.Int32 // for keys
	down atomic.Bool
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{key: newKey(t), kid: "one"}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.url, "jwks_uri": p.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256", "none", "HS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		p.asks.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.kid, Algorithm: "ES256", Use: "sig"}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (p *provider) claims(change map[string]any) map[string]any {
	c := map[string]any{"iss": p.url, "aud": "daskbot", "sub": "8f2", "email": "ann@example.edu", "email_verified": true,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(c, change)
	return c
}

func newVerifier(p *provider) *oidc.Verifier {
	v, _ := timed(p)
	return v
}

// askAgain is how often the provider is asked for the same.
const askAgain = 10 * time.Second

// timed is a verifier whose clock is ahead by what it returns beside it.
func timed(p *provider) (*oidc.Verifier, *atomic.Int64) {
	ahead := new(atomic.Int64)
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	return oidc.New(oidc.Config{Now: now, Issuer: p.url, Audience: "daskbot", SubjectClaim: "email", RolesClaim: "groups", AdminRoles: []string{"daskbot-admins"},
		Caller: func(subject string) environment.Caller {
			if subject == "teacher@example.edu" {
				return environment.Caller{Subject: subject, Role: environment.RoleStaff, Courses: []string{"de-2026"}}
			}
			return environment.Caller{Subject: subject, Role: environment.RoleStudent}
		}}), ahead
}

func TestGoodTokens(t *testing.T) {
	p := newProvider(t)
	v := newVerifier(p)
	for _, test := range []struct {
		name   string
		change map[string]any
		want   environment.Caller
	}{
		{"a student", nil, environment.Caller{Subject: "ann@example.edu", Role: environment.RoleStudent}},
		{"staff, since the course says so", map[string]any{"email": "teacher@example.edu"},
			environment.Caller{Subject: "teacher@example.edu", Role: environment.RoleStaff, Courses: []string{"de-2026"}}},
		{"an address in capitals", map[string]any{"email": "Teacher@Example.edu"},
			environment.Caller{Subject: "teacher@example.edu", Role: environment.RoleStaff, Courses: []string{"de-2026"}}},
		{"an admin by a group", map[string]any{"groups": []string{"all", "daskbot-admins"}}, environment.Caller{Subject: "ann@example.edu", Role: environment.RoleAdmin}},
		{"another group", map[string]any{"groups": []string{"all"}}, environment.Caller{Subject: "ann@example.edu", Role: environment.RoleStudent}},
		{"several audiences", map[string]any{"aud": []string{"other", "daskbot"}}, environment.Caller{Subject: "ann@example.edu", Role: environment.RoleStudent}},
	} {
		got, err := v.Caller(t.Context(), sign(t, jose.ES256, p.key, p.kid, p.claims(test.change)))
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: (-want +got)\n%s%v", test.name, diff, err)
		}
	}
	if asks := p.asks.Load(); asks != 1 {
		t.Errorf("the keys were asked for %d times; want once, then from the cache", asks)
	}
}

func TestBadTokens(t *testing.T) {
	p := newProvider(t)
	good := sign(t, jose.ES256, p.key, p.kid, p.claims(nil))
	part := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	public, err := json.Marshal(p.key.PublicKey.X)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(change map[string]any) string { return sign(t, jose.ES256, p.key, p.kid, p.claims(change)) }
	for name, token := range map[string]string{
		"another audience":         signed(map[string]any{"aud": "payroll"}),
		"no audience":              signed(map[string]any{"aud": []string{}}),
		"another issuer":           signed(map[string]any{"iss": "https://evil.example"}),
		"expired":                  signed(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"not valid yet":            signed(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"e-mail not verified":      signed(map[string]any{"email_verified": false}),
		"e-mail verified, a text":  signed(map[string]any{"email_verified": "true"}),
		"no e-mail":                signed(map[string]any{"email": ""}),
		"the sign for kelvin":      signed(map[string]any{"email": "mi\u212ae@example.edu"}), // in lower case it is mike's
		"a subject with a line":    signed(map[string]any{"email": "ann\n@example.edu"}),
		"another key":              sign(t, jose.ES256, newKey(t), p.kid, p.claims(nil)),
		"an unknown key":           sign(t, jose.ES256, newKey(t), "two", p.claims(nil)),
		"HMAC with the public key": sign(t, jose.HS256, append(public, make([]byte, 32)...), p.kid, p.claims(nil)),
		"no algorithm":             none + "." + part[1] + ".",
		"no signature":             part[0] + "." + part[1] + ".",
		"changed":                  part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"email":"admin@example.edu"}`)) + "." + part[2],
		"not a token":              "hello",
		"nothing":                  "",
	} {
		who, err := newVerifier(p).Caller(t.Context(), token)
		if environment.CodeOf(err) != environment.CodeUnauthorized || who.Subject != "" {
			t.Errorf("%s: got %+v, %v; want unauthorized", name, who, err)
		}
	}
}

func TestKeysAreRotated(t *testing.T) {
	p := newProvider(t)
	v, clock := timed(p)
	if _, err := v.Caller(t.Context(), sign(t, jose.ES256, p.key, p.kid, p.claims(nil))); err != nil {
		t.Fatal(err)
	}
	p.key, p.kid = newKey(t), "two"
	clock.Store(int64(askAgain))
	if _, err := v.Caller(t.Context(), sign(t, jose.ES256, p.key, p.kid, p.claims(nil))); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
}

// A good token is not called a bad one because the keys cannot be read.
func TestKeysThatDoNotAnswer(t *testing.T) {
	p := newProvider(t)
	v, clock := timed(p)
	if _, err := v.Caller(t.Context(), "x"); environment.CodeOf(err) != environment.CodeUnauthorized { // reads the description
		t.Fatalf("got %v; want unauthorized", err)
	}
	p.down.Store(true)
	token := sign(t, jose.ES256, p.key, p.kid, p.claims(nil))
	if _, err := v.Caller(t.Context(), token); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("without keys: got %v; want unavailable", err)
	}
	p.down.Store(false)
	clock.Store(int64(askAgain))
	_, err := v.Caller(t.Context(), token)
	for i := 0; i < 10_000 && environment.CodeOf(err) == environment.CodeUnavailable; i++ { // the library may still be letting go of its last question
		runtime.Gosched()
		_, err = v.Caller(t.Context(), token)
	}
	if err != nil {
		t.Errorf("once they answer again: %v", err)
	}
	liar := sign(t, jose.ES256, p.key, p.kid, p.claims(map[string]any{"iss": withoutKeys}))
	if _, err := v.Caller(t.Context(), liar); environment.CodeOf(err) != environment.CodeUnauthorized {
		t.Errorf("another issuer: got %v; want unauthorized", err)
	}
}

// withoutKeys is what the verifier tells this case by.
const withoutKeys = "failed to verify signature: fetching keys "

func TestAProviderThatIsDown(t *testing.T) {
	p := newProvider(t)
	v, clock := timed(p)
	p.down.Store(true)
	token := sign(t, jose.ES256, p.key, p.kid, p.claims(nil))
	if _, err := v.Caller(t.Context(), token); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want unavailable", err)
	}
	p.down.Store(false)
	clock.Store(int64(askAgain))
	if _, err := v.Caller(t.Context(), token); err != nil {
		t.Errorf("once it answers again: %v", err)
	}
}

// TestStrangersDoNotHaveTheProviderAsked sends tokens that no key has signed,
// at which the library asks for the keys anew, and a good one in between.
func TestStrangersDoNotHaveTheProviderAsked(t *testing.T) {
	p := newProvider(t)
	v, clock := timed(p)
	good := sign(t, jose.ES256, p.key, p.kid, p.claims(nil))
	guess := func() {
		for range 20 {
			if _, err := v.Caller(t.Context(), sign(t, jose.ES256, newKey(t), p.kid, p.claims(nil))); environment.CodeOf(err) != environment.CodeUnauthorized {
				t.Errorf("a guess: got %v; want unauthorized", err)
			}
		}
		if _, err := v.Caller(t.Context(), good); err != nil {
			t.Errorf("a good token meanwhile: %v", err)
		}
	}
	guess()
	if asks := p.asks.Load(); asks != 1 {
		t.Errorf("the keys were asked for %d times; want once", asks)
	}
	clock.Store(int64(askAgain))
	guess()
	if asks := p.asks.Load(); asks != 2 {
		t.Errorf("the keys were asked for %d times; want once more", asks)
	}
}

// TestNobodyWaitsLongerThanTheyLike: while one asks a provider that hangs, the
// others leave when their time is over.
func TestNobodyWaitsLongerThanTheyLike(t *testing.T) {
	asked, hang := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-hang
	}))
	defer server.Close()
	v := newVerifier(&provider{url: server.URL})
	first := make(chan error, 1)
	go func() {
		_, err := v.Caller(t.Context(), "x")
		first <- err
	}()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Caller(ctx, "x"); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("whose time is over: got %v; want unavailable", err)
	}
	close(hang)
	if err := <-first; environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("who asked: got %v; want unavailable", err)
	}
}
