package e2e

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// handMade points the real tools at the sandbox and then at a project, a
// gcloud configuration and a kubeconfig that no other test uses.
const handMade = `set -e
eval "$("$1" env --addr "$2")"
export CLOUDSDK_CORE_PROJECT=$3 CLOUDSDK_CONFIG=$4/gcloud KUBECONFIG=$4/kubeconfig
exec "$5"`

// TestWalkthroughsByHand types both walkthroughs with the real gcloud, kubectl
// and helm, which nobody here wrote, against the sandbox. The scripts check
// each result themselves and end with nothing left that costs.
func TestWalkthroughsByHand(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes")
	}
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	tools := []string{"bash", "gcloud", "kubectl", "gke-gcloud-auth-plugin", "openssl", "curl"}
	if _, err := os.Stat(program("helm")); err != nil {
		tools = append(tools, "helm")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	for _, name := range []string{"daskhub", "dask"} {
		t.Run(name, func(t *testing.T) { walk(t, name) })
	}
}

func walk(t *testing.T, name string) {
	project := "by-hand-" + strings.ToLower(rand.Text()[:10])
	quotas := map[string]float64{"CPUS": 100, "CPUS_ALL_REGIONS": 100, "INSTANCES": 100, "IN_USE_ADDRESSES": 100, "FORWARDING_RULES": 100,
		"TARGET_POOLS": 100, "STATIC_ADDRESSES": 100, "FIREWALLS": 100, "HEALTH_CHECKS": 100, "SNAPSHOTS": 100, "DISKS_TOTAL_GB": 10000, "SSD_TOTAL_GB": 10000}
	if err := stage.sandbox.ask(t.Context(), http.MethodPut, "/projects/"+project, map[string]any{"quotas": quotas}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	script := filepath.Join(stage.root, "scripts", "walkthroughs", name+".sh")
	cmd := exec.CommandContext(ctx, "bash", "-c", handMade, "bash", program("daskbot-sandbox"),
		strings.TrimPrefix(stage.sandbox.url, "http://"), project, t.TempDir(), script)
	// A walkthrough that takes too long goes with the tool it is waiting for.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, said)
	}
	left, err := stage.sandbox.resources(t.Context(), project)
	if err != nil || len(left) != 0 {
		t.Errorf("after %s: got %+v left, %v; want nothing", name, left, err)
	}
}
