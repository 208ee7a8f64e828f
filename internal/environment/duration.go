package environment

import (
	"strconv"
	"strings"
	"time"
)

// longest is the longest duration anybody may write: beyond it a number is a
// slip of the finger, and time.Duration is near its end.
const longest = 10 * 365 * 24 * time.Hour

// ParseDuration reads a duration as people write it: "90m", "4h", "2d",
// "1w", "1d12h". Weeks and days are 7 times 24 and 24 hours. It refuses what
// is empty, not positive or longer than ten years with CodeInvalid and an
// example; field names the request field at fault.
func ParseDuration(field, text string) (time.Duration, error) {
	wrong := Invalid(field, "A duration is a number with a unit, for example 90m, 4h, 2d or 1d12h.")
	rest := strings.ToLower(strings.TrimSpace(text))
	var total time.Duration
	for _, unit := range []struct {
		letter string
		is     time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		digits, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || n > uint64(longest/unit.is) { // more weeks than a Duration holds are few again
			return 0, wrong
		}
		total += time.Duration(n) * unit.is
		rest = after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, wrong
		}
		total += d
	}
	if total <= 0 || total > longest {
		return 0, wrong
	}
	return total, nil
}

// ParseOptional is ParseDuration for a time of which none means something, such
// as for ever or all at once: it takes "0", with any unit, too.
func ParseOptional(field, text string) (time.Duration, error) {
	none := strings.TrimRight(strings.ToLower(strings.TrimSpace(text)), "dw")
	if d, err := time.ParseDuration(none); err == nil && d == 0 {
		return 0, nil
	}
	return ParseDuration(field, text)
}

// FormatDuration writes a duration as ParseDuration reads it, without zero
// parts: "4h", "1d12h", "90s" as "1m30s". Less than a second is "0s".
func FormatDuration(d time.Duration) string {
	d = d.Truncate(time.Second)
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []struct {
		letter string
		is     time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.is; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + unit.letter)
			d -= n * unit.is
		}
	}
	return b.String()
}
