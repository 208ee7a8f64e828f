package environment

import "log/slog"

// Secret is a string that must not be printed. Every way of formatting or
// encoding it gives "[redacted]"; Reveal is the only way to the value.
type Secret struct{ value string }

const redacted = "[redacted]"

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value. Callers hand it to the one place that needs it
// and never to a log, an error or an event.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no value, so that callers can fail closed.
func (s Secret) IsZero() bool { return s.value == "" }

// String hides the value from fmt.
func (s Secret) String() string { return redacted }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return redacted }

// MarshalText hides the value from encoding/json and friends.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the value from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
