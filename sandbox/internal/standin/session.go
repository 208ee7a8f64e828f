package standin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

// A session is a cookie "name|signature", so there is nothing to remember and
// it ends when the key changes.

func seal(key []byte, name string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(name))
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(name)) + "|" + encode(mac.Sum(nil))
}

// unseal returns the name of a cookie that seal made with the same key, and
// false for any other.
func unseal(key []byte, value string) (string, bool) {
	encoded, _, _ := strings.Cut(value, "|")
	name, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !same(seal(key, string(name)), value) {
		return "", false
	}
	return string(name), true
}

// same compares secrets in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

const xsrfCookie = "_xsrf"

// giveXSRF returns the token a form has to carry, and sees that the browser
// has it as a cookie too.
func giveXSRF(w http.ResponseWriter, r *http.Request) string {
	if cookie, err := r.Cookie(xsrfCookie); err == nil && cookie.Value != "" {
		return cookie.Value
	}
	token := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: xsrfCookie, Value: token, Path: "/", SameSite: http.SameSiteLaxMode})
	return token
}

// checkXSRF reports whether a request carries the token of its cookie, in the
// form, in the query or in a header.
func checkXSRF(r *http.Request) bool {
	cookie, err := r.Cookie(xsrfCookie)
	if err != nil || cookie.Value == "" {
		return false
	}
	given := r.Header.Get("X-XSRFToken")
	if given == "" {
		given = r.FormValue("_xsrf")
	}
	return same(given, cookie.Value)
}

// bearer is the token of an Authorization header, as Jupyter reads it.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "token") || strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

func setSession(w http.ResponseWriter, cookie, path, value string) {
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: value, Path: path, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
