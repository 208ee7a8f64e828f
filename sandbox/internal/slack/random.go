package slack

import (
	"crypto/rand"
	"encoding/hex"
)

// id is an identifier as Slack writes them, without its first letter.
func id() string { return draw(10, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") }

// digits is a number of n digits.
func digits(n int) string { return draw(n, "123456789") }

// secret is n random bytes in hexadecimal.
func secret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func draw(n int, from string) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = from[int(b[i])%len(from)]
	}
	return string(b)
}
