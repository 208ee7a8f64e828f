package bot

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// maxBody is far beyond any delivery; a modal's state is the largest.
const maxBody = 256 << 10

// answerWithin bounds all that is done before a delivery is acknowledged: Slack
// gives up after three seconds.
const answerWithin = 2800 * time.Millisecond

// Handler serves /slack/commands, /slack/interactions and /slack/events, and
// to browsers /slack/install and /slack/oauth. Every request of Slack's is
// verified by its signature before a byte of it is parsed: 401 for
// a wrong or stale one, 413 for a body that is too large, 503 while no signing
// secret is configured.
func (b *Bot) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/commands", b.verified(b.serveCommand))
	mux.HandleFunc("POST /slack/interactions", b.verified(b.serveInteraction))
	mux.HandleFunc("POST /slack/events", b.verified(b.serveEvent))
	mux.HandleFunc("GET "+installPath, b.serveInstall)
	mux.HandleFunc("GET "+OAuthPath, b.serveInstalled)
	return mux
}

// verified hands on only the bytes that were signed.
func (b *Bot) verified(serve func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if b.signingSecret.IsZero() {
			http.Error(w, "no signing secret is configured", http.StatusServiceUnavailable)
			return
		}
		// Stale and unsigned requests are refused before their body is read.
		verifier, err := slack.NewSecretsVerifier(r.Header, b.signingSecret.Reveal())
		if err != nil {
			http.Error(w, "the request is not signed, or too old", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			http.Error(w, "the request took too long to arrive", http.StatusRequestTimeout)
			return
		case err != nil:
			http.Error(w, "the request ended early", http.StatusBadRequest)
			return
		}
		_, _ = verifier.Write(body) // a hash takes everything
		if verifier.Ensure() != nil {
			http.Error(w, "the signature is wrong", http.StatusUnauthorized)
			return
		}
		serve(w, r, body)
	}
}

func (b *Bot) serveCommand(w http.ResponseWriter, r *http.Request, body []byte) {
	if isCheck(body) {
		w.WriteHeader(http.StatusOK)
		return
	}
	s, err := parseSlash(body)
	if err != nil {
		http.Error(w, environment.MessageOf(err), http.StatusBadRequest)
		return
	}
	b.reply(w, b.onCommand(r.Context(), s))
}

func (b *Bot) serveInteraction(w http.ResponseWriter, r *http.Request, body []byte) {
	in, err := parseInteractionForm(body)
	if err != nil {
		http.Error(w, environment.MessageOf(err), http.StatusBadRequest)
		return
	}
	b.reply(w, b.onInteraction(r.Context(), in))
}

func (b *Bot) serveEvent(w http.ResponseWriter, r *http.Request, body []byte) {
	ev, err := parseEvent(body)
	if err != nil {
		http.Error(w, environment.MessageOf(err), http.StatusBadRequest)
		return
	}
	if ev.challenge != "" {
		b.reply(w, map[string]string{"challenge": ev.challenge})
		return
	}
	if err := b.onEvent(r.Context(), ev); err != nil {
		b.log.Error("slack event", "reason", err.Error(), "event", ev.kind)
		http.Error(w, "try again", http.StatusServiceUnavailable) // Slack does, up to three times
		return
	}
	w.WriteHeader(http.StatusOK)
}

// reply sends an acknowledgement; nil is the empty one.
func (b *Bot) reply(w http.ResponseWriter, payload any) {
	if payload == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(payload); err != nil {
		b.log.Debug("slack acknowledgement", "reason", err.Error())
	}
}
