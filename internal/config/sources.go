package config

import (
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sources are where values that are not in the file come from.
type sources struct {
	lookupEnv func(string) (string, bool)
	readFile  func(string) ([]byte, error)
	dir       string // relative paths count from the configuration file's folder
}

func processSources(dir string) sources {
	return sources{lookupEnv: os.LookupEnv, readFile: os.ReadFile, dir: dir}
}

func (s sources) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

// fromSource resolves {fromEnv: NAME}, {fromFile: PATH} and, for when the
// variable is not set, {fromEnv: NAME, default: VALUE}. Any single value may be
// given this way; secrets must be.
func (d *decoder) fromSource(n *yaml.Node, path string) (string, bool) {
	var env, file, fallback *string
	known := map[string]**string{"fromEnv": &env, "fromFile": &file, "default": &fallback}
	ok := true
	d.eachKey(n, path, func(key string, item *yaml.Node, line int) {
		slot := known[key]
		if slot == nil || item.Kind != yaml.ScalarNode {
			d.report.addAt(place{d.file, line}, join(path, key),
				"one value is expected here, or {fromEnv: NAME}, {fromFile: PATH} or {fromEnv: NAME, default: VALUE}")
			ok = false
			return
		}
		*slot = &item.Value
	})
	switch {
	case !ok:
		return "", false
	case env != nil && file == nil:
		return d.fromEnv(*env, fallback, path)
	case file != nil && env == nil && fallback == nil:
		return d.fromFile(*file, path)
	default:
		d.report.add(path, "give either fromEnv (with or without default) or fromFile")
		return "", false
	}
}

func (d *decoder) fromEnv(name string, fallback *string, path string) (string, bool) {
	if value, set := d.sources.lookupEnv(name); set && value != "" {
		return value, true
	}
	if fallback != nil {
		return *fallback, true
	}
	d.report.add(path, "the environment variable %s is not set", name)
	return "", false
}

// fromFile reads a value from a file. Line ends are trimmed: editors and
// `kubectl create secret` leave one, and none is part of a token.
func (d *decoder) fromFile(name, path string) (string, bool) {
	data, err := d.sources.readFile(d.sources.path(name))
	if err != nil {
		d.report.add(path, "the file cannot be read: %v", err)
		return "", false
	}
	return strings.TrimRight(string(data), "\r\n"), true
}
