package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

func load(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse([]byte(minimal+text), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func profile(t *testing.T, c *Config, name string) environment.Profile {
	t.Helper()
	p, ok := c.Profile(name)
	if !ok {
		t.Fatalf("there is no profile %q", name)
	}
	return p
}

// rendered is a profile's releases for one student, by name.
func rendered(t *testing.T, p environment.Profile) map[string]environment.Release {
	t.Helper()
	e := environment.Environment{ID: "b2345678", Owner: "alice", Recipe: p, Namespace: p.Namespace,
		Spec: environment.Spec{Workers: 3, Packages: []string{"dask-ml", "xgboost"}},
		Secrets: environment.Secrets{"password": environment.NewSecret("pass-word"),
			"token": environment.NewSecret("tok"), "proxy": environment.NewSecret("prox")}}
	out := map[string]environment.Release{}
	for _, r := range environment.Render(e) {
		out[r.Name] = r
	}
	return out
}

// at reads a value by its path of keys.
func at(t *testing.T, values map[string]any, path ...string) any {
	t.Helper()
	var v any = values
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%s: there is no map at %q", strings.Join(path, "."), key)
		}
		v = m[key]
	}
	return v
}

func TestBuiltInProfiles(t *testing.T) {
	c := load(t, "")
	var names []string
	for _, p := range c.Profiles() {
		names = append(names, p.Name)
		for name, r := range rendered(t, p) {
			text, err := json.Marshal(r.Values)
			if err != nil {
				t.Errorf("%s: the values of %s are not plain data: %v", p.Name, name, err)
			}
			if strings.Contains(string(text), "${") || strings.Contains(r.Manifests, "${") {
				t.Errorf("%s: a placeholder is left in release %s", p.Name, name)
			}
		}
	}
	want := []string{"dask", "dask-shared", "daskhub", "daskhub-classic", "daskhub-gateway", "daskhub-shared"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("profiles (-want +got):\n%s", diff)
	}
}

// TestDaskhubIsTheWalkthrough compares with what the first walkthrough types.
func TestDaskhubIsTheWalkthrough(t *testing.T) {
	p := profile(t, load(t, ""), "daskhub")
	shape := environment.ClusterShape{MachineType: "n1-standard-4", Nodes: 1, MinNodes: 1, MaxNodes: 10, DiskGB: 50,
		DiskType: "pd-standard", Channel: "REGULAR", Locations: []string{"europe-west1-b", "europe-west1-c", "europe-west1-d"}}
	if diff := cmp.Diff(shape, p.Cluster); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	release := rendered(t, p)["dhub"]
	hub := release.Values["jupyterhub"].(map[string]any)
	for _, check := range []struct {
		path string
		want any
	}{
		{"proxy.secretToken", "prox"},
		{"scheduling.podPriority.enabled", true},
		{"scheduling.userPlaceholder.replicas", 1},
		{"scheduling.userScheduler.enabled", true},
		{"singleuser.serviceAccountName", "daskkubernetes"},
		{"singleuser.extraEnv.EXTRA_PIP_PACKAGES", "dask-ml xgboost"},
		{"cull.enabled", false},
		{"hub.config.DummyAuthenticator.password", "pass-word"},
		{"hub.services.daskbot.apiToken", "tok"},
	} {
		if got := at(t, hub, strings.Split(check.path, ".")...); got != check.want {
			t.Errorf("%s: got %v; want %v", check.path, got, check.want)
		}
	}
	if diff := cmp.Diff([]any{"alice"}, at(t, hub, "hub", "config", "Authenticator", "allowed_users")); diff != "" {
		t.Errorf("who may log in (-want +got):\n%s", diff)
	}
	if at(t, release.Values, "dask-gateway", "enabled") != false || release.Conditions["dask-gateway"] != "dask-gateway.enabled" {
		t.Errorf("the gateway is not off: %v, %v", release.Values["dask-gateway"], release.Conditions)
	}
	if diff := cmp.Diff([]any{"read:hub", "list:users", "read:users:activity", "read:servers", "access:servers"},
		at(t, hub, "hub", "loadRoles", "daskbot", "scopes")); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
}

