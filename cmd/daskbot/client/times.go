package client

import (
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// period is a flag that holds a duration as people write it.
type period time.Duration

// String, Set and Type make it a flag.
func (p *period) String() string {
	if *p == 0 {
		return "0"
	}
	return environment.FormatDuration(time.Duration(*p))
}

// Set takes 90s, 10m, 4h, 2d.
func (p *period) Set(text string) error {
	d, err := environment.ParseDuration("", text)
	*p = period(d)
	return err
}

// Type is shown in help texts.
func (p *period) Type() string { return "duration" }

// until reads a deadline as people write it: a clock time (the next time the
// clock shows it), a date with a clock time, or RFC 3339; without a zone it is
// in the reader's own.
func until(text string, now time.Time, zone *time.Location) (time.Time, error) {
	now = now.In(zone)
	if clock, err := time.Parse("15:04", text); err == nil {
		at := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, zone)
		if !at.After(now) {
			at = time.Date(now.Year(), now.Month(), now.Day()+1, clock.Hour(), clock.Minute(), 0, 0, zone)
		}
		return at, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, Usage("%q is not a time: write 18:00, \"2026-11-24 18:00\" or 2026-11-24T18:00:00+01:00.", text)
}
