package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestSQLite(t *testing.T) { conformance(t, freshSQLite) }

func TestPostgreSQL(t *testing.T) { conformance(t, freshPostgres) }

// conformance is what every implementation of environment.Store and
// environment.Queue has to do.
func conformance(t *testing.T, url fresh) {
	for _, c := range []struct {
		name string
		test func(*testing.T, fresh)
	}{
		{"EnvironmentRoundTrip", testEnvironmentRoundTrip},
		{"ClusterRoundTrip", testClusterRoundTrip},
		{"Absent", testAbsent},
		{"Conflict", testConflict},
		{"Atomic", testAtomic},
		{"OneLiveEnvironment", testOneLiveEnvironment},
		{"OneLiveCluster", testOneLiveCluster},
		{"TenClients", testTenClients},
		{"Within", testWithin},
		{"CompareAndSwap", testCompareAndSwap},
		{"Paging", testPaging},
		{"Filter", testFilter},
		{"Tenants", testTenants},
		{"Events", testEvents},
		{"EventsInOrder", testEventsInOrder},
		{"Replay", testReplay},
		{"TokensAndPeople", testTokensAndPeople},
		{"Identities", testIdentities},
		{"AccountsOfSlack", testAccountsOfSlack},
		{"Notes", testNotes},
		{"Courses", testCourses},
		{"CourseBindings", testCourseBindings},
		{"EventsSince", testEventsSince},
		{"Took", testTook},
		{"Uses", testUses},
		{"Deliveries", testDeliveries},
		{"DeliveriesAtOnce", testDeliveriesAtOnce},
		{"DeliveriesTogether", testDeliveriesTogether},
		{"DeliveriesByContents", testDeliveriesByContents},
		{"DeliveriesOvertakenAndForgotten", testDeliveriesOvertakenAndForgotten},
		{"Reopen", testReopen},
		{"Killed", testKilled},

		{"WakeIsNow", testWakeIsNow},
		{"QueuePage", testQueuePage},
		{"Audit", testAudit},
		{"AuditedChange", testAuditedChange},
		{"KeyIsRotated", testKeyIsRotated},
		{"Load", testLoad},
		{"TrailCrossesTheQueue", testTrailCrossesTheQueue},
		{"WakeOfARefusedChange", testWakeOfARefusedChange},
		{"AgainIsPunctual", testAgainIsPunctual},
		{"WakeCutsAWaitShort", testWakeCutsAWaitShort},
		{"WakeDuringAPass", testWakeDuringAPass},
		{"NoWakeIsLost", testNoWakeIsLost},
		{"Urgency", testUrgency},
		{"Errors", testErrors},
		{"Drain", testDrain},
		{"ResumeWithoutAJob", testResumeWithoutAJob},
		{"OneRun", testOneRun},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, url)
		})
	}
}

// secretText makes cmp compare secrets by value.
var secretText = cmp.Comparer(func(a, b environment.Secret) bool { return a.Reveal() == b.Reveal() })

func testEnvironmentRoundTrip(t *testing.T, url fresh) {
	s := open(t, url(t))
	want := anEnvironment("e1")
	want.Recipe = environment.Profile{Name: "daskhub", Releases: []environment.Release{{Name: "dhub",
		Values: map[string]any{"port": 8000, "big": 12345678, "share": 0.5, "deep": map[string]any{"n": []any{1, "x", true}}}}}}
	want.Spec = environment.Spec{TTL: 4 * time.Hour, Until: day.Add(time.Hour), Workers: 2, Packages: []string{"xgboost"}}
	want.Good = &environment.Spec{Workers: 1, Versions: map[string]string{"dhub": "2024.1.1"}}
	want.Failure = &environment.Failure{Code: environment.CodeQuota, Message: "No room.", At: day.Add(123 * time.Nanosecond)}
	want.Secrets = environment.Secrets{environment.SecretPassword: environment.NewSecret("correct horse")}
	want.Inventory = []environment.Resource{{Kind: environment.KindDisk, Name: "pvc-1"}}
	commit(t, s, environment.Change{Environment: &want})
	if want.Version != 0 {
		t.Errorf("Commit altered the caller's row: Version %d; want 0", want.Version)
	}
	got, err := s.Environment(t.Context(), "e1")
	if err != nil {
		t.Fatal(err)
	}
	want.Version = 1
	if diff := cmp.Diff(want, got, secretText); diff != "" {
		t.Errorf("Environment (-want +got):\n%s", diff)
	}
	want.Secrets = nil
	commit(t, s, environment.Change{Environment: &want})
	if got, _ := s.Environment(t.Context(), "e1"); got.Secrets != nil || got.Version != 2 {
		t.Errorf("got secrets %v and version %d; want none and 2", got.Secrets, got.Version)
	}
}

