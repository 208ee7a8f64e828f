package lms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
)

// key is a signing key.
type key struct {
	ID  string `json:"id"`
	DER []byte `json:"der"` // PKCS #1

	private *rsa.PrivateKey
}

// keyring holds the key that signs, the ones before it and the one after it:
// rotated, a platform still serves what signed yesterday's tokens.
type keyring struct {
	Previous []key `json:"previous"`
	Current  key   `json:"current"`
	Next     key   `json:"next"`
}

const keyBits = 2048

func newKey() (key, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return key{}, err
	}
	return key{ID: random(8), DER: x509.MarshalPKCS1PrivateKey(private), private: private}, nil
}

func newKeyring() (*keyring, error) {
	current, err := newKey()
	if err != nil {
		return nil, err
	}
	next, err := newKey()
	if err != nil {
		return nil, err
	}
	return &keyring{Current: current, Next: next}, nil
}

// rotated is the ring after a rotation. What signs from now on was served
// before; of the old keys one stays.
func (r *keyring) rotated() (*keyring, error) {
	next, err := newKey()
	if err != nil {
		return nil, err
	}
	return &keyring{Previous: []key{r.Current}, Current: r.Next, Next: next}, nil
}

func (k *key) rsa() (*rsa.PrivateKey, error) {
	if k.private == nil {
		private, err := x509.ParsePKCS1PrivateKey(k.DER)
		if err != nil {
			return nil, err
		}
		k.private = private
	}
	return k.private, nil
}

// public is what the JWKS endpoint serves.
func (r *keyring) public() (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	for _, k := range append([]key{r.Current, r.Next}, r.Previous...) {
		private, err := k.rsa()
		if err != nil {
			return set, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: private.Public(), KeyID: k.ID, Algorithm: string(jose.RS256), Use: "sig"})
	}
	return set, nil
}

// sign makes a compact JWS of claims with a key.
func (k *key) sign(claims any) (string, error) {
	private, err := k.rsa()
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: k.ID}}, options)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(raw)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// random is n random bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// hookSecret is a secret as Standard Webhooks writes them.
func hookSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}
