package config

import "go.yaml.in/yaml/v3"

// merge lays child over parent and returns a new node: maps key by key, lists
// of named maps by name, anything else replaced. A null in the child removes
// the key. Neither argument is changed.
func merge(parent, child *yaml.Node) *yaml.Node {
	parent, child = resolve(parent), resolve(child)
	switch {
	case parent.Kind == yaml.MappingNode && child.Kind == yaml.MappingNode:
		return mergeMaps(parent, child)
	case named(parent) && named(child):
		return mergeNamed(parent, child)
	default:
		return child
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func mergeMaps(parent, child *yaml.Node) *yaml.Node {
	out := *child
	out.Content = nil
	for i := 0; i+1 < len(parent.Content); i += 2 {
		key, value := parent.Content[i], parent.Content[i+1]
		over := valueOf(child, key.Value)
		switch {
		case over == nil:
			out.Content = append(out.Content, key, value)
		case over.Tag == "!!null":
		default:
			out.Content = append(out.Content, key, merge(value, over))
		}
	}
	for i := 0; i+1 < len(child.Content); i += 2 {
		key, value := child.Content[i], child.Content[i+1]
		if valueOf(parent, key.Value) == nil && value.Tag != "!!null" {
			out.Content = append(out.Content, key, value)
		}
	}
	return &out
}

// mergeNamed keeps the parent's order and appends what is new.
func mergeNamed(parent, child *yaml.Node) *yaml.Node {
	out := *child
	out.Content = nil
	for _, item := range parent.Content {
		if over := itemNamed(child, nameOf(item)); over != nil {
			item = merge(item, over)
		}
		out.Content = append(out.Content, item)
	}
	for _, item := range child.Content {
		if itemNamed(parent, nameOf(item)) == nil {
			out.Content = append(out.Content, item)
		}
	}
	return &out
}

// named reports whether n is a list whose every item is a map with a name.
func named(n *yaml.Node) bool {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return false // an empty list replaces, so that a list can be emptied
	}
	for _, item := range n.Content {
		if nameOf(item) == "" {
			return false
		}
	}
	return true
}

func nameOf(n *yaml.Node) string {
	if n = resolve(n); n.Kind != yaml.MappingNode {
		return ""
	}
	if v := valueOf(n, "name"); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

func itemNamed(list *yaml.Node, name string) *yaml.Node {
	for _, item := range list.Content {
		if nameOf(item) == name {
			return item
		}
	}
	return nil
}

func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}
