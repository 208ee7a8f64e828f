package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// upgradeFrom names what an upgrade begins with: a daskbot, or a revision to
// build it from. Without it that is the commit before this one.
const upgradeFrom = "DASKBOT_UPGRADE_FROM"

// olderVersion finds or builds what an upgrade begins with, and says what it
// is. Where there is no history the replicas are replaced by their like.
func (s *stage) olderVersion(ctx context.Context) (*version, string, error) {
	from := os.Getenv(upgradeFrom)
	if info, err := os.Stat(from); err == nil && !info.IsDir() {
		program, err := filepath.Abs(from)
		return &version{program, s.config}, from, err
	}
	revision := from
	if revision == "" {
		revision = "HEAD~1"
	}
	commit, err := s.git(ctx, "rev-parse", "--short", "--verify", "--end-of-options", revision+"^{commit}")
	if err != nil && from == "" {
		return nil, "the same version, since there is no history to take an older one from", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s is neither a program nor a revision: %w", upgradeFrom, err)
	}
	older, err := s.buildOlder(ctx, commit)
	return older, "commit " + commit, err
}

// buildOlder builds a commit in a work tree of its own, which goes again.
func (s *stage) buildOlder(ctx context.Context, commit string) (*version, error) {
	tree := filepath.Join(s.dir, "older")
	if _, err := s.git(ctx, "worktree", "add", "--detach", tree, commit); err != nil {
		return nil, err
	}
	defer func() { _, _ = s.git(context.WithoutCancel(ctx), "worktree", "remove", "--force", tree) }() // its files go with the stage in any case
	v := &version{filepath.Join(s.dir, "daskbot-older"), filepath.Join(s.dir, "older.yaml")}
	build := exec.CommandContext(ctx, "go", "build", "-o", v.program, "./cmd/daskbot") //nolint:gosec // our own source
	build.Dir = tree
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w: %s", commit, err, out)
	}
	// A configuration with what is new would be refused.
	config, err := os.ReadFile(filepath.Join(tree, "configs", "sandbox.yaml"))
	if err != nil {
		return nil, err
	}
	return v, os.WriteFile(v.config, config, 0o600)
}

func (s *stage) git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", s.root}, args...)...).CombinedOutput() //nolint:gosec // revisions only
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
