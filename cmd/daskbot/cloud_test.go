package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

// givenOnly is a configuration with a given cluster and no project, whose `gke:`
// is what it is given.
func givenOnly(path, gke string) string {
	return `
store: {url: "sqlite:` + path + `"}
auth: {adminTokenFile: ""}
gke: ` + gke + `
clusters: {lab: {inCluster: true}}
profiles: {default: lab, define: {lab: {extends: dask-shared, given: lab}}}
`
}

// wireAt wires what the configuration says.
func wireAt(t *testing.T, document string) (*daemon, error) {
	t.Helper()
	cfg, err := config.Parse([]byte(document), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := wire(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(d.close)
	}
	return d, err
}

// TestGivenClustersNeedNoCloud: what `config check` passes starts, without Google
// credentials too, and says what it cannot do.
func TestGivenClustersNeedNoCloud(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	for name, gke := range map[string]string{"without a name": "{}", "without credentials": "{installation: lab}"} {
		t.Run(name, func(t *testing.T) {
			d, err := wireAt(t, givenOnly(filepath.Join(t.TempDir(), "daskbot.db"), gke))
			if err != nil {
				t.Fatal(err)
			}
			who := environment.Caller{Subject: "alice", Role: environment.RoleStudent}
			const none = "this installation has no cloud"
			_, _, err = d.service.Up(t.Context(), who, environment.Request{Profile: "daskhub"})
			if environment.CodeOf(err) != environment.CodeInvalid || !strings.Contains(environment.MessageOf(err), none+"; profiles that need none: lab.") {
				t.Errorf("a profile that makes clusters: got %v", err)
			}
			err = d.service.CheckProject(t.Context(), who, "alice-project")
			if environment.CodeOf(err) != environment.CodeInvalid || !strings.Contains(strings.ToLower(environment.MessageOf(err)), none) {
				t.Errorf("linking a project: got %v", err)
			}
			if _, _, err := d.service.Up(t.Context(), who, environment.Request{}); err != nil {
				t.Errorf("on the given cluster: got %v", err)
			}
		})
	}
}

// TestALostCloudIsNoStart: once somebody may have something in a cloud, not to see
// it is not to be without one.
func TestALostCloudIsNoStart(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	path := filepath.Join(t.TempDir(), "daskbot.db")
	d, err := wireAt(t, givenOnly(path, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	alice := environment.Person{Subject: "alice", Project: "alice-project"}
	if err := d.store.Commit(t.Context(), environment.Change{Person: &alice}); err != nil {
		t.Fatal(err)
	}
	for _, gke := range []string{"{}", "{installation: lab}"} {
		if _, err := wireAt(t, givenOnly(path, gke)); err == nil {
			t.Errorf("gke: %s started although a project is linked", gke)
		}
	}
}

// TestLinkedProjectsAreSwept: also where the configuration names no project, what is
// in those that people linked costs.
func TestLinkedProjectsAreSwept(t *testing.T) {
	d, err := wireAt(t, givenOnly(filepath.Join(t.TempDir(), "daskbot.db"),
		`{installation: lab, tokenFrom: static, staticToken: {fromEnv: TEST_TOKEN, default: token}, endpoint: "127.0.0.1:1", insecure: true, computeEndpoint: "http://127.0.0.1:1/compute/v1/"}`))
	if err != nil {
		t.Fatal(err)
	}
	if d.orphans == nil {
		t.Error("nothing is swept by the clock")
	}
	sweep := func() environment.Orphans {
		t.Helper()
		found, err := d.service.SweepOrphans(t.Context(), environment.OrphanRun{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := sweep(); found.Projects != 0 || len(found.Unsure) != 0 {
		t.Errorf("before anybody linked a project: %d are compared, and %v are unsure", found.Projects, found.Unsure)
	}
	alice := environment.Person{Subject: "alice", Project: "alice-project"}
	if err := d.store.Commit(t.Context(), environment.Change{Person: &alice}); err != nil {
		t.Fatal(err)
	}
	// Nothing listens where the cloud would be: what was asked is unsure.
	if found := sweep(); len(found.Unsure) != 1 || found.Unsure[0].Project != "alice-project" {
		t.Errorf("unsure are %v; want the linked project", found.Unsure)
	}
}
