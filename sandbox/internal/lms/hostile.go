package lms

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// forgery is an id token in the making.
type forgery struct {
	claims  map[string]any
	key     *key
	answer  url.Values // what the token goes with
	earlier string     // the last token of this tool
}

// launchKinds are the ways in which a launch can be wrong, or unusual.
var launchKinds = map[string]bool{
	"expired": true, "future": true, "wrong-audience": true, "many-audiences": true, "wrong-issuer": true, "wrong-deployment": true,
	"wrong-nonce": true, "no-nonce": true, "replayed": true, "wrong-version": true, "wrong-type": true, "wrong-target": true,
	"no-subject": true, "no-context": true, "no-roles": true, "no-deployment": true, "alg-none": true, "hs256": true, "unknown-key": true,
	"wrong-key": true, "tampered": true, "wrong-state": true, "no-state": true,
	"no-email": true, "placeholders": true, "odd-name": true, "another-email": true, // honest, but unusual
}

// make signs the claims as they are, or does what a kind says to them.
func (f *forgery) make(kind string) (string, error) {
	f.bend(kind)
	switch kind {
	case "replayed":
		if f.earlier != "" {
			return f.earlier, nil
		}
		return "", respond.Invalid("nothing was issued yet that could be replayed")
	case "alg-none":
		return f.unsigned()
	case "hs256":
		return f.confused()
	case "unknown-key", "wrong-key":
		stranger, err := newKey()
		if err != nil {
			return "", err
		}
		if kind == "wrong-key" {
			stranger.ID = f.key.ID
		}
		return stranger.sign(f.claims)
	case "tampered":
		return f.tampered()
	}
	return f.key.sign(f.claims)
}

// bend changes what is said, not how it is signed.
func (f *forgery) bend(kind string) {
	now := time.Now()
	set := func(name string, value any) { f.claims[name] = value }
	changes := map[string]func(){
		"expired": func() { set("iat", now.Add(-2*time.Hour).Unix()); set("exp", now.Add(-time.Hour).Unix()) },
		"future": func() {
			set("iat", now.Add(time.Hour).Unix())
			set("nbf", now.Add(time.Hour).Unix())
			set("exp", now.Add(2*time.Hour).Unix())
		},
		"wrong-audience":   func() { set("aud", "another-tool"); set("azp", "another-tool") },
		"many-audiences":   func() { set("aud", []any{f.claims["aud"], "another-tool"}); set("azp", "another-tool") },
		"wrong-issuer":     func() { set("iss", "https://lms.elsewhere.example") },
		"wrong-deployment": func() { set(claim+"deployment_id", "9:"+random(8)) },
		"wrong-nonce":      func() { set("nonce", random(16)) },
		"no-nonce":         func() { delete(f.claims, "nonce") },
		"wrong-version":    func() { set(claim+"version", "1.1.0") },
		"wrong-type":       func() { set(claim+"message_type", "LtiSubmissionReviewRequest") },
		"wrong-target":     func() { set(claim+"target_link_uri", "https://elsewhere.example/lti/launch") },
		"no-subject":       func() { delete(f.claims, "sub") },
		"no-context":       func() { delete(f.claims, claim+"context") },
		"no-roles":         func() { delete(f.claims, claim+"roles") },
		"no-deployment":    func() { delete(f.claims, claim+"deployment_id") },
		"wrong-state":      func() { f.answer.Set("state", random(16)) },
		"no-state":         func() { f.answer.Del("state") },
		"no-email":         func() { delete(f.claims, "email"); delete(f.claims, "name") },
		"another-email":    func() { set("email", "admin@sandbox-university.example") },
		"odd-name":         func() { set("name", "Zoë \u202egnp.exe\u202c <script>alert(1)</script> 𝒜\u0000\u200b") },
		"placeholders": func() {
			set(claim+"lis", map[string]any{"person_sourcedid": "$Person.sourcedId"})
			set("email", "$Person.email.primary")
			set(claim+"custom", map[string]any{"course_number": "$Canvas.course.id"})
		},
	}
	if change, known := changes[kind]; known {
		change()
	}
}

var compact = base64.RawURLEncoding

// unsigned says that no algorithm signed it.
func (f *forgery) unsigned() (string, error) {
	raw, err := json.Marshal(f.claims)
	return compact.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + compact.EncodeToString(raw) + ".", err
}

// confused is signed with the public key, as if that were a shared secret: a
// verifier that believes the header's algorithm takes it.
func (f *forgery) confused() (string, error) {
	raw, err := json.Marshal(f.claims)
	if err != nil {
		return "", err
	}
	private, err := f.key.rsa()
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return "", err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	signed := compact.EncodeToString([]byte(`{"alg":"HS256","kid":"`+f.key.ID+`","typ":"JWT"}`)) + "." + compact.EncodeToString(raw)
	mac := hmac.New(sha256.New, public)
	_, _ = mac.Write([]byte(signed)) // never fails
	return signed + "." + compact.EncodeToString(mac.Sum(nil)), nil
}

// tampered says something else than what was signed.
func (f *forgery) tampered() (string, error) {
	honest, err := f.key.sign(f.claims)
	if err != nil {
		return "", err
	}
	parts := strings.Split(honest, ".")
	f.claims[claim+"roles"] = roleNames(Teacher)
	f.claims["sub"] = random(16)
	raw, err := json.Marshal(f.claims)
	return parts[0] + "." + compact.EncodeToString(raw) + "." + parts[2], err
}
