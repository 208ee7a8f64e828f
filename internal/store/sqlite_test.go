package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// TestCrash kills a process in the middle of a pass. The next one finds the
// rows as they were and goes on at once, without waiting for a rescue by age.
func TestCrash(t *testing.T) {
	url := freshSQLite(t)
	first := open(t, url)
	ids := []string{"e1", "e2", "e3"}
	for _, id := range ids {
		e := anEnvironment(id)
		commit(t, first, environment.Change{Environment: &e, Wake: wakeEnvironment(id)})
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // and again, when the heir is killed too
		lines, kill := startChild(t, url, partWork)
		for range ids {
			if line := receive(t, lines, "the child to work"); !strings.HasPrefix(line, "working ") {
				t.Fatalf("the child said %q; want working", line)
			}
		}
		kill()
	}
	s := open(t, url)
	work, done := passes(0)
	begin := time.Now()
	run(t, s, work)
	for range ids {
		receive(t, done, "a pass")
	}
	if took := time.Since(begin); took > patience {
		t.Errorf("going on took %v; want no wait for a rescue", took)
	}
}

// TestOneProcess: two daemons on one file would both work on every row.
func TestOneProcess(t *testing.T) {
	url := freshSQLite(t)
	path := strings.TrimPrefix(url, "sqlite:")
	s := open(t, url)
	lines, _ := startChild(t, url, partWork)
	if got, want := receive(t, lines, "the child"), "refused conflict"; got != want {
		t.Errorf("the second process said %q; want %q", got, want)
	}
	link := filepath.Join(t.TempDir(), "other.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + link})
	wantCode(t, err, environment.CodeConflict)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, "sqlite:"+link) // free again
}

func TestFileMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a folder?", "daskbot #1.db")
	s := open(t, "sqlite:"+path)
	e := anEnvironment("e1")
	commit(t, s, environment.Change{Environment: &e})
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 3 {
		t.Errorf("got %d files in the folder; want the database, its journal and the lock", len(entries))
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %v; want 0600", entry.Name(), got)
		}
	}
}

// TestSecretsAtRest reads the tables as somebody with a copy of the file does.
func TestSecretsAtRest(t *testing.T) {
	url := freshSQLite(t)
	key := []byte(strings.Repeat("k", 32))
	put := func(key []byte, version int64) {
		s, err := store.Open(t.Context(), store.Config{URL: url, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		e := anEnvironment("e1")
		e.Version = version
		e.Secrets = environment.Secrets{environment.SecretPassword: environment.NewSecret("correct horse")}
		commit(t, s, environment.Change{Environment: &e})
	}
	read := func(key []byte) (string, error) {
		s, err := store.Open(t.Context(), store.Config{URL: url, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		e, err := s.Environment(t.Context(), "e1")
		return e.Secrets[environment.SecretPassword].Reveal(), err
	}
	holds := func() (inRows, inSecrets bool) {
		db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.QueryRow(`SELECT (SELECT document LIKE '%correct horse%' FROM environments),
			(SELECT sealed LIKE '%correct horse%' FROM environment_secrets)`).Scan(&inRows, &inSecrets)
		if err != nil {
			t.Fatal(err)
		}
		return inRows, inSecrets
	}

	put(nil, 0)
	if inRows, inSecrets := holds(); inRows || !inSecrets {
		t.Errorf("without a key: in the rows %v, in the secrets %v; want false, true", inRows, inSecrets)
	}
	if got, err := read(key); got != "correct horse" || err != nil {
		t.Errorf("what was written before there was a key: got %q, %v", got, err)
	}
	put(key, 1)
	if _, inSecrets := holds(); inSecrets {
		t.Error("with a key the password is in the file")
	}
	if got, err := read(key); got != "correct horse" || err != nil {
		t.Errorf("with the key: got %q, %v", got, err)
	}
	for name, wrong := range map[string][]byte{"no key": nil, "another key": []byte(strings.Repeat("x", 32))} {
		got, err := read(wrong)
		wantCode(t, err, environment.CodeUnavailable)
		if got != "" || strings.Contains(environment.MessageOf(err), "horse") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  store.Config
		want environment.Code
	}{
		"no URL":      {store.Config{}, environment.CodeInvalid},
		"no path":     {store.Config{URL: "sqlite:"}, environment.CodeInvalid},
		"mysql":       {store.Config{URL: "mysql://u:hunter2@h/d"}, environment.CodeInvalid},
		"bad URL":     {store.Config{URL: "postgres://u:hunter2@h:port/d"}, environment.CodeInvalid},
		"short key":   {store.Config{URL: freshSQLite(t), Key: []byte("short")}, environment.CodeInvalid},
		"folder":      {store.Config{URL: "sqlite:" + t.TempDir()}, environment.CodeUnavailable},
		"nobody home": {store.Config{URL: "postgres://u:hunter2@127.0.0.1:1/d?connect_timeout=1"}, environment.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Open(t.Context(), c.cfg)
			wantCode(t, err, c.want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the password: %v", err)
			}
		})
	}
}
