package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// handProject is where the walkthrough is typed, beside daskbot's.
const handProject = "by-hand-project"

// handMade points the real tools at the sandbox, with a gcloud configuration
// and a kubeconfig that nobody else uses.
const handMade = `set -e
eval "$("$1" env --addr "$2")"
export CLOUDSDK_CORE_PROJECT=$3 CLOUDSDK_CONFIG=$4/gcloud KUBECONFIG=$4/kubeconfig
exec "$5"`

// handMissing says which tool there is not, or nothing.
func handMissing(s *stage) string {
	for _, tool := range []string{"bash", "gcloud", "kubectl", "gke-gcloud-auth-plugin", "openssl", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed"
		}
	}
	if _, err := os.Stat(s.program("helm")); err != nil {
		return "bin/helm is missing (make helm)"
	}
	return ""
}

// readyLine is how the walkthrough says how long it took.
var readyLine = regexp.MustCompile(`(?m)^ready after ([0-9.]+) seconds$`)

// byHand types the first walkthrough up to the login and then leaves: the rest
// goes with the sandbox.
func (s *stage) byHand(ctx context.Context) (time.Duration, error) {
	if err := s.makeProject(ctx, handProject); err != nil {
		return 0, err
	}
	dir := filepath.Join(s.dir, "hand")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	log := filepath.Join(s.dir, "hand.log")
	p, err := launch(ctx, log, os.Environ(), "bash", "-c", handMade, "bash", s.program("daskbot-sandbox"), s.sandboxAddr, handProject, dir,
		filepath.Join(s.root, "scripts", "walkthroughs", "daskhub.sh"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = p.stop(10 * time.Second) }() // it is not told how to end well
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(log)
		if err != nil {
			return 0, err
		}
		if m := readyLine.FindSubmatch(text); m != nil {
			seconds, err := strconv.ParseFloat(string(m[1]), 64)
			s.tell("by hand ready after %.3f s", seconds)
			return time.Duration(seconds * float64(time.Second)), err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-p.done:
			return 0, fmt.Errorf("the walkthrough ended before it was ready:\n%s", p.lastWords())
		case <-tick.C:
		}
	}
}
