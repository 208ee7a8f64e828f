package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// stage is what all stories share.
var stage struct {
	skip    string // why there are no stories, "" when there are
	root    string // of the checkout
	dir     string // of this run
	daskbot string
	config  string // what `make run` uses
	sandbox *sandbox
}

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

// run sets the stage, lets the stories run and clears up.
func run(ctx context.Context, m *testing.M) (code int, err error) {
	if stage.root, err = filepath.Abs("../.."); err != nil {
		return 1, err
	}
	for _, name := range []string{"daskbot-sandbox", "daskbot-controlplane"} {
		if _, err := os.Stat(program(name)); err != nil {
			stage.skip = "bin/" + name + " is missing; `make build` makes it"
			return m.Run(), nil
		}
	}
	if stage.dir, err = os.MkdirTemp("", "daskbot-e2e-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage.dir)) }()
	stage.daskbot = filepath.Join(stage.dir, "bin", "daskbot")
	// A copy, so that an edit while stories run does not change them.
	shipped, err := os.ReadFile(filepath.Join(stage.root, "configs", "sandbox.yaml"))
	if err != nil {
		return 1, err
	}
	stage.config = filepath.Join(stage.dir, "sandbox.yaml")
	if err := os.WriteFile(stage.config, shipped, 0o600); err != nil {
		return 1, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", stage.daskbot, "./cmd/daskbot")
	build.Dir, build.Stdout, build.Stderr = stage.root, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("build the daemon: %w", err)
	}
	if stage.sandbox, err = startSandbox(ctx, filepath.Join(stage.dir, "sandbox")); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stage.sandbox.stop()) }()
	return m.Run(), nil
}

// program is the path of a program that `make build` makes.
func program(name string) string { return filepath.Join(stage.root, "bin", name) }

// TestStories runs the scripts under testdata.
func TestStories(t *testing.T) {
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Deadline: time.Now().Add(8 * patience), // for all of them; what a script runs ends then
		Setup:    setUp, Cmds: commands(),
		Condition: func(name string) (bool, error) {
			switch name {
			case "helm":
				_, err := os.Stat(program("helm"))
				return err == nil, nil
			default:
				return false, fmt.Errorf("unknown condition %q", name)
			}
		},
	})
}