func aCluster(id, key string) environment.Cluster {
	return environment.Cluster{ID: id, Key: key, Placement: environment.Shared, Desired: environment.Present,
		State: environment.StatePending, CreatedAt: day}
}

func testClusterRoundTrip(t *testing.T, url fresh) {
	s := open(t, url(t))
	want := aCluster("c1", "course/dask101")
	want.Shape = environment.ClusterShape{MachineType: "e2-standard-4", Locations: []string{"europe-west4-a"}}
	want.Abandoned = []environment.ClusterAttempt{{Name: "daskbot-c1", Location: "europe-west4-a"}}
	want.UnsureUntil = day.Add(time.Minute)
	commit(t, s, environment.Change{Cluster: &want})
	want.Version = 1
	for name, read := range map[string]func() (environment.Cluster, error){
		"Cluster":     func() (environment.Cluster, error) { return s.Cluster(t.Context(), "c1") },
		"LiveCluster": func() (environment.Cluster, error) { return s.LiveCluster(t.Context(), "course/dask101") },
	} {
		got, err := read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func testAbsent(t *testing.T, url fresh) {
	s, ctx := open(t, url(t)), t.Context()
	for name, read := range map[string]func() error{
		"Environment":        func() error { _, err := s.Environment(ctx, "x"); return err },
		"LiveEnvironment":    func() error { _, err := s.LiveEnvironment(ctx, "x", "", "y"); return err },
		"Cluster":            func() error { _, err := s.Cluster(ctx, "x"); return err },
		"LiveCluster":        func() error { _, err := s.LiveCluster(ctx, ""); return err },
		"Replay":             func() error { _, err := s.Replay(ctx, "x", "y"); return err },
		"Token":              func() error { _, err := s.Token(ctx, "x"); return err },
		"PersonBySlack":      func() error { _, err := s.PersonBySlack(ctx, "x"); return err },
		"PersonBySlack \"\"": func() error { _, err := s.PersonBySlack(ctx, ""); return err },
		"PersonByLMS":        func() error { _, err := s.PersonByLMS(ctx, "x"); return err },
		"PersonByLMS \"\"":   func() error { _, err := s.PersonByLMS(ctx, ""); return err },
		"PersonByEmail":      func() error { _, err := s.PersonByEmail(ctx, "x"); return err },
		"Note":               func() error { _, err := s.Note(ctx, "x"); return err },
		"Course":             func() error { _, err := s.Course(ctx, "x"); return err },
		"Person":             func() error { _, err := s.Person(ctx, "x"); return err },
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, read(), environment.CodeNotFound) })
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Environment(cancelled, "x")
	wantCode(t, err, environment.CodeUnavailable)
}

func testConflict(t *testing.T, url fresh) {
	s := open(t, url(t))
	e, c := anEnvironment("e1"), aCluster("c1", "k")
	commit(t, s, environment.Change{Environment: &e, Cluster: &c})
	stale, ahead, unknown := e, e, anEnvironment("e2")
	stale.Version, ahead.Version, unknown.Version = 0, 7, 1
	staleCluster := c
	for name, change := range map[string]environment.Change{
		"inserted twice":         {Environment: &stale},
		"a version to come":      {Environment: &ahead},
		"no such row":            {Environment: &unknown},
		"cluster inserted twice": {Cluster: &staleCluster},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, s.Commit(t.Context(), change), environment.CodeConflict) })
	}
}

