//go:build e2e

package real

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
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
	ID, URL, DashboardURL, State, Message string
	Failure                               *struct{ Code, Message string }
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
func down(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), downTime)
	defer cancel()
	if _, err := daskbot(ctx, "down", id, "--wait"); err != nil {
		t.Fatal(err)
	}
	if left := resources(t); len(left) != 0 {
		t.Errorf("after down the cloud still has %v; want nothing", left)
	}
}

// resources are what the emulated cloud holds.
func resources(t *testing.T) []map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("SANDBOX_URL")+"/resources", nil)
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

// untilStatus waits until what a person reads in the status says something.
func untilStatus(t *testing.T, id string, limit time.Duration, says func(string) bool) string {
	t.Helper()
	var text string
	until(t, limit, "status of "+id, func() (bool, string) {
		text = status(t, id)
		return says(text), text
	})
	return text
}
