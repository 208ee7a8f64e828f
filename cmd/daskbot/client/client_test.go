package client

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/cmd/daskbot/client/daemontest"
	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update writes it:\n%s", path, diff)
	}
}

const id = "kq7wm2xd"

// ready seeds one environment on a cluster.
func ready(d *daemon) {
	e := daemontest.Being(id)
	e.ClusterID = "c1"
	if err := d.Store.Commit(d.t.Context(), environment.Change{Cluster: &environment.Cluster{ID: "c1", Name: "daskbot-kq7wm2xd-1", Location: "us-central1-a",
		Key: "k", Placement: environment.Dedicated, State: environment.StateReady, Nodes: 2, AskedAt: now, CreatedAt: now, Shape: e.Recipe.Cluster}}); err != nil {
		d.t.Fatal(err)
	}
	d.Seed(e, environment.Event{At: now, Environment: id, Type: environment.EventRequested, State: environment.StatePending, Phase: environment.PhaseQueued, Step: 1, Steps: 7, Message: "Asked for daskhub.", Actor: "alice"})
	d.Reach(id, environment.StateReady, environment.PhaseReady, "Ready to use.")
}

func TestCommands(t *testing.T) {
	d := newDaemon(t)
	ready(d)
	golden(t, "commands", d.transcript(
		"up",
		"status", "status "+id+" -o yaml", "list", "list --state failed", "list -o json", "events "+id,
		"scale "+id+" 4", "extend "+id+" 2h", "upgrade "+id,
		"credentials "+id, "kubeconfig "+id, "logs "+id+" hub --tail 5", "open "+id, "profiles",
		"project check", "project link locked-project", "project link alice-credits-2026", "project check", "project unlink",
		"token create --role student --subject bob", "token list", "token revoke none",
		"down "+id, "status",
	))
}

