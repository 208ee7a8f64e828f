package bot

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestLimitsAreKept: what may be called at once, what comes back with time, and
// what is kept back.
func TestLimitsAreKept(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	l := newLimits(func() time.Time { return now })
	wait := func(err error) time.Duration {
		var e *environment.Error
		if !errors.As(err, &e) {
			return 0
		}
		if e.Code != environment.CodeUnavailable {
			t.Errorf("got %v; want unavailable", err)
		}
		return e.RetryAfter
	}
	update := func(reserve float64) time.Duration { return wait(l.takeAbove("chat.update", "D1", reserve)) }
	for range 5 {
		if got := update(finalReserve); got != 0 {
			t.Errorf("wait %s; want none", got)
		}
	}
	if got := update(finalReserve); got != rates["chat.update"].every {
		t.Errorf("what can wait has to wait %s; want %s", got, rates["chat.update"].every)
	}
	for range 5 {
		if got := update(0); got != 0 {
			t.Errorf("a last word waits %s; want none", got)
		}
	}
	if got := update(0); got != rates["chat.update"].every {
		t.Errorf("with nothing left it waits %s; want %s", got, rates["chat.update"].every)
	}
	now = now.Add(rates["chat.update"].every)
	if got := update(0); got != 0 {
		t.Errorf("later it waits %s; want none", got)
	}

	post := func(channel string) time.Duration { return wait(l.take("chat.postMessage", channel)) }
	if post("D1") != 0 || post("D1") != perChannel || post("D2") != 0 {
		t.Error("want one message a second in a channel, and each channel for itself")
	}
	now = now.Add(perChannel)
	if got := post("D1"); got != 0 {
		t.Errorf("a second later it waits %s; want none", got)
	}
	l.pause("chat.postMessage", 20*time.Second)
	l.pause("chat.postMessage", 5*time.Second) // an older answer that came late
	now = now.Add(6 * time.Second)
	if got := post("D3"); got != 14*time.Second {
		t.Errorf("Slack asked for 20 s, 6 of which are over: it waits %s; want 14s", got)
	}
	if got := wait(l.take("users.list", "")); got != 0 {
		t.Errorf("another method waits %s; want none", got)
	}
}

// TestChannelsAreForgotten: a term of classes does not fill the memory.
func TestChannelsAreForgotten(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	l := newLimits(func() time.Time { return now })
	for n := range 5000 {
		now = now.Add(time.Second)
		if err := l.take("chat.postMessage", fmt.Sprint("D", n)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(l.channels); got > 1000 {
		t.Errorf("%d channels are remembered; want at most 1000", got)
	}
}
