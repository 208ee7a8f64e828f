package lti

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// login is what must survive from a login until its launch. It travels in the
// state, signed, so that a login costs the store nothing.
type login struct {
	Nonce    string    `json:"n"`
	Issuer   string    `json:"i"`
	ClientID string    `json:"c"`
	Until    time.Time `json:"t"`
	// Proof is the hash of what only the browser that began has.
	Proof string `json:"p"`
	// Storage is the frame of the platform that stores things for tools; "" when
	// it has none.
	Storage string `json:"s,omitempty"`
	// Again are the parameters to begin anew with, in a window of its own; nil
	// when they are too long.
	Again map[string]string `json:"a,omitempty"`
}

// session is who was launched where. It is a bearer's: whoever has it is that
// person on these pages until it ends.
type session struct {
	ID      string           `json:"id"`
	Subject string           `json:"u"`
	Name    string           `json:"n,omitempty"`
	Role    environment.Role `json:"r"` // student or staff, of the course
	Course  string           `json:"c"`
	// Timezone is the course's.
	Timezone string    `json:"z,omitempty"`
	Until    time.Time `json:"t"`
	// Frames may show the pages of this session.
	Frames []string `json:"f"`
}

// What is sealed is good for its own purpose only, and for a while.
const (
	forLogin   = "login"
	forSession = "session"
	loginFor   = 10 * time.Minute
	sessionFor = 3 * time.Hour
	// longestSealed bounds what is looked at.
	longestSealed = 16 << 10
)

func (s session) caller() environment.Caller {
	who := environment.Caller{Subject: s.Subject, Role: s.Role, Via: environment.ViaLTI}
	if s.Role == environment.RoleStaff {
		who.Courses = []string{s.Course}
	}
	return who
}

// seal makes text of a value that only daskbot can have made.
func (t *Tool) seal(ctx context.Context, purpose string, value any) (string, error) {
	k, err := t.keys(ctx)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + k.stamp(purpose, text), nil
}

// open is the inverse of seal; false for what was not sealed for the purpose.
func (t *Tool) open(ctx context.Context, purpose, sealed string, value any) (bool, error) {
	text, stamp, found := strings.Cut(sealed, ".")
	if !found || len(sealed) > longestSealed {
		return false, nil
	}
	k, err := t.keys(ctx)
	if err != nil || !hmac.Equal([]byte(stamp), []byte(k.stamp(purpose, text))) {
		return false, err
	}
	body, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(body, value) == nil, nil
}

func (k keys) stamp(purpose, text string) string {
	mac := hmac.New(sha256.New, k.Seal)
	_, _ = mac.Write([]byte("lti " + purpose + "\n" + text)) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// same compares secrets without telling where they differ.
func same(a, b string) bool { return a != "" && hmac.Equal([]byte(a), []byte(b)) }
