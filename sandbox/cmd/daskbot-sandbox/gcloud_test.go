package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/control"
)

// startSandbox runs serve, with real control planes, until the test ends.
func startSandbox(t *testing.T, state string) (control.Endpoints, func()) {
	t.Helper()
	controlplane, err := filepath.Abs("../../../bin/daskbot-controlplane")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(controlplane); err != nil {
		t.Skip("bin/daskbot-controlplane is missing: run make build first")
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var logs bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, options{addr: "127.0.0.1:0", state: state, nodes: "simulated", controlplane: controlplane}, in, &logs)
		_ = in.CloseWithError(io.ErrUnexpectedEOF)
		ended <- err
	}()
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("serve: %v", <-ended)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	addr := strings.TrimPrefix(strings.TrimSpace(string(line[:n])), "ready http://")
	e, err := fetchEndpoints(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log of the sandbox:\n%s", &logs)
		}
	}
	t.Cleanup(stop)
	return e, stop
}

// TestGcloud lets the real gcloud judge the sandbox: nobody here wrote it.
func TestGcloud(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	e, _ := startSandbox(t, t.TempDir())
	env := environment(t, e)
	const zone = "europe-west1-b"
	const hub = "dask-hub-k8s"
	steps := []struct {
		command string
		fails   bool
		want    string
	}{
		{command: "container clusters create --machine-type n1-standard-4 --enable-autoscaling --min-nodes 1 --max-nodes 10 --num-nodes 1 --zone " + zone + " --cluster-version 1.23 " + hub, fails: true, want: `No valid versions with the prefix "1.23" found`},
		{command: "container clusters create --machine-type n1-standard-4 --enable-autoscaling --min-nodes 1 --max-nodes 10 --num-nodes 1 --zone " + zone + " --cluster-version 1.35 " + hub, want: "RUNNING"},
		{command: "container clusters create --num-nodes 1 --zone " + zone + " " + hub, fails: true, want: "Already exists"},
		{command: "container clusters list --format value(name,status,currentNodeCount)", want: hub + "\tRUNNING\t1"},
		{command: "container clusters describe " + hub + " --zone " + zone + " --format value(currentMasterVersion)", want: "1.35.8-gke.1036000"},
		{command: "container clusters update " + hub + " --zone " + zone + " --update-labels owner=s1", want: "Updated"},
		{command: "container clusters describe " + hub + " --zone " + zone + " --format value(resourceLabels.owner)", want: "s1"},
		{command: "container clusters resize " + hub + " --zone " + zone + " --node-pool default-pool --num-nodes 2", want: "Updated"},
		{command: "container node-pools create extra --cluster " + hub + " --zone " + zone + " --machine-type e2-standard-2 --num-nodes 1", want: "Created"},
		{command: "container node-pools list --cluster " + hub + " --zone " + zone + " --format value(name)", want: "extra"},
		{command: "container node-pools delete extra --cluster " + hub + " --zone " + zone, want: "Deleted"},
		{command: "container operations list --format value(operationType,status)", want: "CREATE_NODE_POOL\tDONE"},
		{command: "compute disks list --format value(name)", want: "gke-" + hub + "-default-pool-"},
		{command: "compute regions describe europe-west1 --format json(quotas)", want: `"metric": "CPUS"`},
		{command: "compute disks create d1 d2 --size 10 --zone " + zone, want: "d2"},
		{command: "compute disks delete d1 d2 --zone " + zone, want: "d2"},
		{command: "compute forwarding-rules list", want: "Listed 0 items"},
		{command: "compute addresses list", want: "Listed 0 items"},
		{command: "compute firewall-rules list --format value(name)"},
		{command: "container clusters get-credentials " + hub + " --zone " + zone, want: "kubeconfig entry generated"},
		{command: "container clusters delete " + hub + " --zone " + zone, want: "Deleted"},
		{command: "container clusters list", want: ""},
		{command: "container clusters create --num-nodes 1 --project forbidden-project --zone " + zone + " x", fails: true, want: `Required "container.clusters.create" permission(s)`},
	}
	for _, step := range steps {
		out, err := runTool(t, env, "gcloud", strings.Fields(step.command)...)
		if (err != nil) != step.fails || !strings.Contains(out, step.want) {
			t.Fatalf("gcloud %s: got %v\n%s\nwant %q", step.command, err, out, step.want)
		}
	}
	if left := resources(t, e); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// TestRestart sees that a cluster and its objects outlive the sandbox, and
// that what a cluster leaves behind outlives the cluster.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, tool := range []string{"gcloud", "kubectl", "gke-gcloud-auth-plugin"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	state := t.TempDir()
	e, stop := startSandbox(t, state)
	must := func(env []string, tool string, args ...string) string {
		t.Helper()
		out, err := runTool(t, env, tool, args...)
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
		}
		return out
	}
	env := environment(t, e)
	must(env, "gcloud", "container", "clusters", "create", "hub", "--num-nodes", "1", "--zone", "europe-west1-b")
	must(env, "kubectl", "create", "configmap", "kept", "--from-literal=a=b")
	must(env, "kubectl", "create", "service", "loadbalancer", "web", "--tcp=80:80")
	must(env, "kubectl", "wait", "--for=jsonpath={.status.loadBalancer.ingress}", "service/web", "--timeout=30s")
	stop()
	again, _ := startSandbox(t, state)
	if again.Token != e.Token || again.GKE != e.GKE {
		t.Errorf("after a restart: got token %s and gRPC at %s; want %s and %s", again.Token, again.GKE, e.Token, e.GKE)
	}
	env = environment(t, again)
	// Clusters come back beside the sandbox, which answers before they do.
	reachable(t, env)
	must(env, "kubectl", "wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")
	if out := must(env, "kubectl", "get", "configmap", "kept", "-o", "name"); !strings.Contains(out, "configmap/kept") {
		t.Errorf("the object is gone: %s", out)
	}
	must(env, "gcloud", "container", "clusters", "delete", "hub", "--zone", "europe-west1-b")
	kinds := map[string]bool{}
	for _, item := range resources(t, again) {
		kinds[item.Kind] = true
	}
	for _, kind := range []string{"forwardingRule", "targetPool", "address", "firewall"} {
		if !kinds[kind] {
			t.Errorf("the deleted cluster left no %s; as on GKE it should", kind)
		}
	}
}

// reachable returns once kubectl finds the API server at its address.
func reachable(t *testing.T, env []string) {
	t.Helper()
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	limit := time.After(3 * time.Minute)
	for {
		out, err := runTool(t, env, "kubectl", "get", "--raw", "/readyz")
		if err == nil {
			return
		}
		select {
		case <-every.C:
		case <-limit:
			t.Fatalf("the cluster did not come back within three minutes: %v\n%s", err, out)
		}
	}
}

// environment is what daskbot-sandbox env exports, beside our own.
func environment(t *testing.T, e control.Endpoints) []string {
	t.Helper()
	var script bytes.Buffer
	if err := printEnv(&script, e); err != nil {
		t.Fatal(err)
	}
	env := os.Environ()
	for line := range strings.Lines(script.String()) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		env = append(env, name+"="+strings.Trim(value, "'"))
	}
	return env
}

func runTool(t *testing.T, env []string, tool string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func resources(t *testing.T, e control.Endpoints) []cloud.Item {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.Control+"/resources", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var items []cloud.Item
	if err := json.NewDecoder(answer.Body).Decode(&items); err != nil {
		t.Fatal(err)
	}
	return items
}
