package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// results are what benchmarks found, with what to know about it.
type results struct {
	values map[string]float64
	notes  []string
}

func (r *results) add(more results) {
	maps.Copy(r.values, more.values)
	r.notes = append(r.notes, more.notes...)
}

// printTable shows every metric of the benchmarks that ran.
func printTable(w io.Writer, ran []benchmark, got results) {
	_, _ = fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "METRIC\tVALUE\tTARGET\tMEANING")
	for _, b := range ran {
		for _, m := range b.metrics {
			value := "not measured"
			if v, ok := got.values[m.name]; ok {
				value = strings.TrimSpace(fmt.Sprintf("%.6g %s", v, m.unit))
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", m.name, value, m.target, m.means)
		}
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w, "\nHow each was measured, on", machine()+":")
	for _, b := range ran {
		for _, m := range b.metrics {
			_, _ = fmt.Fprintf(w, "  %s: %s\n", m.name, m.how)
		}
	}
	for _, note := range got.notes {
		_, _ = fmt.Fprintln(w, "  note:", note)
	}
}

// writeJSON leaves the numbers for programs.
func writeJSON(file string, at time.Time, values map[string]float64) error {
	rounded := make(map[string]float64, len(values))
	for name, v := range values {
		rounded[name] = math.Round(v*1000) / 1000
	}
	text, err := json.MarshalIndent(map[string]any{"at": at.Format(time.RFC3339), "machine": machine(), "metrics": rounded}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// machine says in a line what the numbers were measured on.
func machine() string {
	parts := []string{fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	if model := firstValue("/proc/cpuinfo", "model name"); model != "" {
		parts = append(parts, model)
	}
	var kb int
	if n, _ := fmt.Sscanf(firstValue("/proc/meminfo", "MemTotal"), "%d", &kb); n == 1 {
		parts = append(parts, fmt.Sprintf("%d GB", (kb+1<<19)>>20))
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}

// firstValue reads "key : value" from a file that is not there on every
// system; then it is empty.
func firstValue(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
