package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daskbot/daskbot/internal/environment"
)

// mostBadLines bounds how many bad lines are listed.
const mostBadLines = 100

// column is one kind of column of a roster, with what it is called where
// rosters come from.
type column struct {
	name    string
	aliases []string
	of      func(*Member) *string
	example string
}

var columns = []column{
	{"email", []string{"e-mail", "email address", "e-mail address", "mail", "sis login id", "login id"}, func(m *Member) *string { return &m.Email }, "alice@example.edu"},
	{"name", []string{"full name", "student", "student name"}, func(m *Member) *string { return &m.Name }, "Alice Liddell"},
	{"subject", nil, func(m *Member) *string { return &m.Subject }, "alice@example.edu"},
	{"lmsId", []string{"lms id", "id", "user id", "id number"}, func(m *Member) *string { return &m.LMSID }, "4711"},
	{"slackId", []string{"slack id", "slack"}, func(m *Member) *string { return &m.SlackID }, "U012AB3CD"},
	{"project", []string{"gcp project", "google cloud project"}, func(m *Member) *string { return &m.Project }, "alice-credits-2026"},
	{"role", nil, func(m *Member) *string { return &m.Role }, "student"},
}

func columnNamed(title string) *column {
	title = strings.ToLower(strings.TrimSpace(title))
	i := slices.IndexFunc(columns, func(c column) bool { return strings.ToLower(c.name) == title || slices.Contains(c.aliases, title) })
	if i < 0 {
		return nil
	}
	return &columns[i]
}

// rosterReader reads a list line by line and notes what is wrong with it.
type rosterReader struct {
	csv     *csv.Reader
	columns []*column // nil for one that says nothing here
	good    []environment.Member
	bad     []FieldError
	seen    map[string]int // who was in which line
	nobodys int            // lines that are about no person
}

// readRoster reads a CSV list: a header line that names columns in any order,
// then a member a line. The separator is the comma, semicolon or tab that the
// header uses. Columns it does not know are left out. It returns the good lines,
// and every bad one with its number, what is wrong, and what would do. Of a file
// that cannot be read to its end no line is good: who would be missing is not
// known.
func readRoster(text []byte) ([]environment.Member, []FieldError) {
	text = withLines(bytes.TrimPrefix(text, []byte("\ufeff")))
	r := &rosterReader{csv: csv.NewReader(bytes.NewReader(text)), seen: map[string]int{}}
	if !utf8.Valid(text) {
		r.refuse(1, "file", "it is not UTF-8; save it as \"CSV UTF-8\"", "")
		return nil, r.bad
	}
	r.csv.Comma, r.csv.FieldsPerRecord = separator(text), -1
	// Where tabs separate, the reader would take empty cells for space to trim,
	// and what is behind them for their contents.
	r.csv.TrimLeadingSpace = r.csv.Comma != '\t'
	if r.header() {
		for r.line() {
		}
	}
	if r.nobodys > 0 && len(r.good)+len(r.bad) == 0 { // an empty class has no lines at all
		r.refuse(1, "file", "nobody is in it, only lines about points or the student of a preview", "")
	}
	return r.good, r.bad
}