// used lets the reaper have looked once, and told the owner of the end.
func used(d *daemon) {
	e, err := d.Store.Environment(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	e.Ending = &environment.Ending{At: now.Add(20 * time.Minute), Cause: environment.EndIdle, Lead: 30 * time.Minute, ToldAt: now.Add(-10 * time.Minute)}
	e.Terms = environment.TermsOf(environment.Policy{TTL: 4 * time.Hour}, environment.Policy{Idle: 45 * time.Minute},
		environment.Policy{MaxTTL: 12 * time.Hour, Warnings: []time.Duration{30 * time.Minute, 10 * time.Minute}})
	use := environment.Use{Environment: id, Ever: true, IdleLooks: 3, Verdict: environment.Verdict{Is: environment.VerdictIdle, Since: now.Add(-25 * time.Minute), Reason: "last used 25m ago"},
		Activity: environment.Activity{At: now, Signals: []environment.Signal{
			{Source: "hub", Kind: environment.SignalQuiet, Last: now.Add(-3 * time.Hour), Message: "last login 3h ago"},
			{Source: "kernel", Kind: environment.SignalQuiet, Last: now.Add(-25 * time.Minute), Message: "kernel python3 is idle"}}}}
	if err := d.Store.Commit(d.t.Context(), environment.Change{Environment: &e, Uses: []environment.Use{use}}); err != nil {
		d.t.Fatal(err)
	}
}

func TestReaper(t *testing.T) {
	d := newDaemon(t)
	ready(d)
	golden(t, "reaper_before", d.transcript("reaper plan", "reaper run --dry-run", "reaper", "keep "+id+" soon", "keep "+id+" 2d", "protect nothere1"))
	used(d)
	golden(t, "reaper", d.transcript("status "+id, "reaper plan", "reaper plan -o json", "reaper run --dry-run", "reaper run --confirm", "reaper pause --reason ill", "reaper plan", "reaper resume",
		"keep "+id+" 2h", "protect "+id, "status "+id, "protect "+id+" --off"))
}

func TestCost(t *testing.T) {
	d := newDaemon(t)
	golden(t, "cost_nothing", d.transcript("cost"))
	ready(d)
	use := environment.Use{Environment: id, Spent: map[string]float64{"2026-11-22": 1.25, "2026-11-23": 0.5}, SpentUntil: now, Rate: 0.25, Fee: 0.1}
	gone := daemontest.Being("gone1")
	gone.Owner, gone.State, gone.Phase, gone.EndedBecause = "bob", environment.StateDeleted, environment.PhaseGone, environment.EndIdle
	gone.CreatedAt, gone.DeletedAt = now.Add(-6*time.Hour), now.Add(-4*time.Hour)
	d.Seed(gone)
	left := environment.Use{Environment: "gone1", Spent: map[string]float64{"2026-11-23": 0.5}, SpentUntil: gone.DeletedAt, Rate: 0.25, Fee: 0.1}
	if err := d.Store.Commit(t.Context(), environment.Change{Uses: []environment.Use{use, left}}); err != nil {
		t.Fatal(err)
	}
	golden(t, "cost", d.transcript("cost", "cost --by day -o json", "cost --course de-2026 --from 2026-11-01 --to 2026-12-01", "cost --by planet", "cost --from soon"))
}

func TestMistakes(t *testing.T) {
	d := newDaemon(t)
	ready(d)
	golden(t, "mistakes", d.transcript(
		"upp", "up --profil dask", "up extra", "up --ttl soon", "up --idle soon", "up --ttl 1h --until 18:00", "up --until noon", "up --workers many", "up --timeout 5", "list -o xml",
		"down", "scale "+id+" many", "packages "+id+" grow xgboost", "extend "+id+" -1h", "project lnk x", "project", "token create",
		"up --profile daskhab", "up --ttl 9d", "up --profile dask --packages x;rm", "packages "+id+" add xgboost", "scale "+id+" 99",
		"status nothere1", "list --state redy", "up --course none",
	))
}

func TestNobodyThere(t *testing.T) {
	d := newDaemon(t)
	d.Server.Close()
	var out output
	if code := d.do(t.Context(), d.world(&out, &out), "list"); code != ExitUnreachable || !strings.Contains(out.String(), "does not answer") {
		t.Errorf("got %d %s; want %d", code, out.String(), ExitUnreachable)
	}
}

func TestWithoutToken(t *testing.T) {
	d := newDaemon(t)
	var out output
	w := d.world(&out, &out)
	was := w.Getenv
	w.Getenv = func(name string) string {
		if name == "DASKBOT_TOKEN" {
			return ""
		}
		return was(name)
	}
	w.ReadFile = func(string) ([]byte, error) { return nil, os.ErrNotExist }
	if code := d.do(t.Context(), w, "list"); code != ExitFailed || !strings.Contains(out.String(), "admin.token") {
		t.Errorf("got %d %s", code, out.String())
	}
	w.ReadFile = func(path string) ([]byte, error) {
		if path != filepath.Join(".daskbot", "admin.token") {
			t.Errorf("read %s", path)
		}
		return []byte(d.Admin + "\n"), nil
	}
	if code := d.do(t.Context(), w, "list"); code != ExitDone {
		t.Errorf("got %d %s with the token file", code, out.String())
	}
}

// waitingFor runs a command and calls then once its output holds sign.
func waitingFor(t *testing.T, d *daemon, w World, errs *output, line, sign string, then func()) int {
	t.Helper()
	code := make(chan int, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { code <- d.do(ctx, w, line) }()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case got := <-code:
			t.Fatalf("%s ended with %d before %q: %s", line, got, sign, errs.String())
		case <-tick.C:
			errs.mu.Lock()
			seen := strings.Contains(errs.Buffer.String(), sign)
			errs.mu.Unlock()
			if !seen {
				continue
			}
			tick.Stop()
			then()
			return <-code
		}
	}
}

