package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// World is what the commands touch besides the daemon. main fills it with the
// real one, tests with theirs.
type World struct {
	Out, Err io.Writer
	Getenv   func(name string) string
	ReadFile func(path string) ([]byte, error)
	HTTP     *http.Client
	Now      func() time.Time
	Zone     *time.Location
	// Width is how wide the terminal behind Err is; 0 when it is none.
	Width func() int
	// Ask puts a question to a person and returns the line they type; nil when
	// there is no terminal to ask on.
	Ask func(question string) (string, error)
	// Open shows an address in a browser; nil when there is none.
	Open func(ctx context.Context, address string) error
}

const (
	defaultAddress = "http://127.0.0.1:8080"
	// answerIn bounds every request but streams, surveyIn those that ask about
	// many clusters or projects. Each is a little longer than what the daemon
	// allows itself: what it says when it gives up is worth more than ours.
	answerIn = time.Minute + 10*time.Second
	surveyIn = 10*time.Minute + 10*time.Second
)

// address is where the daemon is.
func (w World) address() string {
	if a := strings.TrimRight(strings.TrimSpace(w.Getenv("DASKBOT_URL")), "/"); a != "" {
		return a
	}
	return defaultAddress
}

// token is the caller's: from the environment, else the one `make run` left.
// "" when there is none; the daemon then says what is missing.
func (w World) token() (string, error) {
	if t := strings.TrimSpace(w.Getenv("DASKBOT_TOKEN")); t != "" {
		return t, nil
	}
	state := w.Getenv("DASKBOT_STATE")
	if state == "" {
		state = ".daskbot"
	}
	raw, err := w.ReadFile(filepath.Join(state, "admin.token"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(raw)), err
}

// colour reports whether Err shows colours.
func (w World) colour() bool {
	return w.Width() > 0 && w.Getenv("NO_COLOR") == "" && w.Getenv("TERM") != "dumb"
}