func testAtomic(t *testing.T, url fresh) {
	s := open(t, url(t))
	replay := environment.Replay{Caller: "s1", Key: "k", Environment: "e0", At: day}
	commit(t, s, environment.Change{Replay: &replay})
	e := anEnvironment("e1")
	e.Secrets = environment.Secrets{"password": environment.NewSecret("x")}
	c := aCluster("c1", "k")
	err := s.Commit(t.Context(), environment.Change{
		Environment: &e, Cluster: &c, Replay: &replay, Wake: wakeEnvironment("e1"),
		Person: &environment.Person{Subject: "s1"}, Duration: &environment.Duration{Key: "k", Took: 1},
		Events: []environment.Event{{Environment: "e1", Type: environment.EventRequested}},
	})
	wantCode(t, err, environment.CodeConflict)
	_, envErr := s.Environment(t.Context(), "e1")
	wantCode(t, envErr, environment.CodeNotFound)
	_, clusterErr := s.Cluster(t.Context(), "c1")
	wantCode(t, clusterErr, environment.CodeNotFound)
	if events, err := s.Events(t.Context(), "e1", 0, 0); len(events) != 0 || err != nil {
		t.Errorf("got events %v, %v; want none", events, err)
	}
}

func testOneLiveEnvironment(t *testing.T, url fresh) {
	s := open(t, url(t))
	first, second := anEnvironment("e1"), anEnvironment("e2")
	second.Owner = first.Owner
	commit(t, s, environment.Change{Environment: &first})
	for _, state := range environment.States() {
		first.Version++
		first.State = state
		commit(t, s, environment.Change{Environment: &first})
		got, err := s.LiveEnvironment(t.Context(), first.Owner, first.Course, first.Profile)
		if !state.Live() {
			wantCode(t, err, environment.CodeNotFound)
			continue
		}
		if err != nil || got.ID != "e1" {
			t.Errorf("%s: got %q, %v; want e1", state, got.ID, err)
		}
		wantCode(t, s.Commit(t.Context(), environment.Change{Environment: &second}), environment.CodeConflict)
	}
	commit(t, s, environment.Change{Environment: &second})
	other := anEnvironment("e3")
	other.Owner, other.Profile = second.Owner, "dask"
	commit(t, s, environment.Change{Environment: &other})
	for _, c := range []struct {
		owner, course string
		want          int
	}{{"", "", 2}, {second.Owner, "", 2}, {"nobody", "", 0}, {"", "dask101", 2}, {second.Owner, "other", 0}} {
		if n, err := s.CountLive(t.Context(), c.owner, c.course); n != c.want || err != nil {
			t.Errorf("CountLive(%q, %q) = %d, %v; want %d", c.owner, c.course, n, err, c.want)
		}
	}
}

func testOneLiveCluster(t *testing.T, url fresh) {
	s := open(t, url(t))
	first, second := aCluster("c1", "k"), aCluster("c2", "k")
	commit(t, s, environment.Change{Cluster: &first})
	wantCode(t, s.Commit(t.Context(), environment.Change{Cluster: &second}), environment.CodeConflict)
	first.Version, first.Desired = 1, environment.Absent
	commit(t, s, environment.Change{Cluster: &first})
	commit(t, s, environment.Change{Cluster: &second})
	if got, err := s.LiveCluster(t.Context(), "k"); err != nil || got.ID != "c2" {
		t.Errorf("got %q, %v; want c2", got.ID, err)
	}
	for _, id := range []string{"d1", "d2"} { // without a key nothing is shared
		d := aCluster(id, "")
		commit(t, s, environment.Change{Cluster: &d})
	}
	first.Version, first.State = 2, environment.StateDeleted
	commit(t, s, environment.Change{Cluster: &first})
	for all, want := range map[bool]int{false: 3, true: 4} {
		if got, err := s.Clusters(t.Context(), all); len(got) != want || err != nil {
			t.Errorf("Clusters(%v): got %d, %v; want %d", all, len(got), err, want)
		}
	}
}

// testTenClients is ten clients asking for the same thing at once.
func testTenClients(t *testing.T, url fresh) {
	s := open(t, url(t))
	errs := make(chan error, 10)
	for i := range 10 {
		go func() {
			e, c := anEnvironment(fmt.Sprintf("e%d", i)), aCluster(fmt.Sprintf("c%d", i), "k")
			e.Owner = "s1"
			errs <- s.Commit(context.Background(), environment.Change{Environment: &e, Cluster: &c, Wake: wakeEnvironment(e.ID),
				Events: []environment.Event{{Environment: e.ID}}})
		}()
	}
	won := 0
	for range 10 {
		if err := receive(t, errs, "a client"); err == nil {
			won++
		} else {
			wantCode(t, err, environment.CodeConflict)
		}
	}
	items, _, err := s.Environments(t.Context(), environment.Filter{})
	if won != 1 || len(items) != 1 || err != nil {
		t.Errorf("%d clients won and %d environments exist, %v; want 1 and 1", won, len(items), err)
	}
}

