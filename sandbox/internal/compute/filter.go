package compute

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// predicate says whether a resource as the API shows it passes a filter.
type predicate func(fields map[string]any) bool

// parseFilter understands filters such as
//
//	labels.owner=s1 AND name != web
//	(name eq "gke-.*") (status ne READY)
//	labels.daskbot-cluster:*
//
// with AND, OR, NOT and parentheses; terms side by side are joined by AND. A
// filter it cannot read is InvalidArgument, as it is for Compute.
func parseFilter(text string) (predicate, error) {
	p := &filterParser{tokens: filterTokens.FindAllString(text, -1)}
	if len(p.tokens) == 0 {
		return func(map[string]any) bool { return true }, nil
	}
	matches, err := p.or()
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("unexpected %q", p.peek())
	}
	if err != nil {
		return nil, cloud.Errorf(cloud.InvalidArgument, "Invalid value for field 'filter': '%s'. Invalid list filter expression: %v.", text, err)
	}
	return matches, nil
}

var filterTokens = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|!=|<=|>=|[()=:<>]|[^\s()=:<>!"']+|!`)

type filterParser struct{ tokens []string }

func (p *filterParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *filterParser) next() string {
	t := p.peek()
	if t != "" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *filterParser) or() (predicate, error) {
	left, err := p.and()
	for err == nil && p.peek() == "OR" {
		p.next()
		var right predicate
		a := left
		right, err = p.and()
		left = func(f map[string]any) bool { return a(f) || right(f) }
	}
	return left, err
}

func (p *filterParser) and() (predicate, error) {
	left, err := p.term()
	for err == nil && p.peek() != "" && p.peek() != "OR" && p.peek() != ")" {
		if p.peek() == "AND" {
			p.next()
		}
		var right predicate
		a := left
		right, err = p.term()
		left = func(f map[string]any) bool { return a(f) && right(f) }
	}
	return left, err
}

func (p *filterParser) term() (predicate, error) {
	switch p.peek() {
	case "NOT", "-":
		p.next()
		inner, err := p.term()
		return func(f map[string]any) bool { return !inner(f) }, err
	case "(":
		p.next()
		inner, err := p.or()
		if err == nil && p.next() != ")" {
			err = fmt.Errorf("a ) is missing")
		}
		return inner, err
	}
	return p.comparison()
}

func (p *filterParser) comparison() (predicate, error) {
	field, operator, value := p.next(), p.next(), p.next()
	if field == "" || operator == "" || value == "" {
		return nil, fmt.Errorf("a comparison needs a field, an operator and a value")
	}
	if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') {
		value = value[1 : len(value)-1]
	}
	test, err := comparisonOf(operator, value)
	if err != nil {
		return nil, err
	}
	return func(f map[string]any) bool {
		found, ok := lookup(f, field)
		return test(found, ok)
	}, nil
}

// comparisonOf is the test an operator makes on a field's text; ok says
// whether there is such a field.
func comparisonOf(operator, value string) (func(found string, ok bool) bool, error) {
	same := func(found string) bool {
		return found == value || path.Base(found) == value && strings.Contains(found, "/")
	}
	switch operator {
	case "=":
		return func(found string, ok bool) bool { return ok && same(found) }, nil
	case "!=":
		return func(found string, ok bool) bool { return !ok || !same(found) }, nil
	case ":":
		return has(value), nil
	case "eq", "ne":
		re, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return nil, err
		}
		return func(found string, ok bool) bool { return (ok && re.MatchString(found)) == (operator == "eq") }, nil
	case "<", "<=", ">", ">=":
		return order(operator, value), nil
	default:
		return nil, fmt.Errorf("%q is no operator", operator)
	}
}

// has is the ":" operator: * is any value, a* a prefix, anything else a part.
func has(value string) func(string, bool) bool {
	return func(found string, ok bool) bool {
		switch {
		case !ok:
			return false
		case value == "*":
			return true
		case strings.HasSuffix(value, "*"):
			return strings.HasPrefix(found, strings.TrimSuffix(value, "*"))
		default:
			return strings.Contains(found, value)
		}
	}
}

// order compares as numbers where both are, and as text otherwise: that is
// right for the times of the API too.
func order(operator, value string) func(string, bool) bool {
	return func(found string, ok bool) bool {
		c := strings.Compare(found, value)
		a, errA := strconv.ParseFloat(found, 64)
		b, errB := strconv.ParseFloat(value, 64)
		if errA == nil && errB == nil {
			c = int(max(-1, min(1, (a-b)*1e9)))
		}
		switch operator {
		case "<":
			return ok && c < 0
		case "<=":
			return ok && c <= 0
		case ">":
			return ok && c > 0
		default:
			return ok && c >= 0
		}
	}
}

// lookup finds a field by its dotted path and shows it as text. A key that
// has dots itself, as labels may, is found too.
func lookup(fields map[string]any, field string) (string, bool) {
	if v, ok := fields[field]; ok {
		return text(v), true
	}
	head, rest, dotted := strings.Cut(field, ".")
	if !dotted {
		return "", false
	}
	switch v := fields[head].(type) {
	case map[string]any:
		return lookup(v, rest)
	case map[string]string:
		s, ok := v[rest]
		return s, ok
	default:
		return "", false
	}
}

func text(v any) string {
	if list, ok := v.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(v)
}
