package environment

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// idAlphabet has no vowels, so that no id spells a word, and no 0, 1 or l.
const idAlphabet = "23456789bcdfghjkmnpqrstvwxz"

// NewID returns a random id of 8 characters that starts with a letter: safe
// in a DNS label, a Kubernetes name and a cloud label, and short enough to
// read out. With 27^7·20 values a class never meets a collision; the store's
// primary key refuses one.
func NewID() string {
	return randomFrom("bcdfghjkmnpqrstvwxz", 1) + randomFrom(idAlphabet, 7)
}

// NewSecretValue returns 32 random bytes as hex, what `openssl rand -hex 32`
// prints in the first walkthrough.
func NewSecretValue() Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return NewSecret(hex.EncodeToString(b))
}

// NewPassword returns a password that a person can type: 16 characters in
// four groups, about 76 bits.
func NewPassword() Secret {
	groups := make([]string, 4)
	for i := range groups {
		groups[i] = randomFrom(idAlphabet, 4)
	}
	return NewSecret(strings.Join(groups, "-"))
}

func randomFrom(alphabet string, n int) string {
	out := make([]byte, 0, n)
	buf := make([]byte, 1)
	limit := 256 - 256%len(alphabet) // reject the tail, so that every letter is as likely
	for len(out) < n {
		_, _ = rand.Read(buf)
		if int(buf[0]) < limit {
			out = append(out, alphabet[int(buf[0])%len(alphabet)])
		}
	}
	return string(out)
}

// HashToken is how an API token's secret is kept at rest.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Fingerprint is a short hash of any plain data, stable across processes.
func Fingerprint(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		b = fmt.Appendf(nil, "%#v", v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
