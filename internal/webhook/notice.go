package webhook

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// notice is something that is to be told of an environment as it is now.
type notice struct {
	kind string
	// key tells it from another of the same kind: one that is told is not told
	// again.
	key string
	at  time.Time
}

// due are the notices that hold now, in the order in which they came to.
func due(e environment.Environment) []notice {
	switch {
	case e.State == environment.StateDeleted:
		return []notice{{environment.NoticeDeleted, "deleted", cmp.Or(e.DeletedAt, e.PhaseSince)}}
	case e.State == environment.StateFailed:
		at := e.PhaseSince
		if e.Failure != nil {
			at = e.Failure.At
		}
		return []notice{{environment.NoticeFailed, "failed", at}}
	case e.Desired == environment.Absent:
		return nil // on its way out; what is next is that it is gone
	case e.ReadyAt.IsZero():
		return []notice{{environment.NoticeRequested, "requested", e.CreatedAt}}
	}
	out := []notice{{environment.NoticeReady, "ready", e.ReadyAt}}
	if end := e.Ending; end != nil {
		out = append(out, notice{environment.NoticeEnding, "ending/" + string(end.Cause) + "/" + strconv.FormatInt(end.At.Unix(), 10), end.ToldAt})
	}
	return out
}

// payload is the body of a notification. It names who and what, and where the
// owner logs in, but nothing that lets anybody in.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	ID        string     `json:"id"`
	Owner     string     `json:"owner"`
	Course    string     `json:"course"`
	Profile   string     `json:"profile"`
	State     string     `json:"state"`
	Message   string     `json:"message,omitempty"`
	URL       string     `json:"url,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	ReadyAt   *time.Time `json:"readyAt"`
	ExpiresAt *time.Time `json:"expiresAt"`
	Ending    *ending    `json:"ending,omitempty"`
}

type ending struct {
	At    time.Time `json:"at"`
	Cause string    `json:"cause"`
}

func body(e environment.Environment, n notice) ([]byte, error) {
	p := payload{Type: n.kind, Timestamp: n.at.UTC(), Data: data{ID: e.ID, Owner: e.Owner, Course: e.Course, Profile: e.Profile, State: string(e.State),
		Message: e.Message, URL: e.URL, CreatedAt: e.CreatedAt.UTC(), ReadyAt: instant(e.ReadyAt), ExpiresAt: instant(e.ExpiresAt)}}
	if e.Failure != nil && n.kind == environment.NoticeFailed {
		p.Data.Message = e.Failure.Message
	}
	if e.Ending != nil && n.kind == environment.NoticeEnding {
		p.Data.Ending = &ending{e.Ending.At.UTC(), string(e.Ending.Cause)}
	}
	return json.Marshal(p)
}

// instant is nil for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// newMessageID names a message; it stays the same however often that is sent.
func newMessageID() string { return "msg_" + rand.Text() }
