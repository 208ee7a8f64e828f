package lms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// tamperings are the ways in which a notice can be wrong, by how it is proved.
var tamperings = map[string][]string{
	Canvas:        {"tampered", "alg-none", "hs256", "unknown-key", "wrong-key", "unsigned", "garbage", "huge"},
	Standard:      {"tampered", "signature", "stale", "future", "unsigned", "wrong-secret", "two-signatures", "garbage", "huge"},
	Bearer:        {"wrong-token", "unsigned", "garbage", "huge"},
	MoodleTrigger: {"wrong-token", "unsigned", "garbage", "huge"},
	MoodleHooks:   {"wrong-token", "unsigned", "garbage", "huge"},
}

// hugeBody is more than a tool should take.
const hugeBody = 300 << 10

// seal makes the request of a delivery: the body, and what proves where it
// comes from, as of now. A repetition is sealed anew, like real ones.
func (d *delivery) seal(secrets Secrets, ring *keyring, now time.Time) error {
	payload, err := d.notice.payload(d.Feed, secrets)
	if err != nil {
		return err
	}
	if d.Feed == Canvas {
		return d.sealCanvas(payload, ring)
	}
	body, media, err := encode(payload)
	if err != nil {
		return err
	}
	switch d.Tamper {
	case "garbage":
		body = []byte("{\"type\":\x00\xff[[[")
	case "huge":
		body = append(body, []byte(strings.Repeat(" ", hugeBody))...)
	}
	d.Headers = map[string]string{"Content-Type": media, "User-Agent": "Sandbox-LMS/1"}
	d.Body = string(body)
	switch d.Feed {
	case Standard:
		return d.sealStandard(secrets.Standard, now)
	case MoodleHooks:
		d.sealToken(secrets.Moodle)
	case MoodleTrigger:
		d.sealBearer(secrets.Moodle)
	default:
		d.sealBearer(secrets.Bearer)
	}
	return nil
}

func (d *delivery) sealBearer(secret string) {
	switch d.Tamper {
	case "unsigned":
	case "wrong-token":
		d.Headers["Authorization"] = "Bearer " + random(20)
	default:
		d.Headers["Authorization"] = "Bearer " + secret
	}
}

// sealToken spoils the token that is in the body already.
func (d *delivery) sealToken(secret string) {
	switch d.Tamper {
	case "unsigned":
		d.Body = strings.ReplaceAll(d.Body, "token="+secret, "token=")
	case "wrong-token":
		d.Body = strings.ReplaceAll(d.Body, secret, random(20))
	}
}

// sealCanvas puts the event into a JWS: that is the body.
func (d *delivery) sealCanvas(payload any, ring *keyring) error {
	raw, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	d.Headers = map[string]string{"Content-Type": "application/json", "User-Agent": "Canvas-Live-Events"}
	switch d.Tamper {
	case "unsigned":
		d.Body = string(raw)
		return nil
	case "garbage":
		d.Body = "not.a.jws"
		return nil
	case "huge":
		payload = map[string]any{"filler": strings.Repeat("x", hugeBody)}
		raw, err = json.Marshal(payload)
		if err != nil {
			return err
		}
	}
	claims := map[string]any{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		return err
	}
	f := forgery{claims: claims, key: &ring.Current}
	d.Body, err = f.make(d.Tamper)
	return err
}

// sealStandard signs as Standard Webhooks says. The id stays the same over
// repetitions, the time does not.
func (d *delivery) sealStandard(secret string, now time.Time) error {
	switch d.Tamper {
	case "stale":
		now = now.Add(-10 * time.Minute)
	case "future":
		now = now.Add(10 * time.Minute)
	case "wrong-secret":
		secret = hookSecret()
	}
	at := strconv.FormatInt(now.Unix(), 10)
	d.Headers["webhook-id"], d.Headers["webhook-timestamp"] = d.notice.id, at
	signature, err := signature(secret, d.notice.id, at, d.Body)
	if err != nil {
		return err
	}
	switch d.Tamper {
	case "unsigned":
		return nil
	case "signature":
		signature = "v1," + base64.StdEncoding.EncodeToString([]byte(random(16)))
	case "two-signatures": // as while a secret is changed
		signature = "v1," + base64.StdEncoding.EncodeToString([]byte(random(16))) + " " + signature
	case "tampered":
		d.Body = strings.Replace(d.Body, `"type":`, `"extra":true,"type":`, 1)
	}
	d.Headers["webhook-signature"] = signature
	return nil
}

// signature is the symmetric one of Standard Webhooks.
func signature(secret, id, at, body string) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + at + "." + body)) // never fails
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// checkTamper says whether a source can be wrong in that way.
func checkTamper(feed, how string) error {
	if how == "" || slices.Contains(tamperings[feed], how) {
		return nil
	}
	return respond.Invalid("a notice of %s can be %s", feed, strings.Join(tamperings[feed], ", "))
}