// testCompareAndSwap compares the store with a map through random writes.
// testWithin: ten clients ask at once for what a limit of three allows.
func testWithin(t *testing.T, url fresh) {
	s := open(t, url(t))
	full := environment.Errorf(environment.CodeQuota, "Full.")
	codes := make(chan environment.Code, 10)
	for i := range 10 {
		go func() {
			e := anEnvironment(fmt.Sprintf("e%d", i))
			e.Owner, e.Profile = "alice", fmt.Sprintf("p%d", i)
			codes <- environment.CodeOf(s.Commit(t.Context(), environment.Change{Environment: &e,
				Events: []environment.Event{{Environment: e.ID, Type: environment.EventRequested}},
				Within: []environment.Bound{{Owner: "alice", Max: 3, Refusal: full}}}))
		}()
	}
	made := 0
	for range 10 {
		switch code := <-codes; code {
		case "":
			made++
		case environment.CodeQuota:
		default:
			t.Errorf("got code %s; want none or quota", code)
		}
	}
	if n, err := s.CountLive(t.Context(), "alice", ""); made != 3 || n != 3 || err != nil {
		t.Errorf("got %d made and %d live (%v); want 3 and 3", made, n, err)
	}
}

func testCompareAndSwap(t *testing.T, url fresh) {
	s, run := open(t, url(t)), 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		model := map[string]environment.Environment{}
		for range rapid.IntRange(1, 12).Draw(rt, "writes") {
			e := anEnvironment(fmt.Sprintf("r%d-%d", run, rapid.IntRange(0, 2).Draw(rt, "id")))
			e.Message = rapid.String().Filter(printable).Draw(rt, "message")
			e.Version = rapid.Int64Range(0, 4).Draw(rt, "version")
			want := environment.Code("")
			if model[e.ID].Version != e.Version {
				want = environment.CodeConflict
			}
			if got := environment.CodeOf(s.Commit(context.Background(), environment.Change{Environment: &e})); got != want {
				rt.Fatalf("Commit at version %d of %d: got %q; want %q", e.Version, model[e.ID].Version, got, want)
			}
			if want == "" {
				e.Version++
				model[e.ID] = e
			}
		}
		for id, want := range model {
			got, err := s.Environment(context.Background(), id)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(want, got, secretText); diff != "" {
				rt.Fatalf("Environment (-want +got):\n%s", diff)
			}
		}
	})
}

// printable: messages are sentences, and JSON replaces what is not UTF-8.
func printable(text string) bool {
	for _, r := range text {
		if r < ' ' || r == '\uFFFD' {
			return false
		}
	}
	return true
}

// testKilled: what Commit said is written is there after kill -9, whole, and
// nothing is half there.
func testKilled(t *testing.T, url fresh) {
	u := url(t)
	open(t, u).Close() // the tables
	lines, kill := startChild(t, u, partWrite)
	var said []string
	for range 50 {
		said = append(said, receive(t, lines, "a commit"))
	}
	kill()
	for line := range lines {
		said = append(said, line)
	}
	s := open(t, u)
	items, _, err := s.Environments(t.Context(), environment.Filter{})
	if err != nil || len(items) < len(said) || len(items) > len(said)+1 {
		t.Errorf("%d environments, %v; want the %d that were said to be written, and at most the one after", len(items), err, len(said))
	}
	work, done := passes(0)
	run(t, s, work)
	looked := map[string]bool{}
	for range items {
		looked[receive(t, done, "a pass").ID] = true
	}
	for _, e := range items {
		events, err := s.Events(t.Context(), e.ID, 0, 0)
		if err != nil || len(events) != 1 || !looked[e.ID] {
			t.Errorf("%s: %d events, %v, looked at %v; want one and true", e.ID, len(events), err, looked[e.ID])
		}
	}
}
