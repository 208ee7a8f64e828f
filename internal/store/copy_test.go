package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// both runs a test on each kind of database.
func both(t *testing.T, test func(*testing.T, fresh)) {
	for name, url := range map[string]fresh{"SQLite": freshSQLite, "PostgreSQL": freshPostgres} {
		t.Run(name, func(t *testing.T) { test(t, url) })
	}
}

// fill puts something of everything into a store.
func fill(tb testing.TB, s *store.Store) {
	tb.Helper()
	for n := range 300 {
		e := anEnvironment(fmt.Sprintf("e%03d", n))
		e.Secrets = environment.Secrets{environment.SecretPassword: environment.NewSecret("pass " + e.ID)}
		commit(tb, s, environment.Change{Environment: &e, Wake: wakeEnvironment(e.ID), Events: []environment.Event{{Environment: e.ID}, {Environment: e.ID}},
			Uses: []environment.Use{{Environment: e.ID, Ever: true}}})
	}
	c, p := aCluster("c1", "k"), environment.Person{Subject: "ann", Email: "Ann@example.edu", SlackID: "T1:U1"}
	commit(tb, s, environment.Change{Cluster: &c, Person: &p, Replay: &environment.Replay{Caller: "a", Key: "k", Environment: "e001", At: day},
		Token: &environment.Token{ID: "t1", Hash: "h1"}, Note: &environment.Note{Key: "n", Value: "v \x01\u00e9\n"},
		Duration: &environment.Duration{Key: "d", Took: time.Second}})
}

// sameContents compares what two stores answer.
func sameContents(t *testing.T, a, b *store.Store) {
	t.Helper()
	type all struct {
		Envs     []environment.Environment
		Clusters []environment.Cluster
		Events   []environment.Event
		Tokens   []environment.Token
		Person   environment.Person
		Note     environment.Note
		Replay   environment.Replay
		Uses     map[string]environment.Use
		Took     []time.Duration
	}
	read := func(s *store.Store) (got all) {
		ctx := t.Context()
		var errs [9]error
		got.Envs, _, errs[0] = s.Environments(ctx, environment.Filter{})
		got.Clusters, errs[1] = s.Clusters(ctx, true)
		got.Events, errs[2] = s.EventsSince(ctx, 0, 0)
		got.Tokens, errs[3] = s.Tokens(ctx)
		got.Person, errs[4] = s.PersonByEmail(ctx, "ann@example.edu")
		got.Note, errs[5] = s.Note(ctx, "n")
		got.Replay, errs[6] = s.Replay(ctx, "a", "k")
		got.Uses, errs[7] = s.Uses(ctx, []string{"e001", "e299"})
		got.Took, errs[8] = s.Took(ctx, "d")
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		return got
	}
	if diff := cmp.Diff(read(a), read(b), secretText); diff != "" {
		t.Errorf("contents (-source +copy):\n%s", diff)
	}
}

// TestMigrate copies every kind of store into every other.
func TestMigrate(t *testing.T) {
	for name, kinds := range map[string][2]fresh{
		"SQLite to PostgreSQL": {freshSQLite, freshPostgres},
		"PostgreSQL to SQLite": {freshPostgres, freshSQLite},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := kinds[0](t), kinds[1](t)
			source := open(t, from)
			fill(t, source)
			if err := source.Close(); err != nil {
				t.Fatal(err)
			}
			copied, err := store.Migrate(t.Context(), store.Config{URL: from}, store.Config{URL: to})
			if err != nil {
				t.Fatal(err)
			}
			if copied["environments"] != 300 || copied["environment_secrets"] != 300 || copied["events"] != 600 || copied["people"] != 1 {
				t.Errorf("got %v; want 300 environments with their secrets, 600 events and a person", copied)
			}
			source, target := open(t, from), open(t, to)
			sameContents(t, source, target)
			commit(t, target, environment.Change{Events: []environment.Event{{Environment: "e001", Message: "next"}}})
			if last, _ := target.EventsSince(t.Context(), 601, 0); len(last) != 1 || last[0].Seq != 602 { // a sample took 601
				t.Errorf("the copy's next event is %+v; want number 602", last)
			}
			work, done := passes(0)
			run(t, target, work)
			receive(t, done, "a pass over a row of the copy")
			if err := source.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = store.Migrate(t.Context(), store.Config{URL: from}, store.Config{URL: kinds[1](t)})
			if err != nil {
				t.Errorf("the source cannot be copied again: %v", err)
			}
		})
	}
}

