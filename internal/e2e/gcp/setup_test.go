package gcp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const bot = "daskbot@my-class-2026.iam.gserviceaccount.com"

// runs are the ways in which the script is used.
var runs = map[string][]string{
	"bot":     {"--project", "my-class-2026", "--host-cluster", "daskbot", "--postgres", "daskbot"},
	"student": {"--student-project", "alice-credits", "--bot", bot},
	"default": {"--student-project", "alice-credits", "--bot", bot, "--default-nodes"},
}

// setUp runs the script with gcloud found in a folder first.
func setUp(t *testing.T, folder string, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "scripts", "gcp-setup.sh"), args...)
	cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// recorder is a gcloud that writes down what it is asked for, and for which
// everything that was created is there from then on.
const recorder = `#!/usr/bin/env bash
here=$(dirname "$0") all="$*"
what=${all%% --*} # without flags
what=${what%%@*}  # an account's address begins with its name
case $all in
*" describe "*projectNumber*) echo 4711 ;;
*" describe "*) grep -qxF -- "${what/ describe / create }" "$here/made" 2>/dev/null || exit 1 ;;
*"vpc-peerings list "*) [[ ! -e $here/peering ]] || cat "$here/peering" ;;
*)
	echo "$all" >>"$here/calls"
	[[ $all != *" create "* ]] || echo "$what" >>"$here/made"
	[[ $all != *"vpc-peerings "* ]] || echo "services/servicenetworking.googleapis.com ${all##*--ranges=}" >"$here/peering" ;;
esac
`

func record(t *testing.T) (folder string, calls func() []string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "gcloud"), []byte(recorder), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return folder, func() []string {
		file := filepath.Join(folder, "calls")
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

// printed are the commands in what the script printed.
func printed(out string) []string {
	return slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool { return !strings.HasPrefix(line, "gcloud ") })
}

