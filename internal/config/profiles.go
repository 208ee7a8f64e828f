package config

import (
	"embed"
	"maps"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

//go:embed profiles/*.yaml
var builtIn embed.FS

// Recipes is the `profiles:` section.
type Recipes struct {
	// Default is what `up` takes when no profile is named.
	Default string `json:"default"`
	// Repositories maps a Helm repository's URL to that of a mirror, for every
	// profile.
	Repositories map[string]string `json:"repositories"`
	// Files are further profiles, one a file, named by the file.
	Files []string `json:"files"`
	// Define holds profiles by name. One named like a built-in replaces it.
	Define map[string]Definition `json:"define"`
}

// Definition is a profile as it is written: what it does not say comes from
// the profile it extends.
type Definition struct {
	// Extends names the profile to start from. Maps are merged key by key,
	// lists of named things (releases) by name, other lists and values
	// replaced; null removes a key.
	Extends string `json:"extends"`
	environment.Profile
}

// source is a profile before inheritance.
type source struct {
	name    string
	node    *yaml.Node
	path    string // of the node, in problems
	file    string
	extends string
	// shadowed is the earlier profile of the same name; extending one's own
	// name means that one.
	shadowed *source
}

// loadProfiles gathers the profiles, resolves what they extend, and returns
// the usable ones; problems go to the report.
func loadProfiles(c *Config, r *report, from sources) map[string]environment.Profile {
	raw := builtInSources(r)
	for _, name := range c.Recipes.Files {
		if s, ok := fileSource(name, r, from); ok {
			put(raw, s)
		}
	}
	for _, s := range c.Recipes.defined(r) {
		put(raw, s)
	}
	out := make(map[string]environment.Profile, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		node, ok := inherit(raw, raw[name], nil, r)
		if !ok {
			continue
		}
		p := c.finish(decodeProfile(raw[name], node, from), name)
		checkProfile(c.checker(r), raw[name].path, p, c)
		out[name] = p
	}
	return out
}

func put(raw map[string]source, s source) {
	if earlier, ok := raw[s.name]; ok {
		s.shadowed = &earlier
	}
	raw[s.name] = s
}

// finish applies what the configuration says about all profiles.
func (c *Config) finish(p environment.Profile, name string) environment.Profile {
	p.Name = name
	if p.Title == "" {
		p.Title = name
	}
	for i, release := range p.Releases {
		if mirror, ok := c.Recipes.Repositories[release.Repository]; ok {
			p.Releases[i].Repository = mirror
		}
	}
	if p.Given != "" {
		return p
	}
	if len(p.Cluster.Locations) == 0 {
		p.Cluster.Locations = slices.Clone(c.GKE.Locations)
	}
	if !c.GKE.Fallback && len(p.Cluster.Locations) > 1 {
		p.Cluster.Locations = p.Cluster.Locations[:1]
	}
	return p
}

// BuiltIn returns the text of a built-in profile, for people to copy.
func BuiltIn(name string) ([]byte, error) {
	text, err := builtIn.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return nil, environment.Errorf(environment.CodeNotFound, "There is no built-in profile %q.", name)
	}
	return text, nil
}

func builtInSources(r *report) map[string]source {
	out := map[string]source{}
	entries, err := builtIn.ReadDir("profiles")
	if err != nil {
		r.add("", "the built-in profiles cannot be read: %v", err)
	}
	for _, e := range entries {
		data, err := builtIn.ReadFile("profiles/" + e.Name())
		if err != nil {
			r.add("", "the built-in profile %s cannot be read: %v", e.Name(), err)
			continue
		}
		if s, ok := newSource(data, "built-in profile "+e.Name(), e.Name(), r, sources{}); ok {
			out[s.name] = s
		}
	}
	return out
}

func fileSource(name string, r *report, from sources) (source, bool) {
	data, err := from.readFile(from.path(name))
	if err != nil {
		r.add("profiles.files", "the profile cannot be read: %v", err)
		return source{}, false
	}
	return newSource(data, name, filepath.Base(name), r, from)
}

// newSource parses one profile file and checks its keys, so that problems
// carry its own lines.
func newSource(data []byte, file, base string, r *report, from sources) (source, bool) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		r.addAt(place{file: file}, "", "is not YAML: %s", yamlMessage(err))
		return source{}, false
	}
	if len(doc.Content) == 0 {
		r.addAt(place{file: file}, "", "is empty; copy a built-in profile to start from")
		return source{}, false
	}
	name := strings.TrimSuffix(base, path.Ext(base))
	s := source{name: name, node: doc.Content[0], path: "profiles." + name, file: file}
	s.extends = s.check(r, from)
	return s, true
}

// defined turns what stands under profiles.define into sources. The nodes were
// already checked when the configuration was decoded.
func (p Recipes) defined(r *report) []source {
	var out []source
	for name, def := range p.Define {
		at := "profiles.define." + name
		if node := r.definitions[at]; node != nil {
			out = append(out, source{name: name, node: node, path: at, file: r.find(at).file, extends: def.Extends})
		}
	}
	return out
}

func (s source) check(r *report, from sources) (extends string) {
	var def Definition
	d := &decoder{report: r, file: s.file, sources: from}
	d.decode(s.node, reflect.ValueOf(&def).Elem(), s.path)
	return def.Extends
}

// inherit merges a profile over everything it extends. seen guards against
// circles.
func inherit(raw map[string]source, s source, seen []string, r *report) (*yaml.Node, bool) {
	if s.extends == "" {
		return s.node, true
	}
	base, ok := raw[s.extends]
	if s.extends == s.name && s.shadowed != nil {
		base = *s.shadowed
	}
	if !ok {
		r.add(s.path+".extends", "there is no profile %q%s", s.extends, suggestion(s.extends, slices.Sorted(maps.Keys(raw))))
		return nil, false
	}
	seen = append(slices.Clone(seen), s.path)
	if slices.Contains(seen, base.path) {
		r.add(s.path+".extends", "%q extends itself by way of %q", s.name, s.extends)
		return nil, false
	}
	parent, ok := inherit(raw, base, seen, r)
	if !ok {
		return nil, false
	}
	return merge(parent, s.node), true
}

// decodeProfile decodes a merged profile. Its parts were checked where they
// were written, so what is reported here was reported before.
func decodeProfile(s source, node *yaml.Node, from sources) environment.Profile {
	var def Definition
	def.Placement = environment.Dedicated
	def.Access.Username = "${owner}"
	def.Access.Google = "none"
	d := &decoder{report: newReport(s.file), file: s.file, sources: from}
	d.decode(node, reflect.ValueOf(&def).Elem(), "")
	return def.Profile
}
