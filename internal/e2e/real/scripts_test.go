package real

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// checkout is a copy of the scripts, with programs that do nothing.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "scripts"), os.DirFS("../../../scripts")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"scripts/build.sh", "bin/daskbot", "bin/daskbot-sandbox"} {
		if err := os.WriteFile(filepath.Join(root, program), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// bash runs lines that know what the scripts share.
func bash(t *testing.T, root, lines string) string {
	t.Helper()
	script := filepath.Join(root, "scripts", "lines.sh")
	if err := os.WriteFile(script, []byte(`source "$(dirname "$0")/lib.sh"`+"\n"+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "bash", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestRunBelievesItsOwnSandbox sees make run stop where somebody else's sandbox
// answers, such as one that a killed run has left: it would be taken for the
// one that was started.
func TestRunBelievesItsOwnSandbox(t *testing.T) {
	root := checkout(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"gke": "127.0.0.1:1"}`))
	}))
	defer other.Close()
	addr := strings.TrimPrefix(other.URL, "http://")
	left := exec.CommandContext(t.Context(), "sleep", "600") // stands for the sandbox
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = left.Process.Kill(), left.Wait() }()
	run := func() string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", "run.sh"))
		cmd.Env = append(os.Environ(), "DASKBOT_STATE="+root, "DASKBOT_ADDR=127.0.0.1:1", "SANDBOX_ADDR="+addr)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("make run went on with another's sandbox:\n%s", out)
		}
		return string(out)
	}
	if got, want := run(), "something listens on "+addr+" already"; !strings.Contains(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	pid := strings.TrimSpace(bash(t, root, "remember "+root+"/run.pids sandbox "+strconv.Itoa(left.Process.Pid)+"\nalive "+root+"/run.pids sandbox\n"))
	if got, want := run(), "kill "+pid+" ends it"; pid == "" || !strings.Contains(got, want) {
		t.Errorf("after a run that was killed: got %q; want %q", got, want)
	}
}

// TestWhatIsLeftEnds sees the processes that a killed run left ended by what
// was written down about them, and no other process that has the number now.
func TestWhatIsLeftEnds(t *testing.T) {
	root := checkout(t)
	out := bash(t, root, `
set -m
sleep 600 & left=$!
sleep 600 & other=$!
set +m
remember pids sandbox "$left"
printf 'daskbot %s 1\n' "$other" >>pids
end pids sandbox -
end pids daskbot
end pids run
wait "$left" || echo "the sandbox ended with $?"
kill -0 "$other" && echo "the other one runs"
kill "$other"
if alive pids sandbox || alive pids daskbot || alive nothing run; then echo "what is gone is found"; fi
`)
	for _, want := range []string{"ending what an earlier run has left: sandbox", "the sandbox ended with 143", "the other one runs"} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q; want %q", out, want)
		}
	}
	if strings.Contains(out, "is found") {
		t.Errorf("got %q; want nobody found", out)
	}
}
