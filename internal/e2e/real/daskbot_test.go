//go:build e2e

package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Waiting has bounds: past them something is broken, not slow.
const (
	upTime     = 8 * time.Minute // a cluster, its nodes, images unpacked on each
	changeTime = 5 * time.Minute
	downTime   = 3 * time.Minute
	lookAgain  = 2 * time.Second
)

// environment is what is read of one.
type environment struct {
	ID, URL, DashboardURL, State, Message, Project string
	Failure                                        *struct{ Code, Message string }
	Cluster                                        struct{ Name string }
}

type credentials struct{ URL, Username, Password, Token string }

// daskbot runs one command and returns what it printed.
func daskbot(ctx context.Context, args ...string) (string, error) {
	program := os.Getenv("DASKBOT")
	if program == "" {
		return "", fmt.Errorf("DASKBOT is not set: run these tests with make e2e")
	}
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("daskbot %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// alone lets a test run beside others: it has a cloud project of its own, which
// the course of that name pays from.
func alone(t *testing.T, course string) {
	t.Helper()
	t.Parallel()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, os.Getenv("SANDBOX_URL")+"/projects/e2e-"+course, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		t.Fatalf("project e2e-%s: %s", course, answer.Status)
	}
}

// up asks for an environment, waits until it is ready, and takes it down again
// when the test ends, however it ends. With E2E_KEEP set, one whose test failed
// stays to be looked at.
func up(t *testing.T, profile string, args ...string) environment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), upTime)
	defer cancel()
	began := time.Now()
	out, err := daskbot(ctx, append([]string{"up", "--profile", profile, "--wait", "-o", "json"}, args...)...)
	if err != nil {
		e := lastJSON(out)
		if e.ID == "" {
			t.Fatal(err)
		}
		t.Fatalf("%v\n%s", err, status(t, e.ID))
	}
	e := lastJSON(out)
	if e.ID == "" || e.State != "ready" {
		t.Fatalf("up --profile %s: got %s", profile, out)
	}
	if e.Cluster.Name == "" || !slices.ContainsFunc(onHost(t), func(line string) bool { return strings.Contains(line, e.Cluster.Name) }) {
		t.Errorf("nothing on this machine names cluster %q, so that nothing could be missed of it", e.Cluster.Name)
	}
	t.Logf("%s: %s is ready at %s after %s", profile, e.ID, e.URL, time.Since(began).Round(time.Second))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s when the test failed:\n%s", e.ID, status(t, e.ID))
			if os.Getenv("E2E_KEEP") != "" {
				return
			}
		}
		_, _ = daskbot(context.WithoutCancel(ctx), "down", e.ID) // it may be gone already
	})
	return e
}

// lastJSON finds the environment behind lines of progress.
func lastJSON(out string) environment {
	var e environment
	if i := strings.Index(out, "{"); i >= 0 {
		_ = json.NewDecoder(strings.NewReader(out[i:])).Decode(&e) // an empty one says that there is none
	}
	return e
}

// status is what a person reads; a test logs it, so no failure of its own.
func status(t *testing.T, id string) string {
	t.Helper()
	out, err := daskbot(context.WithoutCancel(t.Context()), "status", id)
	if err != nil {
		return err.Error()
	}
	return out
}

// look reads the environment.
func look(t *testing.T, id string) environment {
	t.Helper()
	out, err := daskbot(t.Context(), "status", id, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	return lastJSON(out)
}

// secrets are the environment's credentials.
func secrets(t *testing.T, id string) credentials {
	t.Helper()
	out, err := daskbot(t.Context(), "credentials", id, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var c credentials
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("credentials: %v in %s", err, out)
	}
	return c
}

// down takes the environment down and sees that nothing is left of it.
func down(t *testing.T, e environment) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), downTime)
	defer cancel()
	if _, err := daskbot(ctx, "down", e.ID, "--wait"); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, e)
}

// nothingLeft sees that an environment that is gone has left nothing in the
// cloud and, while the sandbox goes on, nothing on this machine. The project is
// its alone.
func nothingLeft(t *testing.T, e environment) {
	t.Helper()
	if left := resources(t, e.Project); len(left) != 0 {
		t.Errorf("the cloud still has %v; want nothing", left)
	}
	if e.Cluster.Name == "" {
		return
	}
	// The kernel takes network namespaces apart in its own time, and with them
	// what leads into them.
	until(t, time.Minute, "nothing of "+e.Cluster.Name+" on this machine", func() (bool, string) {
		left := slices.DeleteFunc(onHost(t), func(line string) bool { return !strings.Contains(line, e.Cluster.Name) })
		return len(left) == 0, strings.Join(left, "; ")
	})
}

// onHost lists the processes, mounts, interfaces, filters and control groups of
// the sandbox, each in a line; those of a node name it, and so its cluster.
func onHost(t *testing.T) []string {
	t.Helper()
	state := filepath.Join(os.Getenv("DASKBOT_STATE"), "sandbox")
	// It fails when there is something, and now there is.
	out, err := exec.CommandContext(t.Context(), os.Getenv("SANDBOX"), "leaks", "--state", state).Output()
	var there *exec.ExitError
	if err != nil && !errors.As(err, &there) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// resources are what the emulated cloud holds in a project.
func resources(t *testing.T, project string) []map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("SANDBOX_URL")+"/resources?project="+project, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("resources: %v in %s", err, body)
	}
	return all
}

// until looks again and again until done is satisfied. done says what it saw,
// for the message when the time is over.
func until(t *testing.T, limit time.Duration, what string, done func() (ok bool, saw string)) {
	t.Helper()
	over := time.NewTimer(limit)
	defer over.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		ok, saw := done()
		if ok {
			return
		}
		select {
		case <-again.C:
		case <-over.C:
			t.Fatalf("%s: not within %s; last seen: %s", what, limit, saw)
		case <-t.Context().Done():
			t.Fatalf("%s: %v", what, t.Context().Err())
		}
	}
}

// untilStatus waits until what a person reads in the status says something. A
// status that cannot be shown says nothing.
func untilStatus(t *testing.T, id string, limit time.Duration, says func(string) bool) string {
	t.Helper()
	var text string
	until(t, limit, "status of "+id, func() (bool, string) {
		out, err := daskbot(t.Context(), "status", id)
		if err != nil {
			return false, err.Error()
		}
		text = out
		return says(text), text
	})
	return text
}

// protect keeps the reaper's hands off an environment, as staff do.
func protect(t *testing.T, id string, args ...string) {
	t.Helper()
	if _, err := daskbot(t.Context(), append([]string{"protect", id}, args...)...); err != nil {
		t.Fatal(err)
	}
}

// untilWhy asks in Slack until /dask why says something. It is a look of its
// own, at another moment than status's.
func untilWhy(t *testing.T, id, says string) {
	t.Helper()
	until(t, changeTime, "/dask why to say that "+says, func() (bool, string) {
		got := why(t, id)
		return strings.Contains(got, says), got
	})
}

// why is what Slack answers an administrator who types /dask why.
func why(t *testing.T, id string) string {
	t.Helper()
	sandbox := os.Getenv("SANDBOX_URL")
	body := fmt.Sprintf(`{"user": "admin", "channel": "general", "text": "/dask why %s"}`, id)
	answer, err := http.Post(sandbox+"/slack/do/say", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	answer, err = http.Get(sandbox + "/slack/messages?user=admin")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var all []struct{ Text, Author string }
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, m := range slices.Backward(all) {
		if m.Author == "daskbot" && strings.Contains(m.Text, id) {
			return m.Text
		}
	}
	return fmt.Sprintf("no answer among %d messages", len(all))
}
