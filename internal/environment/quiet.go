package environment

import (
	"strings"
	"time"
	_ "time/tzdata" // a container image has no zone files
)

// quietHours are the hours of every day in which nobody is expected:
// "22:00-07:00", followed by an IANA time zone unless it is UTC. A span may
// cross midnight.
type quietHours struct {
	from, to time.Duration // since midnight
	zone     *time.Location
}

// ValidQuietHours refuses what is no span of hours, naming field.
func ValidQuietHours(field, spec string) error {
	if _, ok := parseQuietHours(spec); !ok && spec != "" {
		return Invalid(field, "%q is not a span of hours, for example \"22:00-07:00\" or \"22:00-07:00 Europe/Paris\".", clip(spec))
	}
	return nil
}

func parseQuietHours(spec string) (quietHours, bool) {
	span, zone, _ := strings.Cut(strings.TrimSpace(spec), " ")
	from, to, ok := strings.Cut(span, "-")
	if !ok {
		return quietHours{}, false
	}
	a, errA := time.Parse("15:04", from)
	b, errB := time.Parse("15:04", to)
	at, err := time.LoadLocation(strings.TrimSpace(zone)) // "" is UTC
	if errA != nil || errB != nil || err != nil || a.Equal(b) {
		return quietHours{}, false
	}
	return quietHours{sinceMidnight(a), sinceMidnight(b), at}, true
}

func sinceMidnight(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// inQuietHours reports whether now lies in the hours that spec names.
func inQuietHours(spec string, now time.Time) bool {
	if spec == "" {
		return false
	}
	h, ok := parseQuietHours(spec)
	if !ok {
		return false // refused when it was configured
	}
	at := sinceMidnight(now.In(h.zone))
	if h.from < h.to {
		return h.from <= at && at < h.to
	}
	return at >= h.from || at < h.to
}
