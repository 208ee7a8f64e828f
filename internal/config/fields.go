package config

import (
	"reflect"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// keyOf returns the key of a struct field, "" for a field that no file can
// set. An embedded struct has no key of its own: its fields count as the outer
// struct's.
func keyOf(f reflect.StructField) string {
	if !f.IsExported() || f.Anonymous {
		return ""
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" {
		return ""
	}
	return name
}

// keysOf lists the keys a struct knows, in the order of its fields.
func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		if key := keyOf(f); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	for _, f := range reflect.VisibleFields(v.Type()) {
		if k := keyOf(f); k != "" && k == key {
			return v.FieldByIndex(f.Index), true
		}
	}
	return reflect.Value{}, false
}

// suggestion names the key that was probably meant, else all of them.
func suggestion(key string, known []string) string {
	if best := environment.Nearest(key, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return "; known keys here are " + strings.Join(known, ", ")
}