func TestItPrintsAndChangesNothing(t *testing.T) {
	for name, args := range runs {
		folder, calls := record(t)
		out, err := setUp(t, folder, args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if got := calls(); got != nil {
			t.Errorf("%s: without --apply it ran %q", name, got)
		}
		if got := len(printed(out)); got < 6 {
			t.Errorf("%s: printed %d commands, want more:\n%s", name, got, out)
		}
	}
}

// TestASecondRunMakesNothingAnew applies twice. What is granted is granted
// again, which changes nothing, and roles are brought up to date.
func TestASecondRunMakesNothingAnew(t *testing.T) {
	for name, args := range runs {
		folder, calls := record(t)
		apply := append(slices.Clone(args), "--apply")
		if out, err := setUp(t, folder, apply...); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		first := calls()
		if !slices.ContainsFunc(first, func(c string) bool { return strings.Contains(c, "roles create daskbotClusters") }) {
			t.Errorf("%s: got %q, want the roles made", name, first)
		}
		if out, err := setUp(t, folder, apply...); err != nil {
			t.Fatalf("%s, again: %v\n%s", name, err, out)
		}
		second := calls()
		if i := slices.IndexFunc(second, func(c string) bool { return strings.Contains(c, " create ") }); i >= 0 {
			t.Errorf("%s: the second run made something anew: %s", name, second[i])
		}
		if !slices.ContainsFunc(second, func(c string) bool { return strings.Contains(c, "roles update daskbotObjects") }) {
			t.Errorf("%s: got %q, want the roles brought up to date", name, second)
		}
	}
}

// TestThePeeringKeepsWhatItHas: databases of others live on its ranges.
func TestThePeeringKeepsWhatItHas(t *testing.T) {
	const service = "services/servicenetworking.googleapis.com "
	for name, c := range map[string]struct {
		before string // what gcloud lists
		does   string // the verb and the ranges; "" is nothing
	}{
		"no connection":               {"", "connect daskbot-services"},
		"a connection without ranges": {service, "update daskbot-services"},
		"ranges of others":            {service + "google-managed,old-daskbot-services", "update google-managed,old-daskbot-services,daskbot-services"},
		"ours among them":             {service + "google-managed,daskbot-services,more", ""},
	} {
		folder, calls := record(t)
		if err := os.WriteFile(filepath.Join(folder, "peering"), []byte(c.before+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := setUp(t, folder, append(slices.Clone(runs["bot"]), "--apply")...); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		var got string
		for _, call := range calls() {
			if rest, ok := strings.CutPrefix(call, "services vpc-peerings "); ok {
				verb, _, _ := strings.Cut(rest, " ")
				_, ranges, _ := strings.Cut(rest, "--ranges=")
				got += verb + " " + ranges
				if strings.Contains(rest, "--force") {
					t.Errorf("%s: %s goes on where it destroys something", name, call)
				}
			}
		}
		if got != c.does {
			t.Errorf("%s: got %q, want %q", name, got, c.does)
		}
	}
}

// TestThePeeringIsLeftAloneWhenItDoesNotAnswer: unknown is not absent.
func TestThePeeringIsLeftAloneWhenItDoesNotAnswer(t *testing.T) {
	folder, calls := record(t)
	if err := os.Mkdir(filepath.Join(folder, "peering"), 0o700); err != nil { // which cannot be listed
		t.Fatal(err)
	}
	out, err := setUp(t, folder, append(slices.Clone(runs["bot"]), "--apply")...)
	if err == nil {
		t.Errorf("it went on:\n%s", out)
	}
	for _, call := range calls() {
		if strings.HasPrefix(call, "services vpc-peerings ") {
			t.Errorf("it ran %s", call)
		}
	}
}

// TestNothingIsDeletedOrHandedOut looks for what a set-up must never do.
func TestNothingIsDeletedOrHandedOut(t *testing.T) {
	for name, args := range runs {
		folder, _ := record(t)
		out, err := setUp(t, folder, args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{" delete ", "remove-iam-policy-binding", "keys create", "allUsers", "allAuthenticatedUsers", "roles/owner", "roles/editor", "container.admin", "--password="} {
			if strings.Contains(out, bad) {
				t.Errorf("%s: it says %q:\n%s", name, bad, out)
			}
		}
	}
}

func TestItRefuses(t *testing.T) {
	folder, calls := record(t)
	for _, args := range [][]string{{}, {"--project", "a", "--student-project", "b"}, {"--student-project", "alice"},
		{"--student-project", "alice", "--bot", "me"}, {"--project", "p", "--location", "europe-west1-b"}, {"--purge"}} {
		out, err := setUp(t, folder, append(args, "--apply")...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%v: got %v, %s; want exit 2", args, err, out)
		}
	}
	if got := calls(); got != nil {
		t.Errorf("refused, and yet it ran %q", got)
	}
}

// TestShellcheck holds the scripts of this part against shellcheck, where it is
// installed.
func TestShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "shellcheck", "-x", "-P", "SCRIPTDIR", "scripts/gcp-setup.sh", "scripts/image.sh", "scripts/chart.sh")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGcloudTakesEveryCommand gives each printed command to the real gcloud,
// with every API answered by a server here that refuses. A command that gcloud
// does not understand ends before it asks anybody anything, with exit code 2.
func TestGcloudTakesEveryCommand(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	if testing.Short() {
		t.Skip("gcloud takes seconds a command")
	}
	var commands []string
	for _, args := range runs {
		folder, _ := record(t)
		out, err := setUp(t, folder, args...)
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, printed(out)...)
	}
	for _, command := range linked(t, "dask-nodes@my-class-2026.iam.gserviceaccount.com") {
		if strings.HasPrefix(command, "for ") { // the others are the script's
			commands = append(commands, command)
		}
	}
	slices.Sort(commands)
	commands = slices.Compact(commands)
	var group errgroup.Group
	group.SetLimit(2)
	for _, command := range commands {
		group.Go(func() error {
			understood(t, command)
			return nil
		})
	}
	_ = group.Wait() // each reports its own failure
}

// understood runs one command line against a server that refuses everything.
func understood(t *testing.T, command string) {
	var mu sync.Mutex
	var asked []string
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "not here"}}`)
	}))
	defer refusing.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CLOUDSDK_CONFIG="+t.TempDir(), "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true",
		"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true", "CLOUDSDK_SURVEY_DISABLE_PROMPTS=true", "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true")
	for _, api := range []string{"IAM", "CLOUDRESOURCEMANAGER", "SERVICEUSAGE", "ARTIFACTREGISTRY", "COMPUTE", "CONTAINER", "SQL", "SERVICENETWORKING"} {
		cmd.Env = append(cmd.Env, "CLOUDSDK_API_ENDPOINT_OVERRIDES_"+api+"="+refusing.URL+"/")
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() == 2 {
		t.Errorf("%s\nended with %v:\n%s", command, err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) == 0 {
		t.Errorf("%s\nasked nobody anything:\n%s", command, out)
	}
}
