package store_test

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// backwards takes the tables of a database back, by the ways down that the
// migrations have.
func backwards(t *testing.T, db *sql.DB, dialect goose.Dialect) *goose.Provider {
	t.Helper()
	drop := func(ctx context.Context, tx *sql.Tx) error {
		for _, text := range []string{`DROP INDEX people_lms_id`, `ALTER TABLE people DROP COLUMN lms_id`} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	}
	p, err := goose.NewProvider(dialect, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true),
		goose.WithGoMigrations(goose.NewGoMigration(3, nil, nil), goose.NewGoMigration(10, nil, &goose.GoFunc{RunTx: drop})))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tables opens the database of a store by itself.
func tables(t *testing.T, url string) (*sql.DB, goose.Dialect) {
	t.Helper()
	driver, source, dialect := "pgx", url, goose.DialectPostgres
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source, dialect = "sqlite", path, goose.DialectSQLite3
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, dialect
}

// TestEveryOlderVersionIsUpgraded takes a database back to the tables of each
// version there was, newest first, and opens it again: who was there is found
// by everything that the newest version finds people by.
func TestEveryOlderVersionIsUpgraded(t *testing.T) {
	both(t, func(t *testing.T, fresh fresh) {
		url := fresh(t)
		reopen := func(use func(*store.Store)) {
			s, err := store.Open(t.Context(), store.Config{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			use(s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		reopen(func(s *store.Store) {
			commit(t, s, environment.Change{Person: &environment.Person{Subject: "ann", SlackID: "T1:U1", Email: "Ann@example.edu", LMSID: "canvas:1"}})
		})
		db, dialect := tables(t, url)
		back := backwards(t, db, dialect)
		versions := back.ListSources()
		for i := len(versions) - 2; i >= 0; i-- {
			version := versions[i].Version
			if _, err := back.DownTo(t.Context(), version); err != nil {
				t.Fatalf("back to version %d: %v", version, err)
			}
			reopen(func(s *store.Store) { findAnn(t, s, version) })
		}
	})
}

func findAnn(t *testing.T, s *store.Store, version int64) {
	t.Helper()
	for by, find := range map[string]func() (environment.Person, error){
		"Slack account":      func() (environment.Person, error) { return s.PersonBySlack(t.Context(), "T1:U1") },
		"e-mail":             func() (environment.Person, error) { return s.PersonByEmail(t.Context(), "ann@example.edu") },
		"account of the LMS": func() (environment.Person, error) { return s.PersonByLMS(t.Context(), "canvas:1") },
	} {
		if p, err := find(); p.Subject != "ann" || err != nil {
			t.Errorf("from version %d, by %s: got %q, %v; want ann", version, by, p.Subject, err)
		}
	}
}
