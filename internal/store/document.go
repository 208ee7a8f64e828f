package store

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// encode turns a noun into the document of its row.
func encode(noun any) (string, error) {
	text, err := json.Marshal(noun)
	return string(text), err
}

// decode is the inverse of encode. Numbers without a type of their own come
// back as json.Number, which only Helm values have; see restoreValues.
func decode(document string, noun any) error {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	return d.Decode(noun)
}

// restoreValues gives the numbers in Helm values the types they have in YAML.
// JSON alone would make every integer a float, which templates print as 1e+06.
func restoreValues(releases []environment.Release) {
	for _, r := range releases {
		for key, value := range r.Values {
			r.Values[key] = restored(value)
		}
	}
}

func restored(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		f, _ := v.Float64() // cannot fail: the text was a JSON number
		return f
	case map[string]any:
		for key, inner := range v {
			v[key] = restored(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = restored(inner)
		}
	}
	return value
}

// micros is how times are stored in columns; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// flag is how booleans are stored, alike on both databases.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// row is what *sql.Row and *sql.Rows have in common.
type row interface{ Scan(dest ...any) error }

// rows is the part of *sql.Rows that collect needs.
type rows interface {
	row
	Next() bool
	Err() error
	Close() error
}

// collect reads all rows with scan and closes them.
func collect[T any](rs rows, scan func(row) (T, error)) (items []T, err error) {
	defer func() { err = errors.Join(err, rs.Close()) }()
	for rs.Next() {
		item, err := scan(rs)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rs.Err()
}
