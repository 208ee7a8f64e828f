package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/api"
)

const (
	firstPause = 500 * time.Millisecond
	longPause  = 10 * time.Second
	// silence is longer than two heartbeats: past it the connection is dead,
	// whatever the network says.
	silence = 40 * time.Second
)

var errSilent = errors.New("the stream fell silent")

// follow hands every event after a seq to show, also across broken
// connections and restarts of the daemon. It returns nil when the stream ended
// at a terminal state, a refusal, show's error or ctx's. notice gets a
// sentence when the connection is lost.
func (w World) follow(ctx context.Context, r *rest, id string, after int64, show func(api.Event) error, notice func(string)) error {
	pause, told := firstPause, false
	for {
		seen := after
		done, err := r.stream(ctx, id, &after, show)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case done:
			return err
		case err != nil && !passing(err):
			return err
		}
		if after > seen {
			pause, told = firstPause, false
		}
		if pause >= 4*firstPause && !told {
			told = true
			notice("The connection to daskbot is lost; trying again. What was asked for goes on.")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// stream reads one connection. done means that nothing more will come, or
// that err is show's; otherwise the caller connects again.
func (r *rest) stream(ctx context.Context, id string, after *int64, show func(api.Event) error) (done bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer alive.Stop()
	resp, err := r.send(ctx, http.MethodGet, environmentPath(id, "events"), nil,
		"Accept", "text/event-stream", "Last-Event-ID", strconv.FormatInt(*after, 10))
	if err != nil {
		return !passing(err), err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return true, nil
	}
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	var data strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			// The daemon ends the stream at a terminal state and when it stops;
			// asking again tells which: a terminal one answers 204.
			return false, r.endOf(err)
		}
		alive.Reset(silence)
		line = strings.TrimRight(line, "\r\n")
		if text, ok := strings.CutPrefix(line, "data:"); ok {
			data.WriteString(strings.TrimPrefix(text, " "))
		}
		if line != "" || data.Len() == 0 {
			continue
		}
		var e api.Event
		err = json.Unmarshal([]byte(data.String()), &e)
		data.Reset()
		if err != nil {
			return false, err
		}
		if err := show(e); err != nil {
			return !passing(err), err
		}
		*after = max(*after, e.Seq)
	}
}

// endOf is nil for an end in good order, else a lost connection.
func (r *rest) endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return &unreachable{address: r.address, err: err}
}

// passing says whether an error may be gone when asked again: a daemon that is
// being restarted is no reason to stop waiting.
func passing(err error) bool {
	var away *unreachable
	var late *slow
	var no *refused
	return errors.As(err, &away) || errors.As(err, &late) || errors.As(err, &no) && no.problem.Status >= http.StatusInternalServerError
}
