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
// that does not exist, a notebook that eats its memory, and one that fills its
// disk.
func TestFailuresOfASmallOne(t *testing.T) {
	e := up(t, "tight", "--owner", "s4")
	t.Run("package", func(t *testing.T) { noSuchPackage(t, e) })
	t.Run("memory", func(t *testing.T) { eatMemory(t, e, secrets(t, e.ID)) })
	t.Run("disk", func(t *testing.T) { fillDisk(t, e, secrets(t, e.ID)) })
	down(t, e.ID)
}

// noSuchPackage adds one that no index has. The status must lead the student to
// the name, the log must show it, and taking the name back must help.
func noSuchPackage(t *testing.T, e environment) {
	const missing = "there-is-no-such-package"
	if _, err := daskbot(t.Context(), "packages", e.ID, "add", missing); err != nil {
		t.Fatal(err)
	}
	text := untilStatus(t, e.ID, changeTime, func(s string) bool { return strings.Contains(s, "packages were added, check their names") })
	t.Logf("status says:\n%s", text)
	log, err := daskbot(t.Context(), "logs", e.ID, "jupyter")
	if err != nil || !strings.Contains(log, missing) {
		t.Errorf("the notebook's log: got %v, %q; want it to name %s", err, log, missing)
	}
	if _, err := daskbot(t.Context(), "packages", e.ID, "remove", missing); err != nil {
		t.Fatal(err)
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

// fillDisk writes more than the notebook may. Kubernetes stops the pod for it;
// the status says why, and a new one comes.
func fillDisk(t *testing.T, e environment, c credentials) {
	const fill = "open('/scratch/full', 'wb').write(bytes(200_000_000)); print('written')"
	k := logInToJupyter(t, e, c).startKernel(t)
	if out, err := k.run(t.Context(), fill, time.Minute); err != nil && !errors.Is(err, errDied) {
		t.Fatalf("got %q, %v", out, err)
	}
	text := untilStatus(t, e.ID, changeTime, func(s string) bool { return strings.Contains(s, "the disk it may use") })
	t.Logf("status says:\n%s", text)
	until(t, changeTime, "the environment with a new notebook", func() (bool, string) {
		now := look(t, e.ID)
		return now.State == "ready", now.State + ": " + now.Message
	})
}
