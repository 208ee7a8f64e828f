//go:build e2e

package real

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the walkthrough asks for would take a day on one machine: ten thousand
// million points on twenty workers. Several of the workers must compute; a
// machine that is busy need not wait for the last one's node.
var (
	points  = cmp.Or(os.Getenv("E2E_POINTS"), "60_000_000")
	workers = cmp.Or(os.Getenv("E2E_WORKERS"), "3")
)

const several = 2

// fitting edits a cell as a student with less patience does.
func fitting(cell string) string {
	cell = strings.ReplaceAll(cell, "10_000_000_000", points)
	return strings.ReplaceAll(cell, "cluster.scale(20)", "cluster.scale("+workers+")")
}

var approximately = regexp.MustCompile(`pi ~= (3\.1[34]\d*)`)

// howMany is the sentence that tells a student how many workers there are, and
// why not more.
var howMany = regexp.MustCompile(`(?m)^(All ` + workers + ` workers are running\.|\d+ of ` + workers +
	` workers (is|are) (starting\.|still to be made\.|waiting for a node(; the cluster may grow to \d+\.|, but the cluster has reached its limit of \d+ nodes?; .*)))$`)

// TestDaskHub is the first walkthrough, from the request to π to nothing.
func TestDaskHub(t *testing.T) {
	alone(t, "short")
	e := up(t, "daskhub", "--owner", "s1", "--course", "short")
	c := secrets(t, e.ID)
	t.Run("nobody else gets in", func(t *testing.T) {
		for _, other := range []credentials{
			{Username: c.Username, Password: "not-" + c.Password}, {Username: c.Username}, {Username: "somebody", Password: c.Password},
		} {
			if err := newBrowser(t, e.URL).logIn(t.Context(), "hub/login", other.Username, other.Password); !errors.Is(err, errTurnedAway) {
				t.Errorf("user %q, password %q: got %v; want %v", other.Username, other.Password, err, errTurnedAway)
			}
		}
	})
	student := newBrowser(t, e.URL)
	if err := student.logIn(t.Context(), "hub/login", c.Username, c.Password); err != nil {
		t.Fatal(err)
	}
	student.startServer(t, c.Username)
	if f := student.read(t, "worker-spec.yaml"); !strings.Contains(string(f.Content), "EXTRA_PIP_PACKAGES") {
		t.Errorf("worker-spec.yaml: got %s; want the class's worker template", f.Content)
	}
	computePi(t, student, e.ID)
	usedUntilIdle(t, student, e.ID)
	down(t, e)
}

// overtaken is what the operator does now and then to a new cluster, which then
// seems never to come up: its last word is an old one.
const overtaken = `import asyncio
from dask_kubernetes.operator._objects import DaskCluster
made = await DaskCluster.get("pi", namespace=cluster.namespace)
await made.patch({"status": {"phase": "Pending"}})
for _ in range(50):
    await asyncio.sleep(1)
    await made.refresh()
    if made.status.phase == "Running": break
print(made.status.phase)`

// computePi runs the first notebook's cells and watches the workers come and go.
func computePi(t *testing.T, student *browser, id string) {
	t.Helper()
	k := student.startKernel(t)
	cells := student.cells(t, "pi.ipynb")
	if len(cells) < 5 {
		t.Fatalf("pi.ipynb has %d code cells: %q", len(cells), cells)
	}
	for _, cell := range cells[:len(cells)-2] { // template, cluster, scale and client
		t.Logf("In:  %s", strings.ReplaceAll(fitting(cell), "\n", "\n     "))
		t.Logf("Out: %s", strings.TrimSpace(k.must(t, fitting(cell), changeTime)))
	}
	if phase := k.must(t, overtaken, time.Minute); strings.TrimSpace(phase) != "Running" {
		t.Errorf("a cluster that runs and is written Pending by the operator: got %q; want it Running again", phase)
	}
	text := untilStatus(t, id, changeTime, howMany.MatchString)
	t.Logf("How many workers, and why?\n%s\n%s", howMany.FindString(text), text)
	k.must(t, fmt.Sprintf("client.wait_for_workers(%d, timeout=290)\n_ = client.get_task_stream()", several), changeTime)
	out := k.must(t, fitting(cells[len(cells)-2]), changeTime)
	t.Logf("Out: %s", strings.TrimSpace(out))
	if !approximately.MatchString(out) {
		t.Errorf("got %q; want an approximation of pi", out)
	}
	count := k.must(t, "print(len({task['worker'] for task in client.get_task_stream(start='1 hour')}))", time.Minute)
	if n, err := strconv.Atoi(strings.TrimSpace(count)); err != nil || n < several {
		t.Errorf("workers that computed: got %q; want at least %d", count, several)
	}
	const worker = "pi-default-worker"
	if now := untilStatus(t, id, time.Minute, func(s string) bool { return strings.Contains(s, worker) }); strings.Count(now, worker) < several {
		t.Errorf("status names fewer than %d workers:\n%s", several, now)
	}
	k.must(t, cells[len(cells)-1], changeTime)
	// The table of pods is there, and they are not in it.
	untilStatus(t, id, changeTime, func(s string) bool { return strings.Contains(s, "hub-") && !strings.Contains(s, worker) })
}

