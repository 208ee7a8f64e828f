package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[environment.Secret]()
	profileType  = reflect.TypeFor[Definition]()
	memberType   = reflect.TypeFor[Member]()
)

// decoder fills Go values from YAML nodes by their json tags. Unlike the
// library's own decoding it goes on after a problem and knows the path and the
// line of each. What a file does not mention keeps the value it had, which is
// how defaults work.
type decoder struct {
	report  *report
	file    string
	sources sources
}

func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.report.places[path] = place{d.file, n.Line}
	if v.Type() == profileType {
		d.report.definitions[path] = n
	}
	if n.Tag == "!!null" {
		return
	}
	switch {
	case v.Type() == durationType, v.Type() == secretType:
		d.scalar(n, v, path)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() != reflect.Interface:
		d.mapping(n, v, path)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, path)
	case v.Kind() == reflect.Map || v.Kind() == reflect.Interface:
		if err := n.Decode(v.Addr().Interface()); err != nil {
			d.report.add(path, "cannot be read as a map with text keys: %s", yamlMessage(err))
		}
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if v.Type() == memberType && n.Kind == yaml.ScalarNode {
		d.scalar(n, v.FieldByName("Subject"), path)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.report.add(path, "%s where keys are expected; known keys are %s", describe(n), strings.Join(keysOf(v.Type()), ", "))
		return
	}
	d.eachKey(n, path, func(key string, item *yaml.Node, line int) {
		field, ok := fieldByKey(v, key)
		if !ok {
			d.report.addAt(place{d.file, line}, join(path, key), "unknown key%s", suggestion(key, keysOf(v.Type())))
			return
		}
		d.decode(item, field, join(path, key))
	})
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.report.add(path, "%s where a map from names is expected", describe(n))
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	d.eachKey(n, path, func(key string, item *yaml.Node, _ int) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.decode(item, elem, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key), elem)
	})
}

// eachKey visits the pairs of a mapping node and reports repeated keys, of
// which one would silently win.
func (d *decoder) eachKey(n *yaml.Node, path string, visit func(key string, item *yaml.Node, line int)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if first, ok := seen[key.Value]; ok {
			d.report.addAt(place{d.file, key.Line}, join(path, key.Value), "was already given on line %d; keep one", first)
			continue
		}
		seen[key.Value] = key.Line
		visit(key.Value, n.Content[i+1], key.Line)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.report.add(path, "%s where a list is expected, such as [a, b]", describe(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.decode(item, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(list)
}

// scalar sets a single value, given literally or by one of the sources.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	literal := n.Kind == yaml.ScalarNode
	if n.Kind == yaml.MappingNode {
		text, ok := d.fromSource(n, path)
		if !ok {
			return
		}
		n = &yaml.Node{Kind: yaml.ScalarNode, Value: text, Line: n.Line}
	}
	if n.Kind != yaml.ScalarNode {
		d.report.add(path, "%s where one value is expected", describe(n))
		return
	}
	switch {
	case v.Type() == secretType && literal:
		d.report.add(path, "a secret is not written into this file; write {fromEnv: NAME} or {fromFile: PATH}")
	case v.Type() == secretType:
		v.Set(reflect.ValueOf(environment.NewSecret(n.Value)))
	case v.Type() == durationType:
		d.duration(n.Value, v, path)
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
	default:
		if err := n.Decode(v.Addr().Interface()); err != nil {
			d.report.add(path, "%q is not %s", n.Value, kindName(v.Kind()))
		}
	}
}

func (d *decoder) duration(text string, v reflect.Value, path string) {
	parse := environment.ParseDuration
	if mayBeOff[index.ReplaceAllString(path, "")] {
		parse = environment.ParseOptional
	}
	dur, err := parse(path, text)
	if err != nil {
		d.report.add(path, "%q: %s", text, environment.MessageOf(err))
		return
	}
	v.SetInt(int64(dur))
}

// mayBeOff are the times of which 0s means something: for ever, or not at all.
// The name of one in a list is without its place there.
// Elsewhere, as in a policy, a 0 would be taken for nothing said.
var mayBeOff = map[string]bool{"server.drainDelay": true, "store.keepEvents": true, "store.keepDeliveries": true, "schedules.spread": true}

// index is a place in a list.
var index = regexp.MustCompile(`\[\d+\]`)

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys stand"
	case yaml.SequenceNode:
		return "a list stands"
	default:
		return fmt.Sprintf("the single value %q stands", n.Value)
	}
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number, such as 0.5"
	default:
		return "a whole number, such as 4"
	}
}

func yamlMessage(err error) string { return strings.TrimPrefix(err.Error(), "yaml: ") }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
