package gcp

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *-role.yaml
var files embed.FS

// Role is a custom role.
type Role struct {
	ID    string
	Title string
	// Permissions are what it holds, in the order of its file.
	Permissions []string
}

// Clusters is the role for daskbot's calls of Google's APIs.
func Clusters() Role { return read("daskbotClusters", "clusters-role.yaml") }

// Objects is the role for what daskbot and its charts do inside its clusters.
func Objects() Role { return read("daskbotObjects", "objects-role.yaml") }

// read takes what is needed from a file line by line: a parser of YAML has its
// home elsewhere, and internal/e2e/gcp compares the two.
func read(id, file string) Role {
	text, err := files.ReadFile(file)
	if err != nil {
		panic(err) // it is part of the program
	}
	role := Role{ID: id}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if permission, ok := strings.CutPrefix(line, "  - "); ok {
			role.Permissions = append(role.Permissions, strings.TrimSpace(permission))
		} else if title, ok := strings.CutPrefix(line, "title: "); ok {
			role.Title = strings.TrimSpace(title)
		}
	}
	return role
}

// Braces writes the permissions with the braces of a shell, such as
// container.{pods,secrets}.{get,list}: a tenth of the length, so that a command
// with them can be read and pasted. Words are parted by spaces.
func (r Role) Braces() string {
	var verbs group // of each kind
	for _, p := range r.Permissions {
		dot := strings.LastIndex(p, ".")
		verbs.add(p[:dot], p[dot+1:])
	}
	var kinds group // with the same verbs, of the same service
	for _, kind := range verbs.order {
		service, name, _ := strings.Cut(kind, ".")
		slices.Sort(verbs.of[kind])
		kinds.add(service+".%."+braces(verbs.of[kind]), name)
	}
	words := make([]string, len(kinds.order))
	for i, shape := range kinds.order {
		words[i] = strings.Replace(shape, "%", braces(kinds.of[shape]), 1)
	}
	return strings.Join(words, " ")
}

// group keeps values under keys, in the order in which keys came.
type group struct {
	order []string
	of    map[string][]string
}

func (g *group) add(key, value string) {
	if g.of == nil {
		g.of = map[string][]string{}
	}
	if g.of[key] == nil {
		g.order = append(g.order, key)
	}
	g.of[key] = append(g.of[key], value)
}

func braces(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "{" + strings.Join(names, ",") + "}"
}
