package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// site is a configuration with an SQLite store, and a key.
func site(t *testing.T, dir, name, key string) (config, database string) {
	t.Helper()
	config, database = filepath.Join(dir, name+".yaml"), filepath.Join(dir, name+".db")
	text := fmt.Sprintf("store: {url: %q, key: {fromEnv: NOT_SET, default: %q}}\n", "sqlite:"+database, key)
	text += "gke: {project: sandbox-project, installation: test, tokenFrom: static, staticToken: {fromEnv: NOT_SET, default: token},\n" +
		"  endpoint: \"127.0.0.1:1\", insecure: true, computeEndpoint: \"http://127.0.0.1:1/compute/v1/\"}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, database
}

// types runs daskbot with a command line; what it printed, and why it failed.
func types(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newRoot(client.World{})
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestBackupAndRestoreAsAnOperatorTypesThem: the way there and back, and what
// is refused on it.
func TestBackupAndRestoreAsAnOperatorTypesThem(t *testing.T) {
	dir := t.TempDir()
	key, other := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	here, database := site(t, dir, "here", key)
	there, _ := site(t, dir, "there", key)
	cfg, err := storeOf(here)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	note := environment.Note{Key: "n", Value: "v", Secret: environment.NewSecret("hunter2")}
	if err := s.Commit(t.Context(), environment.Change{Person: &environment.Person{Subject: "ann"}, Note: &note}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	backup, damaged := filepath.Join(dir, "backup.db"), filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		does    string
		args    []string
		says    string
		refused bool
	}{
		{does: "a backup", args: []string{"backup", backup, "--config", here}, says: "Written to " + backup},
		{does: "another over it", args: []string{"backup", backup, "--config", here}, says: "does not overwrite", refused: true},
		{does: "a file that is damaged", args: []string{"restore", damaged, "--config", there}, refused: true},
		{does: "a file that is not there", args: []string{"restore", filepath.Join(dir, "none.db"), "--config", there}, refused: true},
		{does: "the way back", args: []string{"restore", backup, "--config", there}, says: "1 people."},
		{does: "the way back, again", args: []string{"restore", backup, "--config", there}, says: "not empty", refused: true},
		{does: "to SQLite as if it were PostgreSQL", args: []string{"migrate", "sqlite-to-postgres", database, "--config", there}, says: "is SQLite", refused: true},
		{does: "no configuration", args: []string{"backup", filepath.Join(dir, "x.db")}, says: "config", refused: true},
	} {
		out, err := types(t, step.args...)
		if err != nil {
			out += err.Error()
		}
		if (err != nil) != step.refused || !strings.Contains(out, step.says) {
			t.Errorf("%s: got %v, %q; want refused %v with %q", step.does, err, out, step.refused, step.says)
		}
	}
	opened(t, there, "")
	wrong, _ := site(t, dir, "there", other) // the same store with another key
	opened(t, wrong, environment.CodeUnavailable)
}

// opened reads the note's secret with the key of a configuration.
func opened(t *testing.T, file string, want environment.Code) {
	t.Helper()
	cfg, err := storeOf(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), cfg)
	if err == nil {
		defer func() { _ = s.Close() }() // only read
		var note environment.Note
		note, err = s.Note(t.Context(), "n")
		if err == nil && note.Secret.Reveal() != "hunter2" {
			t.Errorf("got %q; want what was kept", note.Secret.Reveal())
		}
	}
	if environment.CodeOf(err) != want {
		t.Errorf("with %s: got %v; want code %q", file, err, want)
	}
}

// TestABackupThroughAPipe goes the way out of a pod and into another, where
// nothing but the streams leads out.
func TestABackupThroughAPipe(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	key := strings.Repeat("0a", 32)
	here, _ := site(t, dir, "here", key)
	there, _ := site(t, dir, "there", key)
	cfg, err := storeOf(here)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	note := environment.Note{Key: "n", Value: "v", Secret: environment.NewSecret("hunter2")}
	if err := errors.Join(s.Commit(t.Context(), environment.Change{Person: &environment.Person{Subject: "ann"}, Note: &note}), s.Close()); err != nil {
		t.Fatal(err)
	}
	backup, err := piped(t, nil, "backup", "-", "--config", here)
	if err != nil || !bytes.HasPrefix(backup, []byte("SQLite format 3\x00")) {
		t.Fatalf("got %d bytes, %v; want a database and nothing else", len(backup), err)
	}
	if out, err := piped(t, nil, "restore", "-", "--config", there); err == nil {
		t.Errorf("nothing on standard input: got %s; want it refused", out)
	}
	if out, err := piped(t, backup[:len(backup)/2], "restore", "-", "--config", there); err == nil {
		t.Errorf("half of it: got %s; want it refused", out)
	}
	if out, err := piped(t, backup, "restore", "-", "--config", there); err != nil || !strings.Contains(string(out), "1 people.") {
		t.Errorf("got %s, %v; want what was kept", out, err)
	}
	opened(t, there, "")
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v; want nothing", left, err)
	}
}

// piped runs daskbot with standard input, and gives what it wrote to standard
// output.
func piped(t *testing.T, in []byte, args ...string) ([]byte, error) {
	t.Helper()
	cmd := newRoot(client.World{})
	var out bytes.Buffer
	cmd.SetIn(bytes.NewReader(in))
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.Bytes(), err
}
