package lms

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// tolerance is how far a sender's clock may be off, and so for how long a
// captured message could be sent again; within it, its id is known.
const tolerance = 5 * time.Minute

// The headers of Standard Webhooks, https://www.standardwebhooks.com.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Bounds on what is compared before anything is proved.
const (
	maxID         = 256
	maxSignatures = 10
)

// standard proves messages by Standard Webhooks: HMAC-SHA256 (v1) under one of
// the secrets, or Ed25519 (v1a) under one of the public keys. Several of each
// let them be rotated without a gap.
type standard struct {
	secrets [][]byte
	keys    []ed25519.PublicKey
}

// newStandard reads whsec_… secrets and whpk_… public keys.
func newStandard(secrets []environment.Secret, publicKeys []string) (standard, error) {
	var s standard
	for _, secret := range secrets {
		if secret.IsZero() {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), "whsec_"))
		if err != nil || len(key) < 24 || len(key) > 64 {
			return s, errors.New("a secret is not whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)")
		}
		s.secrets = append(s.secrets, key)
	}
	for _, public := range publicKeys {
		if public == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return s, errors.New("a public key is not whpk_ and the 32 bytes of an Ed25519 key in base64")
		}
		s.keys = append(s.keys, key)
	}
	if len(s.secrets)+len(s.keys) == 0 {
		return s, errors.New("neither a secret nor a public key is configured")
	}
	return s, nil
}

// Verify proves the raw body. The id of the message is its key: the sender
// repeats it when it sends again.
func (s standard) Verify(r *http.Request, body []byte, now time.Time) (proof, error) {
	id, stamp := r.Header.Get(headerID), r.Header.Get(headerTimestamp)
	if id == "" || len(id) > maxID {
		return proof{}, errors.New("no usable webhook-id")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return proof{}, errors.New("no usable webhook-timestamp")
	}
	at := time.Unix(seconds, 0)
	if now.Sub(at).Abs() > tolerance {
		return proof{}, errors.New("the webhook-timestamp is more than 5 minutes off")
	}
	signed := append([]byte(id+"."+stamp+"."), body...)
	if !s.signed(signed, r.Header.Get(headerSignature)) {
		return proof{}, errors.New("no signature fits")
	}
	return proof{key: id, body: body, sentAt: at.UTC()}, nil
}

// signed reports whether one signature of the list, which a sender that is
// changing its secret makes longer, is right.
func (s standard) signed(content []byte, list string) bool {
	for i, item := range strings.Fields(list) {
		if i == maxSignatures {
			return false
		}
		version, text, _ := strings.Cut(item, ",")
		signature, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		if version == "v1" && s.mac(content, signature) || version == "v1a" && s.verified(content, signature) {
			return true
		}
	}
	return false
}

func (s standard) mac(content, signature []byte) bool {
	for _, secret := range s.secrets {
		mac := hmac.New(sha256.New, secret)
		_, _ = mac.Write(content) // a hash takes everything
		if hmac.Equal(mac.Sum(nil), signature) {
			return true
		}
	}
	return false
}

func (s standard) verified(content, signature []byte) bool {
	for _, key := range s.keys {
		if len(signature) == ed25519.SignatureSize && ed25519.Verify(key, content, signature) {
			return true
		}
	}
	return false
}
