package store_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// childURL makes the test program play a daemon that is going to be killed,
// and childPart which one.
const (
	childURL  = "DASKBOT_STORE_TEST_CHILD"
	childPart = "DASKBOT_STORE_TEST_PART"
)

// The parts of a child.
const (
	partWork  = "work"  // take every job, say so and hold it
	partWrite = "write" // commit without end, saying what is committed
	partLead  = "lead"  // lead, say so, and then as partWork
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		os.Exit(child(url))
	}
	code := m.Run()
	for _, f := range slices.Backward(exits) {
		f()
	}
	os.Exit(code)
}

var exits []func()

// atExit has f called after all tests, the last one first.
func atExit(f func()) { exits = append(exits, f) }

// fresh gives the URL of an empty database.
type fresh func(tb testing.TB) string

func freshSQLite(tb testing.TB) string {
	return "sqlite:" + filepath.Join(tb.TempDir(), "daskbot.db")
}

func open(tb testing.TB, url string) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{URL: url, Log: slog.New(slog.NewTextHandler(tb.Output(), nil))})
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// run starts the queue and returns a function that stops it and waits.
func run(tb testing.TB, s *store.Store, work environment.Work) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, work) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := receive(tb, done, "Run to return"); err != nil {
			tb.Errorf("Run: %v", err)
		}
	}
	tb.Cleanup(stop)
	return stop
}

// patience is how long a test waits for what comes at once on a machine with
// nothing else to do. It is less than what makes up for a lost wake-up:
// store.RescueAfter.
const patience = time.Minute

// receive waits for a value, and fails the test when none comes.
func receive[T any](tb testing.TB, ch <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		tb.Fatalf("waited %s for %s", patience, what)
		panic("unreachable")
	}
}

func commit(tb testing.TB, s *store.Store, change environment.Change) {
	tb.Helper()
	if err := s.Commit(context.Background(), change); err != nil {
		tb.Fatalf("Commit: %v", err)
	}
}

var day = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func anEnvironment(id string) environment.Environment {
	return environment.Environment{
		ID: id, Owner: "owner-" + id, Course: "dask101", Profile: "daskhub", Desired: environment.Present,
		State: environment.StatePending, Phase: environment.PhaseQueued, CreatedAt: day, Generation: 1,
	}
}

func wakeEnvironment(id string) []environment.Job {
	return []environment.Job{{Kind: environment.JobEnvironment, ID: id, Urgency: environment.UrgencyPerson}}
}

func wantCode(tb testing.TB, err error, want environment.Code) {
	tb.Helper()
	if got := environment.CodeOf(err); got != want {
		tb.Errorf("got error %v with code %q; want code %q", err, got, want)
	}
}

// child plays its part until it is killed.
func child(url string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URL: url})
	if err != nil {
		fmt.Println("refused", environment.CodeOf(err))
		return 1
	}
	if os.Getenv(childPart) == partWrite {
		return writeForEver(ctx, s)
	}
	if os.Getenv(childPart) == partLead {
		led := make(chan struct{})
		go func() {
			_ = s.Lead(ctx, func(ctx context.Context) error {
				fmt.Println("leading")
				close(led)
				<-ctx.Done()
				return nil
			})
		}()
		<-led
	}
	err = s.Run(ctx, func(ctx context.Context, job environment.Job) (time.Duration, error) {
		fmt.Println("working", job.ID)
		<-ctx.Done()
		return 0, ctx.Err()
	})
	fmt.Println("ended", err)
	return 1
}

func writeForEver(ctx context.Context, s *store.Store) int {
	for i := 0; ; i++ {
		e := anEnvironment(fmt.Sprintf("e%d", i))
		err := s.Commit(ctx, environment.Change{Environment: &e, Wake: wakeEnvironment(e.ID),
			Events: []environment.Event{{Environment: e.ID, Type: environment.EventRequested}}})
		if err != nil {
			fmt.Println("refused", err)
			return 1
		}
		fmt.Println(e.ID)
	}
}

// startChild runs this program as a daemon on the database, and returns the
// lines it says and a function that kills it as kill -9 does.
func startChild(tb testing.TB, url, part string) (lines <-chan string, kill func()) {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url, childPart+"="+part)
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	said := make(chan string, 10_000)
	go func() {
		defer close(said)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			said <- strings.TrimSpace(sc.Text())
		}
	}()
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	tb.Cleanup(kill)
	return said, kill
}