// TestWhatNeverWasAStoreIsNotCopied: all of nothing would arrive, and look like
// a success.
func TestWhatNeverWasAStoreIsNotCopied(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"empty": "", "text": strings.Repeat("no database ", 1000)} {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, _ := tables(t, "sqlite:"+file("of another program"))
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE people (name TEXT)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]environment.Code{"missing": environment.CodeNotFound, "empty": environment.CodeInvalid,
		"text": environment.CodeInvalid, "of another program": environment.CodeInvalid} {
		for does, copied := range map[string]func() (store.Copied, error){
			"Restore": func() (store.Copied, error) {
				return store.Restore(t.Context(), store.Config{URL: freshSQLite(t)}, file(name))
			},
			"Migrate": func() (store.Copied, error) {
				return store.Migrate(t.Context(), store.Config{URL: "sqlite:" + file(name)}, store.Config{URL: freshSQLite(t)})
			},
		} {
			got, err := copied()
			if environment.CodeOf(err) != want || !strings.Contains(environment.MessageOf(err), file(name)) {
				t.Errorf("%s of a file that is %s: got %v, %v; want %q with its name", does, name, got, err, want)
			}
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("files: got %v, %v; want the three that were there, and none made", left, err)
	}
}

// TestAStoreIsFoundWhereverItsPathBegins: people name files from where they are,
// and names may hold what means something in an address.
func TestAStoreIsFoundWhereverItsPathBegins(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, file := range []string{"old.db", "./here/old.db", "odd ?#%41.db"} {
		url := "sqlite:" + file
		from := open(t, url)
		e := anEnvironment("e1")
		commit(t, from, environment.Change{Environment: &e})
		if err := from.Close(); err != nil {
			t.Fatal(err)
		}
		if c, err := store.Examine(t.Context(), store.Config{URL: url}); err != nil || c.New {
			t.Errorf("%s: examined as %+v, %v; want a store", file, c, err)
		}
		if _, err := store.Migrate(t.Context(), store.Config{URL: url}, store.Config{URL: freshSQLite(t)}); err != nil {
			t.Errorf("%s: got %v; want it copied", file, err)
		}
	}
}

// TestMigrateRefusesANonEmptyStore and leaves it as it is.
func TestMigrateRefusesANonEmptyStore(t *testing.T) {
	both(t, func(t *testing.T, url fresh) {
		from, to := open(t, freshSQLite(t)), open(t, url(t))
		fill(t, from)
		commit(t, to, environment.Change{Note: &environment.Note{Key: "mine"}, Events: []environment.Event{{Environment: "x"}}})
		_, err := from.CopyTo(t.Context(), to)
		wantCode(t, err, environment.CodeConflict)
		if got, _ := to.EventsSince(t.Context(), 0, 0); len(got) != 1 {
			t.Errorf("it has %d events; want its own", len(got))
		}
		if envs, _, _ := to.Environments(t.Context(), environment.Filter{}); len(envs) != 0 {
			t.Errorf("%d environments arrived; want none", len(envs))
		}
	})
}

// TestAnInterruptedCopyLeavesNothing: so that it can be begun again.
func TestAnInterruptedCopyLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, url fresh) {
		from, to := open(t, freshSQLite(t)), open(t, url(t))
		fill(t, from)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		defer cancel()
		if _, err := from.CopyTo(ctx, to); err == nil {
			t.Skip("it was faster than the interruption")
		}
		if _, err := from.CopyTo(t.Context(), to); err != nil {
			t.Fatalf("again: %v", err)
		}
		sameContents(t, from, to)
	})
}

// TestBackupOfAStoreInUse: a backup shows one moment, and restores into
// either kind of store.
func TestBackupOfAStoreInUse(t *testing.T) {
	both(t, func(t *testing.T, url fresh) {
		from := url(t)
		key := []byte("0123456789abcdef")
		s, err := store.Open(t.Context(), store.Config{URL: from, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		fill(t, s)
		file := filepath.Join(t.TempDir(), "backup")
		if err := store.Backup(t.Context(), store.Config{URL: from}, file); err != nil {
			t.Fatal(err)
		}
		wantCode(t, store.Backup(t.Context(), store.Config{URL: from}, file), environment.CodeConflict)
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file: %v, %v; want mode 0600", info.Mode(), err)
		}
		if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
			t.Errorf("left beside it: %v", left)
		}
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, kind := range map[string]fresh{"SQLite": freshSQLite, "PostgreSQL": freshPostgres} {
			t.Run("to "+name, func(t *testing.T) {
				to := kind(t)
				if _, err := store.Restore(t.Context(), store.Config{URL: to}, file); err != nil {
					t.Fatal(err)
				}
				back, err := store.Open(t.Context(), store.Config{URL: to, Key: key})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = back.Close() })
				sameContents(t, s, back)
			})
		}
		if after, _ := os.ReadFile(file); string(after) != string(before) {
			t.Error("restoring changed the backup")
		}
	})
}

