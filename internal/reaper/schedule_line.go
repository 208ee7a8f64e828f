package reaper

import (
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

// line is a cron line in a time zone whose clock may skip an hour, or show one
// twice. It is worked out in wall-clock time, where neither happens: a time
// that the clock skips comes as much later as it skips, and one that it shows
// twice counts the first time. The cron library would drop the one and fire
// twice for the other.
type line struct {
	wall  cron.Schedule // in UTC, standing for the wall clock
	zone  *time.Location
	notOn []string // dates on the wall
}

func parseLine(s Schedule) (line, error) {
	text := strings.TrimSpace(s.Cron)
	if strings.Contains(text, "=") || strings.HasPrefix(text, "@every") {
		return line{}, environment.Invalid("cron", "%q is not a time of day: write five fields, such as \"45 7 * * MON\"; they count in the course's time zone.", text)
	}
	wall, err := ParseSchedule(text)
	if err != nil {
		return line{}, err
	}
	if spec, ok := wall.(*cron.SpecSchedule); ok {
		spec.Location = time.UTC
	}
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return line{}, environment.Invalid("timezone", "%q is not a time zone, such as Europe/Paris.", s.Timezone)
	}
	return line{wall: wall, zone: zone, notOn: s.NotOn}, nil
}

// clockShift is more than any clock was ever moved by at once.
const clockShift = 4 * time.Hour

// between lists when the line comes due after one time and up to another,
// each once, oldest first.
func (l line) between(after, until time.Time) []time.Time {
	var due []time.Time
	end := l.onWall(until).Add(clockShift)
	for at := l.wall.Next(l.onWall(after).Add(-clockShift)); !at.IsZero() && !at.After(end); at = l.wall.Next(at) {
		if slices.Contains(l.notOn, at.Format(time.DateOnly)) {
			continue
		}
		if t := l.instant(at); t.After(after) && !t.After(until) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, time.Time.Compare)
	return slices.CompactFunc(due, time.Time.Equal)
}

// onWall is what the zone's clock shows, as if it were UTC.
func (l line) onWall(t time.Time) time.Time {
	_, offset := t.In(l.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instant is when the zone's clock first shows a wall-clock time or, when it
// skips that, when it would have shown it had it not been moved.
func (l line) instant(wall time.Time) time.Time {
	_, before := wall.Add(-24 * time.Hour).In(l.zone).Zone()
	_, later := wall.Add(24 * time.Hour).In(l.zone).Zone()
	first := wall.Add(-time.Duration(max(before, later)) * time.Second)
	second := wall.Add(-time.Duration(min(before, later)) * time.Second)
	for _, t := range []time.Time{first, second} {
		if l.onWall(t).Equal(wall) {
			return t
		}
	}
	return wall.Add(-time.Duration(before) * time.Second)
}
