package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a repository with two commits, whose daskbot prints which it is.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", root, "-c", "user.name=t", "-c", "user.email=t@example.edu", "-c", "commit.gpgsign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q")
	for _, which := range []string{"older", "newer"} {
		write("go.mod", "module example.edu/t\n\ngo 1.22\n")
		write("cmd/daskbot/main.go", "package main\n\nfunc main() { print(\""+which+"\") }\n")
		write("configs/sandbox.yaml", which+": true\n")
		git("add", ".")
		git("commit", "-q", "-m", which)
	}
	return root
}

func TestAnUpgradeBeginsWithTheCommitBefore(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	t.Setenv(upgradeFrom, "")
	s := &stage{root: checkout(t), dir: t.TempDir(), config: "now.yaml"}
	v, from, err := s.olderVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(v.program).CombinedOutput()
	config, readErr := os.ReadFile(v.config)
	if err != nil || readErr != nil || string(said) != "older" || string(config) != "older: true\n" || !strings.HasPrefix(from, "commit ") {
		t.Errorf("got %q with %q from %q (%v, %v); want the older one", said, config, from, err, readErr)
	}
	if trees, err := s.git(t.Context(), "worktree", "list"); err != nil || strings.Count(trees, "\n") != 0 {
		t.Errorf("work trees: %s, %v; want none beside the first", trees, err)
	}
	t.Setenv(upgradeFrom, v.program)
	if given, from, err := s.olderVersion(t.Context()); err != nil || given.program != v.program || given.config != "now.yaml" || from != v.program {
		t.Errorf("got %+v from %q, %v; want the program that was named", given, from, err)
	}
	t.Setenv(upgradeFrom, "no-such-revision")
	if _, _, err := s.olderVersion(t.Context()); err == nil {
		t.Error("no error for what is neither a program nor a revision")
	}
	t.Setenv(upgradeFrom, "")
	s.root = t.TempDir()
	if v, from, err := s.olderVersion(t.Context()); err != nil || v != nil || !strings.Contains(from, "no history") {
		t.Errorf("without history: got %v, %q, %v; want the same version, and that it says so", v, from, err)
	}
}
