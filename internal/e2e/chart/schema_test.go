package chart

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

// TestWrongValuesAreRefused tries what the schema is for.
func TestWrongValuesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]any // of the set "sqlite"
		says   string
	}{
		"two daemons on one file":     {map[string]any{"replicas": 2}, "replicas"},
		"a typing error":              {map[string]any{"replica": 1}, "replica"},
		"a typing error below config": {map[string]any{"config": map[string]any{"polcy": map[string]any{}}}, "polcy"},
		"a password in values":        {map[string]any{"config": map[string]any{"store": map[string]any{"url": "postgres://bot:hunter2@db/bot"}}}, "url"},
		"a password by default":       {map[string]any{"config": map[string]any{"store": map[string]any{"url": map[string]any{"fromEnv": "URL", "default": "postgres://bot:hunter2@db/bot"}}}}, "url"},
		"a key in values":             {map[string]any{"config": map[string]any{"store": map[string]any{"key": strings.Repeat("0f", 32)}}}, "key"},
		"a token in values":           {map[string]any{"config": map[string]any{"slack": map[string]any{"botToken": "xoxb-1"}}}, "botToken"},
		"no project":                  {map[string]any{"config": map[string]any{"gke": map[string]any{"project": nil}}}, "project"},
		"no such service account":     {map[string]any{"serviceAccount": map[string]any{"googleServiceAccount": "daskbot"}}, "googleServiceAccount"},
		"a digest that is none":       {map[string]any{"image": map[string]any{"digest": "sha256:1"}}, "digest"},
		"maintenance of no kind":      {map[string]any{"maintenance": map[string]any{"args": []any{"serve"}}}, "maintenance"},
		"what takes no --config":      {map[string]any{"maintenance": map[string]any{"args": []any{"config", "check"}}}, "maintenance"},
		"a timeout that is no time":   {map[string]any{"httpRoute": map[string]any{"timeouts": map[string]any{"request": "never"}}}, "request"},
		"a route from nowhere":        {map[string]any{"httpRoute": map[string]any{"enabled": true}}, "parentRefs"},
	} {
		t.Run(name, func(t *testing.T) {
			values := valuesSets(t)["sqlite"]
			merge(values, c.change)
			if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v; want an error that names %s", err, c.says)
			}
		})
	}
}

// TestGivenClustersNeedNoProject: as for the daemon, whose own check says the rest.
func TestGivenClustersNeedNoProject(t *testing.T) {
	values := valuesSets(t)["sqlite"]
	delete(values["config"].(map[string]any), "gke")
	merge(values, map[string]any{"config": map[string]any{
		"clusters": map[string]any{"home": map[string]any{"inCluster": true}},
		"profiles": map[string]any{"default": "home", "define": map[string]any{"home": map[string]any{"extends": "dask-shared", "given": "home"}}},
	}})
	if _, err := render(t, values); err != nil {
		t.Error(err)
	}
}

// TestTheSchemaRefusesEverySecret gives each of the daemon's secrets as text, as
// somebody would who does not know that values are kept and shown.
func TestTheSchemaRefusesEverySecret(t *testing.T) {
	paths := secretsOf(reflect.TypeFor[config.Config](), nil)
	if len(paths) < 10 {
		t.Errorf("secrets of the configuration: got %v, want all", paths)
	}
	given := func(path []string, value any) error {
		values := valuesSets(t)["sqlite"]
		merge(values, map[string]any{"config": at(path, value)})
		_, err := render(t, values)
		return err
	}
	for _, path := range paths {
		name := strings.Join(path, ".")
		if err := given(path, "hunter2"); err == nil || !strings.Contains(err.Error(), path[0]) {
			t.Errorf("%s as text: got %v; want it refused", name, err)
		}
		if err := given(path, map[string]any{"fromEnv": "NAME", "default": "hunter2"}); err == nil || !strings.Contains(err.Error(), path[0]) {
			t.Errorf("%s as a default: got %v; want it refused", name, err)
		}
		for _, outside := range []map[string]any{{"fromEnv": "NAME"}, {"fromEnv": "NAME", "default": ""}, {"fromFile": "/run/secret"}} {
			if err := given(path, outside); err != nil {
				t.Errorf("%s as %v: %v", name, outside, err)
			}
		}
	}
}

// listed stands for a place in a list in the path of a value.
const listed = "[]"

// secretsOf gives the paths of all secrets below a type.
func secretsOf(in reflect.Type, path []string) (all [][]string) {
	below := func(in reflect.Type, step string) {
		all = append(all, secretsOf(in, append(slices.Clone(path), step))...)
	}
	switch {
	case in == reflect.TypeFor[environment.Secret]():
		return [][]string{path}
	case in.Kind() == reflect.Pointer:
		return secretsOf(in.Elem(), path)
	case in.Kind() == reflect.Map:
		below(in.Elem(), "anything")
	case in.Kind() == reflect.Slice:
		below(in.Elem(), listed)
	case in.Kind() == reflect.Struct:
		for _, field := range reflect.VisibleFields(in) {
			if key := field.Tag.Get("json"); key != "" {
				below(field.Type, key)
			}
		}
	}
	return all
}

// at puts a value at a path.
func at(path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == listed {
		return []any{at(path[1:], value)}
	}
	return map[string]any{path[0]: at(path[1:], value)}
}

// merge puts changes over values.
func merge(values, changes map[string]any) {
	for key, change := range changes {
		below, isMap := change.(map[string]any)
		into, has := values[key].(map[string]any)
		if isMap && has {
			merge(into, below)
			continue
		}
		values[key] = change
	}
}

// TestTheSchemaKnowsEveryKey compares the top of the configuration with the
// daemon's own, both ways.
func TestTheSchemaKnowsEveryKey(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(source, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Config struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if key := field.Tag.Get("json"); key != "" {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(schema.Properties.Config.Properties))); diff != "" {
		t.Errorf("keys of config in values.schema.json (-daemon +schema):\n%s", diff)
	}
}
