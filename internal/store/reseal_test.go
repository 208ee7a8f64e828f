package store_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

func testKeyIsRotated(t *testing.T, url fresh) {
	at := url(t)
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	with := func(key []byte, old ...[]byte) *store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), store.Config{URL: at, Key: key, OldKeys: old})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	password := func(s *store.Store) string {
		t.Helper()
		defer func() { _ = s.Close() }()
		e, err := s.Environment(t.Context(), "e1")
		if err != nil {
			return string(environment.CodeOf(err))
		}
		n, err := s.Note(t.Context(), "workspace")
		if err != nil || n.Secret.Reveal() != "xoxb" {
			t.Errorf("the note: %v", err)
		}
		return e.Secrets["password"].Reveal()
	}
	s := with(nil) // in the clear at first
	e := anEnvironment("e1")
	e.Secrets = environment.Secrets{"password": environment.NewSecret("hunter2")}
	commit(t, s, environment.Change{Environment: &e, Note: &environment.Note{Key: "workspace", Secret: environment.NewSecret("xoxb")}})
	_ = s.Close()

	for _, step := range []struct {
		name string
		s    func() *store.Store
		want store.Sealed
	}{
		{"a key is introduced", func() *store.Store { return with(first) }, store.Sealed{Old: 2}},
		{"again", func() *store.Store { return with(first) }, store.Sealed{Current: 2}},
		{"a replica learns the next key", func() *store.Store { return with(first, second) }, store.Sealed{Current: 2}},
		{"the key is rotated", func() *store.Store { return with(second, first) }, store.Sealed{Old: 2}},
		{"the old one is gone", func() *store.Store { return with(second) }, store.Sealed{Current: 2}},
		{"a wrong key", func() *store.Store { return with(bytes.Repeat([]byte{3}, 32)) }, store.Sealed{Unreadable: 2}},
	} {
		s := step.s()
		got, err := s.Reseal(t.Context())
		if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
			t.Errorf("%s: (-want +got)\n%s%v", step.name, diff, err)
		}
		_ = s.Close()
	}
	if got := password(with(second)); got != "hunter2" {
		t.Errorf("after all that the password is %q; want hunter2", got)
	}
	if got := password(with(first)); got != string(environment.CodeUnavailable) {
		t.Errorf("the old key opens it: %q", got)
	}
}
