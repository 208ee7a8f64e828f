package provision

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var p pace
	if got := p.wait(now, soonest); got != soonest {
		t.Errorf("one alone waits %s; want what it wished, %s", got, soonest)
	}
	var last time.Duration
	for range 199 {
		last = p.wait(now, soonest)
	}
	if want := 200 * turnEvery; last != want {
		t.Errorf("the last of 200 waits %s; want its turn, %s", last, want)
	}
	if got := p.wait(now, time.Minute); got != time.Minute {
		t.Errorf("who wishes longer waits %s; want a minute", got)
	}
	if got := p.wait(now.Add(time.Hour), soonest); got != soonest {
		t.Errorf("an hour later one waits %s; want %s: turns are not saved up", got, soonest)
	}
}
