package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/daskbot/daskbot/internal/environment"
)

// format is how answers are printed.
type format string

const (
	asTable format = "table"
	asJSON  format = "json"
	asYAML  format = "yaml"
)

// String, Set and Type make it a flag that refuses other words.
func (f *format) String() string { return string(*f) }

// Set takes table, json or yaml.
func (f *format) Set(word string) error {
	switch got := format(word); got {
	case asTable, asJSON, asYAML:
		*f = got
		return nil
	}
	return fmt.Errorf("choose table, json or yaml")
}

// Type is shown in help texts.
func (f *format) Type() string { return "table|json|yaml" }

// print writes an answer: as the daemon sent it, or as table draws it.
func (f format) print(w io.Writer, raw []byte, table func(io.Writer) error) error {
	switch f {
	case asJSON:
		var out bytes.Buffer
		if err := json.Indent(&out, raw, "", "  "); err != nil {
			return fmt.Errorf("print JSON: %w", err)
		}
		_, err := fmt.Fprintln(w, strings.TrimRight(out.String(), "\n"))
		return err
	case asYAML:
		out, err := yaml.JSONToYAML(raw)
		if err != nil {
			return fmt.Errorf("print YAML: %w", err)
		}
		_, err = w.Write(out)
		return err
	default:
		return table(w)
	}
}

// say prints what the client itself knows, for what the daemon answers with
// nothing or with text.
func (f format) say(w io.Writer, what any, table func(io.Writer) error) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return f.print(w, raw, table)
}

// rows draws a table with a header; columns are separated by two spaces.
func rows(w io.Writer, header []string, lines [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range append([][]string{header}, lines...) {
		cells := make([]string, len(line))
		for i, cell := range line {
			cells[i] = orDash(oneLine(cell))
		}
		_, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) // Flush reports it
	}
	return t.Flush()
}

// pair is a line of a table of facts.
type pair struct{ name, value string }

// facts draws names and values; empty values are left out.
func facts(w io.Writer, pairs []pair) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range pairs {
		if p.value != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", p.name, oneLine(p.value)) // Flush reports it
		}
	}
	return t.Flush()
}

// oneLine keeps what came from elsewhere from drawing its own lines, colours
// or cursor movements in a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

func orDash(cell string) string {
	if cell == "" {
		return "-"
	}
	return cell
}

// clock prints a time for a person: in their zone, without the date today.
func (w World) clock(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	local, now := t.In(w.Zone), w.Now().In(w.Zone)
	if local.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return local.Format("15:04")
	}
	return local.Format("2006-01-02 15:04")
}

// clockAndDistance adds how far away a time is.
func (w World) clockAndDistance(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	d := t.Sub(w.Now())
	if d < 0 {
		return fmt.Sprintf("%s (%s ago)", w.clock(t), roughly(-d))
	}
	return fmt.Sprintf("%s (in %s)", w.clock(t), roughly(d))
}

// roughly prints a duration as people say it.
func roughly(d time.Duration) string {
	if d < time.Hour {
		return environment.FormatDuration(d.Round(time.Second))
	}
	return environment.FormatDuration(d.Round(time.Minute))
}

// count says "1 pod" or "2 pods".
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
