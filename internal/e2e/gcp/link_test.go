package gcp

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/provision/gke"
)

// linked are the commands that are printed for a project which daskbot may not
// use yet.
func linked(t *testing.T, nodes string) []string {
	t.Helper()
	c, err := gke.New(t.Context(), gke.Config{Endpoint: "127.0.0.1:1", Insecure: true, StaticToken: environment.NewSecret("t"),
		Installation: "class", ServiceAccount: bot, Defaults: gke.Defaults{NodeServiceAccount: nodes}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.Grants("alice-credits")
}

// TestWhatIsPrintedIsWhatTheScriptDoes pastes the printed commands into a
// shell, twice, and compares what they ask gcloud for with the script.
func TestWhatIsPrintedIsWhatTheScriptDoes(t *testing.T) {
	for run, nodes := range map[string]string{"student": "dask-nodes@my-class-2026.iam.gserviceaccount.com", "default": ""} {
		folder, calls := record(t)
		out, err := setUp(t, folder, append(slices.Clone(runs[run]), "--apply")...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", run, err, out)
		}
		want := bindings(calls())
		paste := exec.CommandContext(t.Context(), "bash", "-c", strings.Join(linked(t, nodes), "\n"))
		paste.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
		if out, err := paste.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", run, err, out)
		}
		asked := calls()
		if diff := cmp.Diff(want, bindings(asked)); diff != "" {
			t.Errorf("%s: bindings of the script and of what is printed (-script +printed)\n%s", run, diff)
		}
		for role, file := range map[string]string{"daskbotClusters": "clusters-role.yaml", "daskbotObjects": "objects-role.yaml"} {
			if diff := cmp.Diff(sorted(permissions(t, file)), granted(asked, role)); diff != "" {
				t.Errorf("%s: %s (-file +printed)\n%s", run, role, diff)
			}
		}
	}
}

// bindings are who gets which role on what, in the order of the alphabet.
func bindings(calls []string) []string {
	var all []string
	for _, call := range calls {
		if strings.Contains(call, "add-iam-policy-binding") {
			words := slices.DeleteFunc(strings.Fields(call), func(w string) bool { return strings.HasPrefix(w, "--condition") || strings.HasPrefix(w, "--format") })
			slices.Sort(words)
			all = append(all, strings.Join(words, " "))
		}
	}
	return sorted(all)
}

// granted are the permissions with which a role was made.
func granted(calls []string, role string) []string {
	for _, call := range calls {
		_, flag, made := strings.Cut(call, "--permissions=")
		if made && strings.Contains(call, "iam roles create "+role+" ") {
			return sorted(strings.Split(flag, ","))
		}
	}
	return nil
}

func sorted(items []string) []string { return slices.Sorted(slices.Values(items)) }