func TestStudentFindsWorkerTemplateAndNotebook(t *testing.T) {
	c := load(t, "")
	for _, name := range []string{"daskhub", "daskhub-classic", "daskhub-shared"} {
		files := at(t, rendered(t, profile(t, c, name))["dhub"].Values, "jupyterhub", "singleuser", "extraFiles").(map[string]any)
		var pod struct {
			Spec struct {
				Containers []struct {
					Resources struct{ Requests map[string]string }
					Env       []struct{ Name, Value string }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(at(t, files, "worker-spec", "stringData").(string)), &pod); err != nil {
			t.Fatalf("%s: worker-spec.yaml: %v", name, err)
		}
		worker := pod.Spec.Containers[0]
		if got := worker.Resources.Requests["cpu"]; got != "1.7" {
			t.Errorf("%s: a worker requests %q CPU; want 1.7", name, got)
		}
		if got := worker.Env[0].Value; got != "dask-ml xgboost" {
			t.Errorf("%s: a worker gets packages %q", name, got)
		}
		if !json.Valid([]byte(at(t, files, "first-notebook", "stringData").(string))) {
			t.Errorf("%s: the notebook is not JSON", name)
		}
	}
}

func TestDaskKeepsPackagesEqual(t *testing.T) {
	p := profile(t, load(t, ""), "dask")
	if p.Cluster.Autoscaled() {
		t.Error("the second walkthrough's pool is fixed; this one autoscales")
	}
	values := rendered(t, p)["dask"].Values
	if got := at(t, values, "worker", "replicas"); got != 3 {
		t.Errorf("workers: got %v (%T); want the number 3", got, got)
	}
	for _, side := range []string{"worker", "jupyter"} {
		if got := at(t, values, side, "env").([]any)[0].(map[string]any)["value"]; got != "dask-ml xgboost" {
			t.Errorf("%s: got packages %q", side, got)
		}
	}
	hash := at(t, values, "jupyter", "password").(string)
	if !strings.HasPrefix(hash, "sha256:") || strings.Contains(hash, "pass-word") {
		t.Errorf("jupyter.password: got %q; want a hash", hash)
	}
}

func TestInheritance(t *testing.T) {
	c := load(t, `
profiles:
  define:
    daskhub: {extends: daskhub, cluster: {maxNodes: 5}}
    big:
      extends: daskhub
      cluster: {machineType: n2-standard-8, locations: [us-east1-b]}
      releases:
        - {name: dhub, version: 2024.1.1, values: {jupyterhub: {scheduling: {userPlaceholder: null}, singleuser: {image: {tag: "2026.1"}}}}}
`)
	big := profile(t, c, "big")
	if got := big.Cluster; got.MaxNodes != 5 || got.MachineType != "n2-standard-8" || len(got.Locations) != 1 {
		t.Errorf("cluster: got %+v", got)
	}
	if len(big.Releases) != 2 || big.Releases[0].Name != "dask-operator" {
		t.Fatalf("releases: got %+v; want both of daskhub's", big.Releases)
	}
	release := big.Releases[1]
	image := at(t, release.Values, "jupyterhub", "singleuser", "image")
	if diff := cmp.Diff(map[string]any{"name": "pangeo/base-notebook", "tag": "2026.1"}, image); diff != "" {
		t.Errorf("image (-want +got):\n%s", diff)
	}
	scheduling := at(t, release.Values, "jupyterhub", "scheduling").(map[string]any)
	if _, there := scheduling["userPlaceholder"]; there || release.Version != "2024.1.1" {
		t.Errorf("got version %q, scheduling %v; want null to remove", release.Version, scheduling)
	}
	if got := profile(t, c, "daskhub-shared").Placement; got != environment.Shared {
		t.Errorf("placement: got %q; want shared", got)
	}
}

func TestLocationsAndFallback(t *testing.T) {
	c, err := Parse([]byte(`
gke: {project: my-class-2026, installation: a, locations: [us-west1-a, us-west1-b], fallback: false}
profiles: {define: {here: {extends: dask, cluster: {locations: []}}}}
`), "t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"us-west1-a"}, profile(t, c, "here").Cluster.Locations); diff != "" {
		t.Errorf("locations (-want +got):\n%s", diff)
	}
}
