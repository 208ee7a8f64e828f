//go:build e2e

package real

import (
	"strings"
	"testing"
	"time"
)

// TestBrokenImage sees a student told that the workers' image does not exist.
func TestBrokenImage(t *testing.T) {
	out, err := daskbot(t.Context(), "up", "--profile", "broken-image", "--owner", "s3", "-o", "json")
	e := lastJSON(out)
	if err != nil || e.ID == "" {
		t.Fatalf("up: %v: %s", err, out)
	}
	text := untilStatus(t, e.ID, upTime, func(s string) bool { return strings.Contains(s, "image cannot be downloaded") })
	t.Logf("status says:\n%s", text)
	down(t, e.ID)
}

// TestFailuresOfASmallOne uses one environment for what it survives: a package
// that does not exist, and a notebook that eats its memory.
func TestFailuresOfASmallOne(t *testing.T) {
	e := up(t, "little-memory", "--owner", "s4")
	t.Run("package", func(t *testing.T) { noSuchPackage(t, e) })
	t.Run("memory", func(t *testing.T) { eatMemory(t, e, secrets(t, e.ID)) })
	down(t, e.ID)
}

// noSuchPackage adds one that no index has. The environment must come back
// without it, and say why.
func noSuchPackage(t *testing.T, e environment) {
	if _, err := daskbot(t.Context(), "packages", e.ID, "add", "there-is-no-such-package"); err != nil {
		t.Fatal(err)
	}
	text := untilStatus(t, e.ID, upTime, func(s string) bool {
		return strings.Contains(s, "package") && !strings.Contains(s, "Packages  there-is-no-such-package")
	})
	t.Logf("status says:\n%s", text)
	if _, err := daskbot(t.Context(), "packages", e.ID, "remove", "there-is-no-such-package"); err != nil {
		t.Logf("remove: %v", err) // it may have been taken back already
	}
	until(t, changeTime, "the environment without the package", func() (bool, string) {
		now := look(t, e.ID)
		return now.State == "ready", now.State + ": " + now.Message
	})
}

// eatMemory computes more than the notebook may hold: its kernel is killed, or
// the whole pod is, and the status says that memory was the reason.
func eatMemory(t *testing.T, e environment, c credentials) {
	k := logInToJupyter(t, e, c).startKernel(t)
	out, err := k.run(t.Context(), "x = bytearray(2_000_000_000); print(len(x))", time.Minute)
	if err == nil && strings.Contains(out, "2000000000") {
		t.Fatalf("the notebook may hold 700 MB and held two thousand: %s", out)
	}
	t.Logf("the cell ended with %q, %v", out, err)
	text := untilStatus(t, e.ID, changeTime, func(s string) bool { return strings.Contains(s, "memory") })
	t.Logf("status says:\n%s", text)
}