// TestRetention: what is over goes when it is old; what is not over stays.
func TestRetention(t *testing.T) {
	both(t, func(t *testing.T, url fresh) {
		s := open(t, url(t))
		now := time.Now().UTC()
		old, recent := now.Add(-48*time.Hour), now.Add(-time.Hour)
		for _, tt := range []struct {
			id    string
			state environment.State
			at    time.Time
		}{{"gone-old", environment.StateDeleted, old}, {"live-old", environment.StateReady, old}, {"gone-new", environment.StateDeleted, recent}} {
			e := anEnvironment(tt.id)
			e.State = tt.state
			if tt.state == environment.StateDeleted {
				e.DeletedAt = tt.at
			}
			commit(t, s, environment.Change{Environment: &e, Note: &environment.Note{Key: "notify/slack/" + tt.id, Value: "{}"},
				Events: []environment.Event{{Environment: tt.id, At: tt.at}, {At: tt.at}}, Replay: &environment.Replay{Caller: "c", Key: tt.id, At: tt.at}})
		}
		commit(t, s, environment.Change{Note: &environment.Note{Key: "notify/slack", Value: "the cursor"}})
		gone, err := s.Prune(t.Context(), store.Retention{Events: 24 * time.Hour, Deliveries: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		// Of the first the event and of both old ones that of nothing; two keys, one memory.
		if want := (store.Pruned{Events: 3, Deliveries: 3}); gone != want {
			t.Errorf("got %+v; want %+v", gone, want)
		}
		for id, want := range map[string]int{"gone-old": 0, "live-old": 1, "gone-new": 1} {
			if left, err := s.Events(t.Context(), id, 0, 0); len(left) != want || err != nil {
				t.Errorf("%s has %d events, %v; want %d", id, len(left), err, want)
			}
		}
		if _, err := s.Note(t.Context(), "notify/slack/gone-old"); environment.CodeOf(err) != environment.CodeNotFound {
			t.Errorf("the memory of what is long over: %v; want none", err)
		}
		for _, key := range []string{"notify/slack", "notify/slack/live-old", "notify/slack/gone-new"} {
			if _, err := s.Note(t.Context(), key); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		if gone, err := s.Prune(t.Context(), store.Retention{}); gone != (store.Pruned{}) || err != nil {
			t.Errorf("without a limit: got %+v, %v; want that nothing is pruned", gone, err)
		}
	})
}

// TestOrdersThatAreOverGo: a command for a class goes when it was carried out
// long ago, with what notifiers remember of it; one that waits stays, and so
// does what keeps somebody from being told twice.
func TestOrdersThatAreOverGo(t *testing.T) {
	both(t, func(t *testing.T, url fresh) {
		s := open(t, url(t))
		now := time.Now().UTC()
		for id, done := range map[string]time.Time{"old": now.Add(-48 * time.Hour), "new": now.Add(-time.Hour), "open": {}, "told": now.Add(-48 * time.Hour)} {
			action := environment.ScheduleUp
			if id == "told" {
				action = "told"
			}
			value, err := json.Marshal(environment.CourseOrder{ID: id, Course: "de", Action: action, At: now.Add(-72 * time.Hour), Done: done})
			if err != nil {
				t.Fatal(err)
			}
			commit(t, s, environment.Change{Note: &environment.Note{Key: "order/" + id, Value: string(value)}})
			commit(t, s, environment.Change{Note: &environment.Note{Key: "notify/slack/" + id, Value: "{}"}})
		}
		gone, err := s.Prune(t.Context(), store.Retention{Deliveries: 24 * time.Hour})
		if want := (store.Pruned{Deliveries: 2}); gone != want || err != nil {
			t.Errorf("got %+v, %v; want %+v", gone, err, want)
		}
		for key, want := range map[string]environment.Code{"order/old": environment.CodeNotFound, "notify/slack/old": environment.CodeNotFound,
			"order/new": "", "notify/slack/new": "", "order/open": "", "order/told": "", "notify/slack/open": ""} {
			if _, err := s.Note(t.Context(), key); environment.CodeOf(err) != want {
				t.Errorf("%s: got %v; want code %q", key, err, want)
			}
		}
	})
}
