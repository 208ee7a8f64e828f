package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// openFile opens a database of numbers from 0 to 9 on one connection.
func openFile(t *testing.T) *sql.DB {
	t.Helper()
	db, err := openPrepared(sqliteURL(filepath.Join(t.TempDir(), "test.db"), "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE numbers (n INTEGER PRIMARY KEY); INSERT INTO numbers VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)`); err != nil {
		t.Fatal(err)
	}
	return db
}

// TestOneTextTwiceAtOnce: rows that are being read keep their statement, and
// the same text asked meanwhile has one of its own.
func TestOneTextTwiceAtOnce(t *testing.T) {
	db := openFile(t)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	const text = `SELECT n FROM numbers WHERE n >= $1 ORDER BY n`
	outer, err := tx.QueryContext(t.Context(), text, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = outer.Close() }()
	for want := range 10 {
		var n, inner int
		if !outer.Next() {
			t.Fatalf("the rows ended at %d: %v", want, outer.Err())
		}
		if err := outer.Scan(&n); err != nil || n != want {
			t.Fatalf("got %d, %v; want %d", n, err, want)
		}
		if err := tx.QueryRowContext(t.Context(), text, 9-want).Scan(&inner); err != nil || inner != 9-want {
			t.Fatalf("within: got %d, %v; want %d", inner, err, 9-want)
		}
	}
	if outer.Next() {
		t.Error("there are more rows than numbers")
	}
}

// TestAStatementAfterItsError: one that failed, and one whose table was
// changed, work again.
func TestAStatementAfterItsError(t *testing.T) {
	db := openFile(t)
	const add = `INSERT INTO numbers (n) VALUES ($1)`
	for n := range 20 {
		_, err := db.ExecContext(t.Context(), add, n)
		if fails := n < 10; (err != nil) != fails || fails && !duplicate(err) {
			t.Errorf("%d: got %v; want a duplicate below 10 only", n, err)
		}
		if n == 12 {
			if _, err := db.ExecContext(t.Context(), `ALTER TABLE numbers ADD COLUMN name TEXT`); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStatementsAreBounded: texts without end do not stay.
func TestStatementsAreBounded(t *testing.T) {
	db := openFile(t)
	for i := range 3 * keptStatements {
		var n int
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT n + %d FROM numbers WHERE n = 1`, i)).Scan(&n); err != nil || n != i+1 {
			t.Fatalf("got %d, %v; want %d", n, err, i+1)
		}
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(c any) error {
		if kept := len(c.(*prepared).kept); kept == 0 || kept > keptStatements {
			t.Errorf("%d statements are kept; want some, and at most %d", kept, keptStatements)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
