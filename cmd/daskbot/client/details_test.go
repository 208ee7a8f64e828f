package client

import "testing"

func TestReadiness(t *testing.T) {
	for _, tt := range []struct {
		ready     bool
		why, want string
	}{
		{true, "", "yes"},
		{true, "running", "yes"},
		{true, "running; it used more memory than it may and was started again", "yes; it used more memory than it may and was started again"},
		{false, "", "no"},
		{false, "starting", "no: starting"},
	} {
		if got := readiness(tt.ready, tt.why); got != tt.want {
			t.Errorf("ready %t, %q: got %q; want %q", tt.ready, tt.why, got, tt.want)
		}
	}
}