// TestDask is the second walkthrough: three Deployments, packages on both
// sides, the dashboard. Its course ends what is idle soon, and that is how it
// ends; until then nothing may end it while its student reads.
func TestDask(t *testing.T) {
	alone(t, "second")
	e := up(t, "dask", "--owner", "s2", "--course", "second", "--workers", "2")
	protect(t, e.ID)
	c := secrets(t, e.ID)
	if err := newBrowser(t, e.URL).logIn(t.Context(), "login", c.Username, "dask"); !errors.Is(err, errTurnedAway) {
		t.Errorf("the walkthrough's password, dask: got %v; want %v", err, errTurnedAway)
	}
	k := logInToJupyter(t, e, c).startKernel(t)
	out := k.must(t, piOnScheduler(), changeTime)
	if !approximately.MatchString(out) {
		t.Errorf("got %q; want an approximation of pi", out)
	}
	t.Logf("Out: %s", strings.TrimSpace(out))
	seeDashboard(t, look(t, e.ID).DashboardURL)
	addPackage(t, e, c)
	protect(t, e.ID, "--off")
	goneWhenIdle(t, e)
}

// piOnScheduler is the walkthrough's computation on the workers that are there.
func piOnScheduler() string {
	return fitting(`
from distributed import Client
import dask.array as da
client = Client()
client.wait_for_workers(1, timeout=240)
sample = 10_000_000_000
xxyy = da.random.uniform(-1, 1, size=(2, sample))
norm = da.linalg.norm(xxyy, axis=0)
insiders = da.sum(norm <= 1).compute()
print("pi ~= {}".format(4 * insiders / sample))
`)
}

// logInToJupyter reloads the page when nothing answers, as a person does: the
// chart's notebook counts as ready before it listens.
func logInToJupyter(t *testing.T, e environment, c credentials) *browser {
	t.Helper()
	student := newBrowser(t, e.URL)
	until(t, changeTime, "logging in to Jupyter", func() (bool, string) {
		err := student.logIn(t.Context(), "login", c.Username, c.Password)
		if errors.Is(err, errTurnedAway) {
			t.Fatal(err)
		}
		return err == nil, fmt.Sprint(err)
	})
	return student
}

// seeDashboard opens the scheduler's page as a person does.
func seeDashboard(t *testing.T, address string) {
	t.Helper()
	b := newBrowser(t, address)
	answer, body, err := b.visit(t.Context(), http.MethodGet, b.site.JoinPath("status"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "Dask") {
		t.Errorf("dashboard %s: got %s: %.200s", address, answer.Status, body)
	}
}

// addPackage adds one and imports it on the notebook and on every worker.
func addPackage(t *testing.T, e environment, c credentials) {
	t.Helper()
	if _, err := daskbot(t.Context(), "packages", e.ID, "add", "lightgbm"); err != nil {
		t.Fatal(err)
	}
	until(t, changeTime, "the package", func() (bool, string) {
		now := look(t, e.ID)
		return now.State == "ready", now.State + ": " + now.Message
	})
	k := logInToJupyter(t, e, c).startKernel(t)
	out := k.must(t, `
import lightgbm
from distributed import Client
client = Client()
client.wait_for_workers(2, timeout=240)
def version():
    import lightgbm
    return lightgbm.__version__
print({lightgbm.__version__, *client.run(version).values()})
`, changeTime)
	if got := strings.TrimSpace(out); strings.Count(got, "'") != 2 {
		t.Errorf("versions on notebook and workers: got %s; want the same one everywhere", got)
	}
	t.Logf("lightgbm on notebook and workers: %s", strings.TrimSpace(out))
}