// withLines is a list whose lines end as the reader expects. Spreadsheets offer
// the old Macintosh's carriage returns, too, by which all of a list would be its
// header: one of a class in which nobody is.
func withLines(text []byte) []byte {
	header, _, _ := bytes.Cut(text, []byte("\n"))
	if !bytes.Contains(bytes.TrimSuffix(header, []byte("\r")), []byte("\r")) {
		return text
	}
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

// separator is what a header is written with; spreadsheets choose by country.
func separator(text []byte) rune {
	header, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		if n := bytes.Count(header, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

func (r *rosterReader) refuse(line int, field, says, example string) {
	e := FieldError{Field: fmt.Sprintf("line %d, %s", line, field), Message: says + "."}
	if example != "" {
		e.Example = example
	}
	r.bad = append(r.bad, e)
}

func (r *rosterReader) header() bool {
	titles, err := r.csv.Read()
	if err != nil {
		r.refuse(1, "header", "there is no header line that names the columns", "email,name,lmsId")
		return false
	}
	known := false
	for _, title := range titles {
		c := columnNamed(title)
		if c != nil && slices.Contains(r.columns, c) {
			r.refuse(1, c.name, "two columns are for this", "email,name,lmsId")
			return false
		}
		known = known || c != nil && (c.name == "email" || c.name == "subject")
		r.columns = append(r.columns, c)
	}
	if !known {
		r.refuse(1, "header", "no column is named email, so nobody in it is known", "email,name,lmsId")
	}
	return known
}

// line reads one; false at the end.
func (r *rosterReader) line() bool {
	cells, err := r.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return false
	case errors.As(err, &parse):
		r.good = nil
		r.refuse(parse.StartLine, "line", "its quotes do not match, so that nobody knows where the next line begins; double a quote inside of a quoted value", `"Alice ""Al"" Liddell"`)
		return false
	case err != nil:
		r.good = nil
		r.refuse(1, "file", "it cannot be read to its end", "")
		return false
	}
	at, _ := r.csv.FieldPos(0)
	if strings.TrimSpace(strings.Join(cells, "")) == "" {
		return true
	}
	var m Member
	for i, cell := range cells {
		if i < len(r.columns) && r.columns[i] != nil {
			*r.columns[i].of(&m) = bare(strings.TrimSpace(cell))
		}
	}
	m.Role = strings.ToLower(m.Role)
	if nobody(m, cells) {
		r.nobodys++
	} else {
		r.take(at, m)
	}
	return true
}

// nobody reports whether a line of Canvas's gradebook is about no person: the
// points that can be had, which grades are posted by hand, and the student of
// the teachers' preview.
func nobody(m Member, cells []string) bool {
	if m.Email != "" || m.Subject != "" {
		return false
	}
	if m.Name == "Points Possible" || m.Name == "Student, Test" {
		return true
	}
	return m == Member{} && !slices.ContainsFunc(cells, func(cell string) bool {
		text := strings.TrimSpace(cell)
		return text != "" && text != "Manual Posting"
	})
}

// take keeps a good member and notes what is wrong with a bad one.
func (r *rosterReader) take(at int, m Member) {
	got, err := m.member().Check()
	if err != nil {
		var e *environment.Error
		field := "line"
		if errors.As(err, &e) && e.Field != "" {
			field = e.Field[strings.LastIndex(e.Field, ".")+1:]
		}
		example := ""
		if c := columnNamed(field); c != nil {
			example = c.example
		} else {
			field = "line"
		}
		r.refuse(at, field, strings.TrimSuffix(environment.MessageOf(err), "."), example)
		return
	}
	keys := map[string]string{"subject": got.Subject, "email": got.Email, "lmsId": got.LMSID, "slackId": got.SlackID}
	for _, field := range []string{"subject", "email", "lmsId", "slackId"} {
		if first, twice := r.seen[field+" "+keys[field]]; twice && keys[field] != "" {
			r.refuse(at, field, fmt.Sprintf("it is the same as in line %d", first), "")
			return
		}
	}
	for field, value := range keys {
		r.seen[field+" "+value] = at
	}
	r.good = append(r.good, got)
}

// formulas are what a spreadsheet takes for the beginning of one, and the mark
// that tells it not to.
const formulas = "=+-@\t\r'"

// quoted keeps a spreadsheet from running what somebody chose as their name.
func quoted(cell string) string {
	if cell != "" && strings.ContainsRune(formulas, rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// bare is the inverse of quoted.
func bare(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(formulas, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}

// writeRoster writes a list that readRoster reads, and that does nothing in a
// spreadsheet.
func writeRoster(members []environment.Member) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.name
	}
	_ = w.Write(titles) // Flush keeps the error
	for _, m := range members {
		wired := wireMember(m)
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = quoted(*c.of(&wired))
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return out.Bytes(), w.Error()
}
