package store_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// TestPeopleOfTheFirstVersionAreFound takes a database back to its first
// tables and opens it again.
func TestPeopleOfTheFirstVersionAreFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daskbot.db")
	s, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, environment.Change{Person: &environment.Person{Subject: "ann", SlackID: "T1:U1", Email: "Ann@example.edu"}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`DROP INDEX people_email`, `DROP INDEX people_slack_id`, `DROP TABLE notes`, `ALTER TABLE people DROP COLUMN email`,
		`ALTER TABLE people DROP COLUMN slack_id`, `DROP TABLE uses`, `DELETE FROM goose_db_version WHERE version_id > 1`} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, "sqlite:"+path)
	if p, err := s.PersonBySlack(t.Context(), "T1:U1"); p.Subject != "ann" || err != nil {
		t.Errorf("by Slack account: got %q, %v; want ann", p.Subject, err)
	}
	if p, err := s.PersonByEmail(t.Context(), "ann@example.edu"); p.Subject != "ann" || err != nil {
		t.Errorf("by e-mail: got %q, %v; want ann", p.Subject, err)
	}
}
