package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

func TestANotesSecretIsSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daskbot.db")
	config := store.Config{URL: "sqlite:" + path, Key: bytes.Repeat([]byte{1}, 32)}
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	n := environment.Note{Key: "k", Value: "1", Secret: environment.NewSecret("xoxb-the-secret")}
	commit(t, s, environment.Change{Note: &n})
	if got, err := s.Note(t.Context(), "k"); got.Secret != n.Secret || err != nil {
		t.Errorf("got %v; want the secret back", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal("no database", err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("the-secret")) {
			t.Errorf("%s shows the secret, or %v", filepath.Base(file), err)
		}
	}
	config.Key = bytes.Repeat([]byte{2}, 32)
	if s, err = store.Open(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Note(t.Context(), "k")
	wantCode(t, err, environment.CodeUnavailable)
}
