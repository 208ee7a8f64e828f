package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// Copied is how many rows of each table were copied.
type Copied map[string]int

// Total is the number of all rows.
func (c Copied) Total() (n int) {
	for _, rows := range c {
		n += rows
	}
	return n
}

// CopyTo copies everything but the queue, which holds no truth, into an empty
// store of the same version, and compares what arrived with what was sent. It
// reads one moment of this store, which may be in use, and writes all or
// nothing: after an error, begin again.
//
// CodeConflict means that the other store is not empty, or of another version.
func (s *Store) CopyTo(ctx context.Context, to *Store) (Copied, error) {
	copied := Copied{}
	from, err := s.reads.BeginTx(ctx, &sql.TxOptions{Isolation: s.back.snapshot, ReadOnly: true})
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = from.Rollback() }() // it only reads
	err = to.attempt(ctx, func(into *sql.Tx) error {
		tables, err := s.tables(ctx, from)
		if err != nil {
			return err
		}
		if err := sameVersion(ctx, from, into); err != nil {
			return err
		}
		if err := empty(ctx, into, tables); err != nil {
			return err
		}
		for _, table := range tables {
			if copied[table], err = copyTable(ctx, from, into, table); err != nil {
				return fmt.Errorf("copy %s: %w", table, err)
			}
		}
		return nil
	})
	return copied, translate(err)
}

// notCopied are tables of the tools below, and the wake-ups, which the next
// Run makes again.
func notCopied(table string) bool {
	return table == "wakeups" || table == "goose_db_version" || strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "sqlite_")
}

// tables lists what there is to copy.
func (s *Store) tables(ctx context.Context, tx *sql.Tx) ([]string, error) {
	rs, err := tx.QueryContext(ctx, s.back.listTables)
	if err != nil {
		return nil, err
	}
	all, err := collect(rs, func(r row) (name string, err error) {
		err = r.Scan(&name)
		return name, err
	})
	all = slices.DeleteFunc(all, notCopied)
	slices.Sort(all)
	return all, err
}

// sameVersion refuses stores of different versions.
func sameVersion(ctx context.Context, from, into *sql.Tx) error {
	const text = `SELECT MAX(version_id) FROM goose_db_version`
	var a, b int64
	if err := cmp.Or(from.QueryRowContext(ctx, text).Scan(&a), into.QueryRowContext(ctx, text).Scan(&b)); err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if a != b {
		return environment.Errorf(environment.CodeConflict, "The tables are of version %d there and of version %d here; use the daskbot that wrote them.", a, b)
	}
	return nil
}

// empty refuses a store that holds anything.
func empty(ctx context.Context, tx *sql.Tx, tables []string) error {
	for _, table := range tables {
		if table == "counters" {
			continue // made with the tables
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
			return fmt.Errorf("count %s: %w", table, err)
		}
		if n > 0 {
			return environment.Errorf(environment.CodeConflict, "The store to write to is not empty: it has %d rows in %s. Give an empty one.", n, table)
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM counters`)
	return err
}

// placesAtOnce bounds the values of one INSERT; both databases take more.
const placesAtOnce = 2000

// copyTable copies the rows of one table and reads them again.
func copyTable(ctx context.Context, from, into *sql.Tx, table string) (int, error) {
	rs, err := from.QueryContext(ctx, `SELECT * FROM `+table)
	if err != nil {
		return 0, err
	}
	columns, err := rs.Columns()
	if err != nil {
		return 0, errors.Join(err, rs.Close())
	}
	var sent digest
	var waiting [][]any
	flush := func() error {
		defer func() { waiting = waiting[:0] }()
		return insertRows(ctx, into, table, columns, waiting)
	}
	_, err = collect(rs, func(r row) (none struct{}, err error) {
		values, err := scanAll(r, len(columns))
		if err != nil {
			return none, err
		}
		sent.add(values)
		waiting = append(waiting, values)
		if len(waiting)*len(columns) >= placesAtOnce {
			err = flush()
		}
		return none, err
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return 0, err
	}
	return sent.rows, arrived(ctx, into, table, columns, sent)
}

func scanAll(r row, n int) ([]any, error) {
	values, into := make([]any, n), make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	err := r.Scan(into...)
	return values, err
}

func insertRows(ctx context.Context, tx *sql.Tx, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	q := &query{}
	places := make([]string, len(rows))
	for i, values := range rows {
		each := make([]string, len(values))
		for j, v := range values {
			each[j] = q.arg(v)
		}
		places[i] = "(" + strings.Join(each, ", ") + ")"
	}
	text := `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `) VALUES ` + strings.Join(places, ", ")
	_, err := tx.ExecContext(ctx, text, q.args...)
	return err
}

// arrived reads a table that was written and compares.
func arrived(ctx context.Context, tx *sql.Tx, table string, columns []string, sent digest) error {
	rs, err := tx.QueryContext(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM `+table)
	if err != nil {
		return err
	}
	var got digest
	_, err = collect(rs, func(r row) (none struct{}, err error) {
		values, err := scanAll(r, len(columns))
		got.add(values)
		return none, err
	})
	if err == nil && got != sent {
		err = fmt.Errorf("what arrived differs from what was sent: %d rows of %d", got.rows, sent.rows)
	}
	return err
}

// digest is a fingerprint of rows in any order.
type digest struct {
	rows int
	sum  uint64
}

func (d *digest) add(values []any) {
	h := fnv.New64a()
	for _, v := range values {
		text := fmt.Sprint(v)
		_, _ = h.Write([]byte(strconv.Itoa(len(text)) + ":" + text)) // never fails
	}
	d.rows++
	d.sum += h.Sum64()
}
