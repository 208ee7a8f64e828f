package lms

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// shortestToken is the least that can stand for a secret which travels with
// every message.
const shortestToken = 16

// bearer proves messages by a secret that they carry: in the Authorization
// header or, when inBody, also as the field token. It is for senders that
// cannot sign, and as good as the TLS in front of it.
type bearer struct {
	secrets [][sha256.Size]byte
	inBody  bool
}

func newBearer(secrets []environment.Secret, inBody bool) (bearer, error) {
	b := bearer{inBody: inBody}
	for _, secret := range secrets {
		if secret.IsZero() {
			continue
		}
		if len(secret.Reveal()) < shortestToken {
			return b, errors.New("a secret is shorter than 16 characters; make one with: openssl rand -hex 32")
		}
		b.secrets = append(b.secrets, sha256.Sum256([]byte(secret.Reveal())))
	}
	if len(b.secrets) == 0 {
		return b, errors.New("no secret is configured")
	}
	return b, nil
}

// Verify looks for the secret. Such a sender gives its messages no id: the
// contents are the key, unless there is a webhook-id all the same.
func (b bearer) Verify(r *http.Request, body []byte, _ time.Time) (proof, error) {
	kept := body
	token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !given && b.inBody {
		token, kept = withoutToken(r.Header.Get("Content-Type"), body)
	}
	if !b.right(strings.TrimSpace(token)) {
		return proof{}, errors.New("no secret, or a wrong one")
	}
	p := proof{key: r.Header.Get(headerID), body: kept}
	if p.key == "" || len(p.key) > maxID {
		sum := sha256.Sum256(kept)
		p.key, p.weak = hex.EncodeToString(sum[:]), true
	}
	return p, nil
}

// right compares hashes, so that neither the time nor the length tells
// anything.
func (b bearer) right(token string) bool {
	sum, found := sha256.Sum256([]byte(token)), 0
	for _, secret := range b.secrets {
		found |= subtle.ConstantTimeCompare(secret[:], sum[:])
	}
	return token != "" && found == 1
}

// withoutToken takes the token out of a form or a JSON object, so that it is
// not kept with the message. Moodle's plug-ins send a form also when they say
// that it is JSON.
func withoutToken(contentType string, body []byte) (token string, rest []byte) {
	if looksLikeJSON(body) {
		return jsonWithoutToken(body)
	}
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "multipart/form-data" {
		return "", body
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", body
	}
	token = form.Get("token")
	form.Del("token")
	return token, []byte(form.Encode())
}

func jsonWithoutToken(body []byte) (token string, rest []byte) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return "", body
	}
	if err := json.Unmarshal(fields["token"], &token); err != nil {
		return "", body
	}
	delete(fields, "token")
	rest, err := json.Marshal(fields)
	if err != nil {
		return "", body
	}
	return token, rest
}

func looksLikeJSON(body []byte) bool {
	trimmed := strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n\ufeff")
	return strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")
}
