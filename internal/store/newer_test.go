package store_test

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/daskbot/daskbot/internal/environment"
)

// raw opens the database beside the store, to play a daskbot of another version.
func raw(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// TestAnOlderVersionKeepsWhatANewerOneWrote: two versions write the same rows
// while replicas are upgraded one by one.
func TestAnOlderVersionKeepsWhatANewerOneWrote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daskbot.db")
	t.Run("SQLite", func(t *testing.T) {
		testNewerFields(t, func(testing.TB) string { return "sqlite:" + path }, func() *sql.DB { return raw(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)") })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := freshPostgres(t)
		testNewerFields(t, func(testing.TB) string { return url }, func() *sql.DB { return raw(t, "pgx", url) })
	})
}

func testNewerFields(t *testing.T, url fresh, beside func() *sql.DB) {
	s := open(t, url(t))
	e := anEnvironment("e1")
	e.Good = &environment.Spec{Workers: 1}
	e.Spec = environment.Spec{Workers: 1, Packages: []string{"a"}}
	e.Recipe.Releases = []environment.Release{{Name: "hub", Values: map[string]any{"gone": 1, "stays": 2}}}
	c, p := aCluster("c1", "k"), environment.Person{Subject: "ann"}
	commit(t, s, environment.Change{Environment: &e, Cluster: &c, Person: &p, Uses: []environment.Use{{Environment: "e1"}}})
	db := beside()
	const newField = `"Hue":{"deep":[1,2.5]},`
	for _, text := range []string{
		`UPDATE environments SET document = '{` + newField + `' || substr(replace(document, '"workers":1', '"workers":1,"burst":9'), 2)`,
		`UPDATE clusters SET document = '{` + newField + `' || substr(document, 2)`,
		`UPDATE people SET document = '{` + newField + `' || substr(document, 2)`,
		`UPDATE uses SET document = '{` + newField + `' || substr(document, 2)`,
	} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	e.Version, c.Version, p.Version = 1, 1, 1
	e.Spec.Workers, e.Good, e.Message = 4, nil, "Changed."
	e.Recipe.Releases[0].Values = map[string]any{"stays": 3}
	commit(t, s, environment.Change{Environment: &e, Cluster: &c, Person: &p, Uses: []environment.Use{{Environment: "e1", Ever: true}}})

	for _, text := range []string{`SELECT document FROM environments`, `SELECT document FROM clusters`, `SELECT document FROM people`, `SELECT document FROM uses`} {
		var document string
		if err := db.QueryRowContext(t.Context(), text).Scan(&document); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Hue  any
			Good any
			Spec map[string]any
		}
		if err := json.Unmarshal([]byte(document), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"deep": []any{1.0, 2.5}}, got.Hue); diff != "" {
			t.Errorf("%s: the newer version's field (-want +got):\n%s", text, diff)
		}
		if got.Good != nil {
			t.Errorf("%s: %v came back for the sake of a field in it", text, got.Good)
		}
		if got.Spec != nil && (got.Spec["burst"] != 9.0 || got.Spec["workers"] != 4.0) {
			t.Errorf("%s: got the spec %v; want burst 9 kept and 4 workers", text, got.Spec)
		}
	}
	back, err := s.Environment(t.Context(), "e1")
	if err != nil || back.Message != "Changed." {
		t.Errorf("got %q, %v; want what was written", back.Message, err)
	}
	if diff := cmp.Diff(map[string]any{"stays": 3}, back.Recipe.Releases[0].Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}
