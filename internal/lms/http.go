package lms

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Prefix is where Handler is mounted.
const Prefix = "/hooks/"

const (
	maxBody     = 256 << 10
	readTimeout = 10 * time.Second
	// keepTimeout bounds the one transaction of a request. Being near, it also
	// lets requests go before the work that is waiting to be done.
	keepTimeout = 3 * time.Second
	// repeatsFor is for how long the same contents from a sender without ids
	// are the same message.
	repeatsFor = 2 * time.Hour
)

// Outcomes of a request, as Observe is told.
const (
	Accepted     = "accepted"
	Copied       = "copied"       // received before
	Unauthorized = "unauthorized" // not proved
	Limited      = "limited"      // too many
	Malformed    = "malformed"    // too large, cut off
	Unavailable  = "unavailable"  // could not be kept
)

// Outcomes are all that Observe is told: those of requests, and the state that
// what was accepted ends in.
var Outcomes = []string{Accepted, Copied, Unauthorized, Limited, Malformed, Unavailable,
	string(environment.DeliveryDone), string(environment.DeliveryIgnored), string(environment.DeliveryParked)}

// Handler takes POST /hooks/lms/{source}. Whatever is authentic is kept and
// answered with 200, exactly: Moodle takes every other success for a failure.
// Errors are problem+json and tell a stranger nothing.
func (h *Hooks) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Prefix+"lms/{source}", h.receive)
	mux.HandleFunc(Prefix+"lms/{source}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, environment.CodeInvalid, "A hook is sent with POST.")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { nothingHere(w) })
	return mux
}

func nothingHere(w http.ResponseWriter) {
	problem(w, http.StatusNotFound, environment.CodeNotFound, "There is no such source of hooks.")
}

func (h *Hooks) receive(w http.ResponseWriter, r *http.Request) {
	src, ok := h.sources[r.PathValue("source")]
	if !ok {
		nothingHere(w)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		h.Observe(src.Name, Malformed)
		refuseBody(w, err)
		return
	}
	now := h.Now()
	p, err := src.verifier.Verify(r, body, now)
	if err != nil {
		h.unproved(w, r, src, err)
		return
	}
	if !src.limit.AllowN(now, 1) {
		h.Observe(src.Name, Limited)
		w.Header().Set("Retry-After", "10")
		problem(w, http.StatusTooManyRequests, environment.CodeQuota, "There are too many messages at once; send it again in a while.")
		return
	}
	h.keep(w, r, src, delivery(src, p, r.Header.Get("Content-Type"), now))
}

// keep answers once the delivery is durable.
func (h *Hooks) keep(w http.ResponseWriter, r *http.Request, src *source, d environment.Delivery) {
	ctx, cancel := context.WithTimeout(r.Context(), keepTimeout)
	defer cancel()
	fresh, err := h.Inbox.Receive(ctx, d)
	switch {
	case err != nil:
		h.Observe(src.Name, Unavailable)
		h.Log.ErrorContext(r.Context(), "keep a delivery", "source", src.Name, "err", err)
		unavailable(w)
	case !fresh:
		h.Observe(src.Name, Copied)
		answer(w, "known")
	default:
		h.Observe(src.Name, Accepted)
		answer(w, "accepted")
	}
}

// unproved refuses what could not be proved. When it is the platform's keys
// that are missing, the sender is to try again.
func (h *Hooks) unproved(w http.ResponseWriter, r *http.Request, src *source, err error) {
	var keys *keysError
	if errors.As(err, &keys) {
		h.Observe(src.Name, Unavailable)
		h.Log.ErrorContext(r.Context(), "hook not verified", "source", src.Name, "err", err)
		unavailable(w)
		return
	}
	h.Observe(src.Name, Unauthorized)
	h.Log.InfoContext(r.Context(), "hook refused", "source", src.Name, "reason", err.Error())
	problem(w, http.StatusUnauthorized, environment.CodeUnauthorized, "This message is not proved to come from the source.")
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "30")
	problem(w, http.StatusServiceUnavailable, environment.CodeUnavailable, "The message could not be kept; send it again.")
}

// readBody reads all of a bounded body within a bounded time.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// Not every ResponseWriter has deadlines; the server's then hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

func refuseBody(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		problem(w, http.StatusRequestEntityTooLarge, environment.CodeInvalid, "A message has at most 256 KiB.")
	case errors.Is(err, os.ErrDeadlineExceeded):
		problem(w, http.StatusRequestTimeout, environment.CodeInvalid, "The message took too long to arrive.")
	default:
		problem(w, http.StatusBadRequest, environment.CodeInvalid, "The message could not be read.")
	}
}

// delivery is the row for what was proved. What it says is read for the row's
// columns only; one that cannot be read is kept all the same, and parked later.
func delivery(src *source, p proof, contentType string, now time.Time) environment.Delivery {
	d := environment.Delivery{ID: environment.NewID() + environment.NewID(), Source: src.Name, Key: p.key, ContentType: tidy(contentType),
		Body: p.body, ReceivedAt: now.UTC(), State: environment.DeliveryWaiting}
	ev, err := Translate(contentType, p.body)
	if err == nil {
		d.Type, d.About, d.HappenedAt = tidy(ev.Name), ev.about(), ev.At
	}
	switch {
	case !p.weak:
	case ev.ID != "":
		d.Key, p.weak = "id:"+contentID(ev.ID), false // the sender's own
	case ev.Mark != "":
		// With a time it is one message; without, the same may happen again.
		d.Key, p.weak = "id:"+ev.fingerprint(), ev.At.IsZero()
	}
	if tidy(d.Key) != d.Key { // not every database takes what a header may hold
		d.Key = "id:" + contentID(d.Key)
	}
	if p.weak {
		d.Within = repeatsFor
	}
	return d
}

func answer(w http.ResponseWriter, status string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"status": status})
}

// problem answers in the form of the API's errors, RFC 9457.
func problem(w http.ResponseWriter, status int, code environment.Code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status,
		"code": code, "detail": strings.TrimSpace(detail)})
}
