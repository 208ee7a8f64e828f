package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/sandbox/internal/control"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
)

func TestSettingsAreChosenOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := loadSettings(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadSettings(dir)
	if err != nil || again != first {
		t.Errorf("second load: got %+v, %v; want %+v", again, err, first)
	}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil || string(token) != first.Token {
		t.Errorf("token file: got %q, %v; want %q", token, err, first.Token)
	}
	if err := os.WriteFile(settingsFile(dir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadSettings(dir); err == nil {
		t.Error("broken settings were replaced; the addresses of clusters would change")
	}
}

func TestOneSandboxPerStateDirectory(t *testing.T) {
	dir := t.TempDir()
	first, err := lockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a refused one takes nothing away
		_, err := lockState(dir)
		if err == nil || !strings.Contains(err.Error(), "another sandbox uses") || !strings.Contains(err.Error(), fmt.Sprintf("stop process %d,", os.Getpid())) {
			t.Errorf("second lock: got %v; want who holds it", err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := lockState(dir)
	if err != nil {
		t.Fatalf("lock after the first has gone: %v", err)
	}
	_ = second.Close()
}

func TestIsServiceUsage(t *testing.T) {
	for path, want := range map[string]bool{
		"/v1/projects/p/services/container.googleapis.com": true,
		"/v1/projects/p/services":                          true,
		"/v1/projects/p:testIamPermissions":                true,
		"/v1/projects/p/services:batchEnable":              true,
		"/v1/projects/p/locations/-/clusters":              false,
		"/v1/projects/p/zones/z/clusters/services":         false,
		"/v1/projects/services":                            false,
	} {
		if got := isServiceUsage(path); got != want {
			t.Errorf("%s: got %t; want %t", path, got, want)
		}
	}
}

func TestBinaries(t *testing.T) {
	dir := t.TempDir()
	multi, own := filepath.Join(dir, "multi"), filepath.Join(dir, "kube-apiserver")
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	if _, err := binaries(multi); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without any program: got %v; want a hint", err)
	}
	for _, path := range []string{multi, own} {
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	all, err := binaries(multi)
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range kubernetes.Components {
		want := multi + " " + component
		if component == "kube-apiserver" {
			want = own
		}
		if got := strings.Join(all[component], " "); got != want {
			t.Errorf("%s: got %q; want %q", component, got, want)
		}
	}
}

func TestEnv(t *testing.T) {
	e := control.Endpoints{
		GKERest: "http://127.0.0.1:1", ServiceUsage: "http://127.0.0.1:1", Compute: "http://127.0.0.1:1/compute/v1/",
		Project: "p", Files: control.Files{Token: "/it's/token"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(e) }))
	defer server.Close()
	run := func(addr string) (string, error) {
		var out bytes.Buffer
		cmd := root()
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"env", "--addr", addr})
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	printed, err := run(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"export CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER='http://127.0.0.1:1/'\n",
		"export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE='http://127.0.0.1:1/compute/v1/'\n",
		`export CLOUDSDK_AUTH_ACCESS_TOKEN_FILE='/it'\''s/token'` + "\n",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("got %s; want it to contain %s", printed, want)
		}
	}
	if _, err := run("127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "start one with") {
		t.Errorf("without a sandbox: got %v; want a hint", err)
	}
}

func TestServeRefusesWhatItCannotDo(t *testing.T) {
	for name, tc := range map[string]struct {
		o    options
		want string
	}{
		"nodes":     {options{nodes: "imaginary", state: t.TempDir()}, "imaginary"},
		"no binary": {options{nodes: "simulated", addr: "127.0.0.1:0", state: t.TempDir(), controlplane: "none"}, "make build"},
		"address":   {options{nodes: "simulated", addr: "nowhere", state: t.TempDir()}, "--addr nowhere"},
	} {
		t.Setenv("KUBEBUILDER_ASSETS", "")
		var out bytes.Buffer
		if err := serve(t.Context(), tc.o, &out, &out); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v; want %q", name, err, tc.want)
		}
	}
}
