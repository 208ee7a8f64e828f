package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/api"
)

// largestFile bounds a course's file; what daskbot accepts is less.
const largestFile = 16 << 20

// readCourse reads a course's file. Words that YAML would take for something
// else, such as an id of digits or a date, are the words that stand there.
func readCourse(name string, text []byte) (api.CourseDocument, error) {
	var doc api.CourseDocument
	if len(text) > largestFile {
		return doc, Usage("%s is larger than a course can be.", name)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return doc, Usage("%s is not YAML: %s.", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(root.Content) == 0 {
		return doc, Usage("%s is empty; configs/course.example.yaml shows a course.", name)
	}
	literal(root.Content[0], "")
	var value any
	if err := root.Decode(&value); err != nil {
		return doc, Usage("%s cannot be read: %s.", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return doc, Usage("%s has a key that is not a word: %s.", name, err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return doc, Usage("%s is not a course: %s. configs/course.example.yaml shows one.", name, strings.TrimPrefix(err.Error(), "json: "))
	}
	if doc.ID == "" {
		return doc, Usage("%s does not say which course it is; write, for example, id: de-2026.", name)
	}
	return doc, nil
}

// literal makes every value a word, save where a number or a yes is meant.
func literal(n *yaml.Node, key string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			literal(n.Content[i+1], n.Content[i].Value)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			literal(item, key)
		}
	case yaml.ScalarNode:
		if n.Tag != "!!null" && !isNumber(key) {
			n.Tag = "!!str"
		}
	default: // an alias is read where its anchor stands
	}
}

func isNumber(key string) bool {
	switch key {
	case "budget", "maxPerOwner", "maxPerCourse", "maxTotal", "extensions", "weeklyHours", "ownerBudget", "courseBudget", "adaptive":
		return true
	default:
		return false
	}
}

// exported is a document as it is written to a file: a member of whom only the
// e-mail address or the subject is known is that word.
type exported struct {
	api.CourseDocument
	Members []any `json:"members,omitempty"`
}

func shortened(m api.Member) any {
	if m.Role == "student" {
		m.Role = ""
	}
	if m.Subject == m.Email {
		m.Subject = ""
	}
	switch m {
	case api.Member{Email: m.Email}:
		return m.Email
	case api.Member{Subject: m.Subject}:
		if !strings.Contains(m.Subject, "@") {
			return m.Subject
		}
	}
	return m
}

// writeCourse writes a course's file, which readCourse reads.
func writeCourse(doc api.CourseDocument) ([]byte, error) {
	out := exported{CourseDocument: doc}
	for _, m := range doc.Members {
		out.Members = append(out.Members, shortened(m))
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the course: %w", err)
	}
	var root yaml.Node // JSON is YAML, and a node keeps the order of its keys
	if err := yaml.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf("encode the course: %w", err)
	}
	unfold(&root, "")
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := e.Encode(&root); err != nil {
		return nil, fmt.Errorf("encode the course: %w", err)
	}
	return text.Bytes(), e.Close()
}

// unfold takes JSON's brackets and quotes away, save around short lists.
func unfold(n *yaml.Node, key string) {
	n.Style = 0
	if n.Kind == yaml.SequenceNode && (key == "warnings" || key == "notOn" || key == "holidays") {
		n.Style = yaml.FlowStyle
	}
	for i, item := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key = n.Content[i-1].Value
		}
		unfold(item, key)
	}
}
