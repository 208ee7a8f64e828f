package bot

import (
	"html"
	"strings"
	"unicode"
)

// word is one word of a command as Slack sends it: with mentions, links and
// the three characters it escapes taken apart.
type word struct {
	text string
	// user is set for a mention, <@U123|name>.
	user string
	// quoted words are never keywords.
	quoted bool
}

// lex splits the text of a command into words. Quotes, also the curly ones
// that phones type, keep words together; a quote that is never closed ends
// with the text.
func lex(text string) []word {
	var out []word
	rest := []rune(text)
	for {
		for len(rest) > 0 && unicode.IsSpace(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return out
		}
		var w word
		switch {
		case closing(rest[0]) != 0:
			w, rest = quoted(rest)
		case rest[0] == '<':
			w, rest = marked(rest)
		default:
			w, rest = plain(rest)
		}
		if w.text != "" || w.user != "" {
			out = append(out, w)
		}
	}
}

// closing is the quote that ends what this one begins, 0 when it is none.
func closing(r rune) rune {
	switch r {
	case '"', '\'':
		return r
	case '“', '”', '„':
		return '”'
	case '‘', '’':
		return '’'
	default:
		return 0
	}
}

func quoted(rest []rune) (word, []rune) {
	end := closing(rest[0])
	for i := 1; i < len(rest); i++ {
		if rest[i] == end {
			return word{text: unescape(rest[1:i]), quoted: true}, rest[i+1:]
		}
	}
	return word{text: unescape(rest[1:]), quoted: true}, nil
}

// marked reads <@U123|name>, <#C123|name>, <mailto:a@b|a@b> and
// <http://dask.org|dask.org>; the last two mean what the person typed.
func marked(rest []rune) (word, []rune) {
	end := strings.IndexRune(string(rest), '>')
	if end < 0 {
		return plain(rest)
	}
	inner := string(rest)[1:end]
	rest = []rune(string(rest)[end+1:])
	target, label, labelled := strings.Cut(inner, "|")
	switch {
	case strings.HasPrefix(target, "@"):
		return word{text: "@" + strings.TrimPrefix(label, "@"), user: target[1:]}, rest
	case labelled:
		return word{text: html.UnescapeString(label)}, rest
	default:
		return word{text: html.UnescapeString(strings.TrimPrefix(target, "mailto:"))}, rest
	}
}

func plain(rest []rune) (word, []rune) {
	for i, r := range rest {
		if i > 0 && (unicode.IsSpace(r) || r == '<') {
			return word{text: unescape(rest[:i])}, rest[i:]
		}
	}
	return word{text: unescape(rest)}, nil
}

func unescape(r []rune) string { return html.UnescapeString(string(r)) }
