package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// The stored forms of secrets, told apart by prefix so that a key can be
// introduced later: what is in the clear stays readable and is sealed when
// next written.
const (
	plainPrefix  = "plain:"
	aesGCMPrefix = "aesgcm:"
)

// sealer encrypts secrets at rest; without a key it leaves them in the clear.
// What is stored does not say which key it is for: authentication does, and so
// an older daskbot beside a newer one reads what both write.
type sealer struct {
	aead cipher.AEAD   // seals, and opens; nil leaves in the clear
	old  []cipher.AEAD // only open
}

func newSealer(key []byte, old ...[]byte) (s sealer, err error) {
	if len(key) > 0 {
		if s.aead, err = newAEAD(key); err != nil {
			return sealer{}, err
		}
	}
	for _, k := range old {
		aead, err := newAEAD(k)
		if err != nil {
			return sealer{}, err
		}
		s.old = append(s.old, aead)
	}
	return s, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, environment.Invalid("store.key", "The key for secrets has %d bytes; give 32, for example from `openssl rand 32`.", len(key))
	}
	return cipher.NewGCM(block)
}

// seal encodes secrets for the environment; the result opens for no other id.
func (s sealer) seal(id string, secrets environment.Secrets) (string, error) {
	values := make(map[string]string, len(secrets))
	for name, secret := range secrets {
		values[name] = secret.Reveal()
	}
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	if s.aead == nil {
		return plainPrefix + string(text), nil
	}
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return aesGCMPrefix + base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, text, []byte(id))), nil
}

// open is the inverse of seal. Its errors never hold what they were about.
func (s sealer) open(id, sealed string) (environment.Secrets, error) {
	text, err := s.decrypt(id, sealed)
	if err != nil {
		return nil, &environment.Error{Code: environment.CodeUnavailable,
			Message: "The credentials of this environment cannot be read; the people who run daskbot must check store.key.", Err: err}
	}
	values := map[string]string{}
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, errors.New("the stored secrets of environment " + id + " are damaged")
	}
	secrets := make(environment.Secrets, len(values))
	for name, value := range values {
		secrets[name] = environment.NewSecret(value)
	}
	return secrets, nil
}

func (s sealer) decrypt(id, sealed string) ([]byte, error) {
	if text, ok := strings.CutPrefix(sealed, plainPrefix); ok {
		return []byte(text), nil
	}
	text, ok := strings.CutPrefix(sealed, aesGCMPrefix)
	if !ok {
		return nil, errors.New("the stored secrets of environment " + id + " are in no known form")
	}
	keys := s.old
	if s.aead != nil {
		keys = append([]cipher.AEAD{s.aead}, keys...)
	}
	if len(keys) == 0 {
		return nil, errors.New("the stored secrets of environment " + id + " are encrypted and no key is given")
	}
	var err error
	for _, key := range keys {
		var opened []byte
		if opened, err = decryptWith(key, id, text); err == nil {
			return opened, nil
		}
	}
	return nil, err
}

func decryptWith(key cipher.AEAD, id, text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) < key.NonceSize() {
		return nil, errors.New("the stored secrets of environment " + id + " are damaged")
	}
	nonce, box := data[:key.NonceSize()], data[key.NonceSize():]
	return key.Open(nil, nonce, box, []byte(id))
}

// current reports whether it is sealed as seal would do it now.
func (s sealer) current(id, sealed string) bool {
	if s.aead == nil {
		return true // there is nothing better to do with it
	}
	text, ok := strings.CutPrefix(sealed, aesGCMPrefix)
	if !ok {
		return false
	}
	_, err := decryptWith(s.aead, id, text)
	return err == nil
}
