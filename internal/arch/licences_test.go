package arch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// licences are those under which a dependency of the program may be, by words
// that only their text has. The order counts: the first that fits is it.
var licences = []struct{ name, words string }{
	{"Apache-2.0", "Apache License"},
	{"MPL-2.0", "Mozilla Public License"}, // files stay under it; nothing of ours is changed by that
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"BSD", "Redistribution and use in source and binary forms"},
	{"Unlicense", "This is free and unencumbered software"},
	{"CC0-1.0", "CC0 1.0 Universal"},
}

// TestLicences refuses a dependency of the program whose licence is not on the
// list: read it, and put it there or take another library.
func TestLicences(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./cmd/daskbot")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Skipf("the dependencies cannot be listed here: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	count := map[string]int{}
	for _, line := range slices.Compact(lines) {
		path, dir, _ := strings.Cut(line, "\t")
		if path == "" {
			continue
		}
		name := licenceOf(t, dir)
		count[name]++
		if name == "" {
			t.Errorf("%s: no licence on the list was found in %s", path, dir)
		}
	}
	t.Logf("modules by licence: %v", count)
}

// licenceOf is the licence that lies in a module's folder, "" for none that is
// known. Of several files any may be it.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"LICEN[CS]E*", "[Ll]icen[cs]e*", "COPYING*", "UNLICENSE*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder of licences
		}
		plain := bytes.Join(bytes.Fields(text), []byte(" "))
		for _, l := range licences {
			if bytes.Contains(plain, []byte(l.words)) {
				return l.name
			}
		}
	}
	return ""
}