func seedBeing(d *daemon) {
	d.Seed(daemontest.Being(id), environment.Event{At: now, Environment: id, Type: environment.EventRequested, State: environment.StatePending,
		Phase: environment.PhaseQueued, Step: 1, Steps: 7, Message: "Asked for daskhub.", Actor: "alice"})
}

func TestWaitInPlainLines(t *testing.T) {
	d := newDaemon(t)
	seedBeing(d)
	var out, errs output
	code := waitingFor(t, d, d.world(&out, &errs), &errs, "up --wait", "Asked for", func() {
		d.Reach(id, environment.StateCreating, environment.PhaseCluster, "Making the Kubernetes cluster.")
		d.Reach(id, environment.StateReady, environment.PhaseReady, "Ready to use.")
	})
	for _, want := range []string{"alice already has kq7wm2xd, which is pending.\n", "13:00:00  queued     step 1 of 7  Asked for daskhub.",
		"13:00:00  cluster    step 2 of 7  Making the Kubernetes cluster.", "13:00:00  ready      Ready to use.\n"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, errs.String())
		}
	}
	if code != ExitDone || strings.Contains(errs.String(), "\x1b") || !strings.Contains(out.String(), "daskbot credentials "+id) {
		t.Errorf("got %d\n%s\n%s", code, out.String(), errs.String())
	}
}

func TestWaitForTheEnd(t *testing.T) {
	d := newDaemon(t)
	ready(d)
	var out, errs output
	code := waitingFor(t, d, d.world(&out, &errs), &errs, "down "+id+" --wait", "Deletion was asked for", func() {
		d.Reach(id, environment.StateDeleting, environment.PhaseTeardown, "Deleting the Kubernetes cluster.")
		d.Reach(id, environment.StateDeleted, environment.PhaseGone, "Deleted; nothing is left that costs money.")
	})
	want := "13:00:00  stopping   Deletion was asked for.\n13:00:00  teardown   Deleting the Kubernetes cluster.\n13:00:00  gone       Deleted; nothing is left that costs money.\n"
	if diff := cmp.Diff(want, errs.String()); diff != "" || code != ExitDone {
		t.Errorf("got %d (-want +got):\n%s", code, diff)
	}
}

func TestWaitOnATerminal(t *testing.T) {
	d := newDaemon(t)
	seedBeing(d)
	var out, errs output
	w := d.world(&out, &errs)
	w.Width = func() int { return 60 }
	code := waitingFor(t, d, w, &errs, "up --wait", "step 1 of 7", func() {
		d.Reach(id, environment.StateCreating, environment.PhaseCluster, "Making the Kubernetes cluster.")
		d.Reach(id, environment.StateFailed, environment.PhaseCluster, "No quota is left for 8 more CPUs.")
	})
	text := errs.String()
	for _, want := range []string{"\x1b[32m✓\x1b[0m queued", "\x1b[31m✗\x1b[0m No quota is left", "ready in about", "kq7wm2xd is failed: No quota is left"} {
		if !strings.Contains(text, want) {
			t.Errorf("progress lacks %q:\n%q", want, text)
		}
	}
	if code != ExitFailed {
		t.Errorf("got %d; want %d", code, ExitFailed)
	}
}

func TestCtrlCStopsTheWaitingOnly(t *testing.T) {
	d := newDaemon(t)
	seedBeing(d)
	var out, errs output
	ctx, cancel := context.WithCancel(t.Context())
	w := d.world(&out, &errs)
	done := make(chan int, 1)
	go func() { done <- d.do(ctx, w, "up --wait") }()
	for !func() bool { errs.mu.Lock(); defer errs.mu.Unlock(); return errs.Len() > 0 }() {
		<-time.After(time.Millisecond)
	}
	cancel()
	code := <-done
	e, err := d.Store.Environment(t.Context(), id)
	if code != ExitFailed || err != nil || e.Desired != environment.Present || !strings.Contains(errs.String(), "goes on being made") {
		t.Errorf("got %d, %v, %s: %s", code, err, e.Desired, errs.String())
	}
}

