package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// message is one notification on its way.
type message struct {
	id, url string
	secret  environment.Secret
	body    []byte
}

// failed is why a message was not taken, in words for the course's staff.
type failed struct {
	reason string
	// gone: the receiver says that it wants nothing more.
	gone bool
	// after is how long the receiver asked to be left alone.
	after time.Duration
	err   error
}

// Error is the reason with its cause, for the log.
func (f *failed) Error() string {
	if f.err == nil {
		return f.reason
	}
	return fmt.Sprintf("%s: %v", f.reason, f.err)
}

// Unwrap gives the cause.
func (f *failed) Unwrap() error { return f.err }

// send makes one attempt; nil means that it was taken.
func send(ctx context.Context, client *http.Client, m message, now time.Time) *failed {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(m.body))
	if err != nil {
		return &failed{reason: "The address cannot be used.", err: err}
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	signature, err := sign(m.secret, m.id+"."+stamp+"."+string(m.body))
	if err != nil {
		return &failed{reason: "The message could not be signed.", err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "daskbot")
	req.Header.Set("Webhook-Id", m.id)
	req.Header.Set("Webhook-Timestamp", stamp)
	req.Header.Set("Webhook-Signature", signature)
	resp, err := client.Do(req)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection can be used again
	return judge(resp, now)
}

// sign makes a Standard Webhooks signature.
func sign(secret environment.Secret, content string) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), "whsec_"))
	if err != nil || len(key) == 0 {
		return "", errors.New("there is no secret to sign with")
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, content) // a hash takes everything
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// unanswered says what went wrong without telling more of the network than the
// person who typed the address may know.
func unanswered(err error) *failed {
	if errors.Is(err, errPrivate) {
		return &failed{reason: "The address leads into a private network, where notifications are not sent.", err: err}
	}
	return &failed{reason: "The address does not answer.", err: err}
}

// longestWait bounds how long a receiver can ask to be left alone.
const longestWait = 24 * time.Hour

func judge(resp *http.Response, now time.Time) *failed {
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusGone:
		return &failed{reason: "The receiver answered 410: it wants nothing more.", gone: true}
	case code >= 300 && code < 400:
		return &failed{reason: fmt.Sprintf("The receiver answered %d: redirects are not followed.", code)}
	default:
		f := &failed{reason: fmt.Sprintf("The receiver answered %d.", code)}
		if text := resp.Header.Get("Retry-After"); text != "" {
			if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
				f.after = time.Duration(seconds) * time.Second
			} else if at, err := http.ParseTime(text); err == nil {
				f.after = at.Sub(now)
			}
			f.after = min(max(f.after, 0), longestWait)
		}
		return f
	}
}
