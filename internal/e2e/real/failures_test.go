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
	untilWhy(t, e.ID, "image cannot be downloaded")
	down(t, e)
}

// TestFailuresOfASmallOne uses one environment for what it survives: a package
// that does not exist, a notebook that eats its memory, and one that fills its
// disk.
func TestFailuresOfASmallOne(t *testing.T) {
	alone(t, "failing")
	e := up(t, "tight", "--owner", "s4", "--course", "failing")
	t.Run("package", func(t *testing.T) { noSuchPackage(t, e) })
	t.Run("memory", func(t *testing.T) { eatMemory(t, e, secrets(t, e.ID)) })
	t.Run("disk", func(t *testing.T) { fillDisk(t, e, secrets(t, e.ID)) })
	down(t, e)
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
	untilWhy(t, e.ID, "packages were added, check their names")
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

// greedy takes more memory than the notebook may have. The kernel ends the
// process for it and, as on GKE, all the others with it: with control groups of
// version 1 it ends only the one, of which Kubernetes hears when the container
// ends, so the cell does the rest itself.
const greedy = `
import os, signal
child = os.fork()
if child == 0:
    x = bytearray(2_000_000_000)
    os._exit(0)
_, how = os.waitpid(child, 0)
assert os.WIFSIGNALED(how) and os.WTERMSIG(how) == signal.SIGKILL, how
os.kill(-1, signal.SIGKILL)`

// eatMemory computes more than the notebook may hold. The notebook is started
// again, the status says why, and the next kernel works.
func eatMemory(t *testing.T, e environment, c credentials) {
	student := logInToJupyter(t, e, c)
	out, err := student.startKernel(t).run(t.Context(), greedy, time.Minute)
	if !errors.Is(err, errDied) {
		t.Fatalf("the notebook may hold 700 MB and asked for two thousand: got %q, %v; want %v", out, err, errDied)
	}
	text := untilStatus(t, e.ID, changeTime, func(s string) bool {
		return strings.Contains(s, "yes; it used more memory than it may and was started again")
	})
	t.Logf("status says:\n%s", text)
	untilWhy(t, e.ID, "it used more memory than it may")
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
