package config

import (
	"strings"
	"testing"
)

// Limits on idleness are short on the sandbox only.
func TestShortLimitsAreForTheSandbox(t *testing.T) {
	t.Setenv("DASKBOT_TEST_TOKEN", "t")
	const short = "policy: {idle: 20s, warnings: [10s, 5s]}\n"
	const sandbox = "gke: {project: my-class-2026, installation: a, endpoint: \"127.0.0.1:8090\", insecure: true, tokenFrom: static, staticToken: {fromEnv: DASKBOT_TEST_TOKEN}}\n"
	if _, err := Parse([]byte(sandbox+short), "t.yaml"); err != nil {
		t.Errorf("on the sandbox: %v", err)
	}
	_, err := Parse([]byte(minimal+short), "t.yaml")
	for _, want := range []string{"policy.idle: 20s is too short", "policy.warnings: 10s is too short"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("elsewhere: got %v; want %q", err, want)
		}
	}
}