func TestTimeoutStopsTheWaitingOnly(t *testing.T) {
	d := newDaemon(t)
	seedBeing(d)
	var out, errs output
	code := d.do(t.Context(), d.world(&out, &errs), "up --wait --timeout 1s")
	if code != ExitFailed || !strings.Contains(errs.String(), "after 1s it is still pending; kq7wm2xd goes on being made") {
		t.Errorf("got %d: %s", code, errs.String())
	}
}

// cut breaks a connection after the first event of it.
type cut struct{ http.ResponseWriter }

func (c cut) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "id: 2") {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

func (c cut) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

func TestFollowSurvivesBrokenConnections(t *testing.T) {
	d := newDaemon(t)
	seedBeing(d)
	var streams atomic.Int32
	var mu sync.Mutex
	var lasts []string
	d.Around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				mu.Lock()
				lasts = append(lasts, r.Header.Get("Last-Event-ID"))
				mu.Unlock()
				if streams.Add(1) == 1 {
					w = cut{w}
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	d.Reach(id, environment.StateCreating, environment.PhaseCluster, "Making the Kubernetes cluster.")
	d.Reach(id, environment.StateDeleted, environment.PhaseGone, "Deleted.")
	var out output
	code := d.do(t.Context(), d.world(&out, &out), "events "+id+" --follow")
	want := "13:00:00  queued     step 1 of 7  Asked for daskhub.\n13:00:00  cluster    step 2 of 7  Making the Kubernetes cluster.\n13:00:00  gone       Deleted.\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || code != ExitDone {
		t.Errorf("got %d (-want +got):\n%s", code, diff)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"0", "1", "3"}, lasts); diff != "" {
		t.Errorf("Last-Event-ID (-want +got):\n%s", diff)
	}
}

// TestWaitSurvivesARestart lets every third request fail, as while a daemon
// is being restarted.
func TestWaitSurvivesARestart(t *testing.T) {
	d := newDaemon(t)
	seedBeing(d)
	var requests atomic.Int32
	d.Around = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := requests.Add(1); n > 2 && n%3 == 0 { // the first two ask for it
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
	var out, errs output
	code := waitingFor(t, d, d.world(&out, &errs), &errs, "up --wait", "Asked for", func() {
		d.Reach(id, environment.StateReady, environment.PhaseReady, "Ready to use.")
	})
	if code != ExitDone || !strings.Contains(errs.String(), "ready      Ready to use.") {
		t.Errorf("got %d: %s", code, errs.String())
	}
}

func TestUntil(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	for text, want := range map[string]string{
		"18:00": "2026-11-23T17:00:00Z", "09:30": "2026-11-24T08:30:00Z", "2026-12-01 08:00": "2026-12-01T07:00:00Z",
		"2026-12-01T08:00": "2026-12-01T07:00:00Z", "2026-12-01T08:00:00-05:00": "2026-12-01T13:00:00Z",
	} {
		got, err := until(text, now, zone)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("until(%q) = %v, %v; want %s", text, got.UTC(), err, want)
		}
	}
	for _, text := range []string{"", "25:00", "tomorrow", "2026-13-01 08:00"} {
		if _, err := until(text, now, zone); exitCode(err) != ExitUsage {
			t.Errorf("until(%q): got %v; want a usage error", text, err)
		}
	}
}

// A failure that came before its event was read is drawn as one all the same.
func TestLastWordOfAFailure(t *testing.T) {
	var errs output
	d := newDaemon(t)
	w := d.world(&output{}, &errs)
	w.Width = func() int { return 60 }
	e := api.Environment{ID: id, State: "failed", Phase: "cluster", Message: "No quota is left."}
	p := w.progress(e)
	p.show(lastWord(e, now), e)
	if want := "\x1b[31m✗\x1b[0m No quota is left."; !strings.Contains(errs.String(), want) {
		t.Errorf("progress lacks %q:\n%q", want, errs.String())
	}
}
