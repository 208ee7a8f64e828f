package gcp

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRolesAreRead(t *testing.T) {
	for file, role := range map[string]Role{"clusters-role.yaml": Clusters(), "objects-role.yaml": Objects()} {
		text, err := files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Count(string(text), "\n  - "); len(role.Permissions) != want || want < 40 || role.Title == "" {
			t.Errorf("%s: got %q with %d permissions; want %d", file, role.Title, len(role.Permissions), want)
		}
	}
}

// TestAShellUnfoldsTheBraces has a shell read what is printed: nothing may be
// lost or added on the way.
func TestAShellUnfoldsTheBraces(t *testing.T) {
	for _, role := range []Role{Clusters(), Objects()} {
		folded := role.Braces()
		out, err := exec.CommandContext(t.Context(), "bash", "-c", "echo "+folded).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, want := strings.Fields(string(out)), slices.Clone(role.Permissions)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", role.ID, diff)
		}
		if len(folded) > 2000 {
			t.Errorf("%s: %d characters; they must fit into one message of Slack", role.ID, len(folded))
		}
	}
}
