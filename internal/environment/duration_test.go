package environment

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "4h": 4 * time.Hour, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour,
		"1w": 168 * time.Hour, " 4H ": 4 * time.Hour, "1w2d3h4m": 219*time.Hour + 4*time.Minute,
	} {
		if got, err := ParseDuration("ttl", text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "4", "h", "-1h", "0h", "1.5d", "4 hours", "d", "99999d", "1d-2h", "4h2d", "30501w", "522w", "60999w", "3651d"} {
		if got, err := ParseDuration("ttl", text); CodeOf(err) != CodeInvalid {
			t.Errorf("ParseDuration(%q) = %v, %v; want an invalid error", text, got, err)
		}
	}
}

func TestParseOptional(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "0s": 0, " 0m ": 0, "0d": 0, "0W": 0, "10m": 10 * time.Minute, "1d": 24 * time.Hour} {
		if got, err := ParseOptional("spread", text); err != nil || got != want {
			t.Errorf("ParseOptional(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "none", "-1s", "-0.5s", "-1d"} {
		if got, err := ParseOptional("spread", text); CodeOf(err) != CodeInvalid {
			t.Errorf("ParseOptional(%q) = %v, %v; want an invalid error", text, got, err)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"4h": 4 * time.Hour, "1d12h": 36 * time.Hour, "1m30s": 90 * time.Second, "0s": 20 * time.Millisecond,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%v) = %q; want %q", d, got, want)
		}
	}
}
