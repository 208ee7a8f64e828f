//go:build e2e

package real

import (
	"errors"
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
	e := up(t, "tight", "--owner", "s4")
	t.Run("package", func(t *testing.T) { noSuchPackage(t, e) })
	t.Run("memory", func(t *testing.T) { eatMemory(t, e, secrets(t, e.ID)) })
	down(t, e.ID)
}

// noSuchPackage adds one that no index has. The environment must come back as
// it was, and name what could not be installed.
func noSuchPackage(t *testing.T, e environment) {
	const missing = "there-is-no-such-package"
	if _, err := daskbot(t.Context(), "packages", e.ID, "add", missing); err != nil {
		t.Fatal(err)
	}
	var now environment
	until(t, upTime, "the end of the change", func() (bool, string) {
		now = look(t, e.ID)
		return now.State != "updating", now.State + ": " + now.Message
	})
	t.Logf("status says:\n%s", status(t, e.ID))
	if now.Failure == nil || !strings.Contains(now.Failure.Message, missing) {
		t.Errorf("after adding %s: got %s, %q, failure %+v; want a failure that names it", missing, now.State, now.Message, now.Failure)
	}
	if _, err := daskbot(t.Context(), "packages", e.ID, "remove", missing); err != nil {
		t.Logf("remove: %v", err) // it may have been taken back already
	}
	until(t, changeTime, "the environment without the package", func() (bool, string) {
		now := look(t, e.ID)
		return now.State == "ready", now.State + ": " + now.Message
	})
}

// eatMemory computes more than the notebook may hold. The kernel is killed for
// it; the next one works.
func eatMemory(t *testing.T, e environment, c credentials) {
	student := logInToJupyter(t, e, c)
	out, err := student.startKernel(t).run(t.Context(), "x = bytearray(2_000_000_000); print(len(x))", time.Minute)
	if !errors.Is(err, errDied) {
		t.Fatalf("the notebook may hold 700 MB and asked for two thousand: got %q, %v; want %v", out, err, errDied)
	}
	if got := logInToJupyter(t, e, c).startKernel(t).must(t, "print(1 + 1)", time.Minute); strings.TrimSpace(got) != "2" {
		t.Errorf("the next kernel: got %q; want 2", got)
	}
}
