package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	File string
	Line int    // 0 when the place is a key that is missing
	Path string // e.g. "profiles.define.mine.cluster.maxNodes"
	Text string // what is wrong and what would be right
}

// String renders the problem the way compilers do, so that editors can jump.
func (p Problem) String() string {
	place := p.File
	if p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Path == "" {
		return fmt.Sprintf("%s: %s", place, p.Text)
	}
	return fmt.Sprintf("%s: %s: %s", place, p.Path, p.Text)
}

// Problems is the error of Load and Parse: everything that is wrong, in the
// order of the file. The caller shows it to whoever wrote the file and does
// not start.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// err returns the problems as an error in the order of the file, nil when
// there are none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return ps
}

// report collects problems while a file is decoded and checked.
type report struct {
	problems Problems
	places   map[string]place // where each path was written
	file     string           // for paths that were written nowhere
	// definitions are the nodes of profiles, which are inherited as YAML.
	definitions map[string]*yaml.Node
}

type place struct {
	file string
	line int
}

func newReport(file string) *report {
	return &report{file: file, places: map[string]place{}, definitions: map[string]*yaml.Node{}}
}

// add notes a problem at a path. A path that was not written is reported at
// the nearest enclosing one that was.
func (r *report) add(path, format string, args ...any) {
	at := r.find(path)
	r.problems = append(r.problems, Problem{File: at.file, Line: at.line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// addOnce notes a problem at a path unless there is one already: the first
// check that fails says it best.
func (r *report) addOnce(path, text string) {
	if !slices.ContainsFunc(r.problems, func(p Problem) bool { return p.Path == path }) {
		r.add(path, "%s", text)
	}
}

func (r *report) addAt(at place, path, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: at.file, Line: at.line, Path: path, Text: fmt.Sprintf(format, args...)})
}

func (r *report) find(path string) place {
	for path != "" {
		if at, ok := r.places[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return place{file: r.file}
}
