package bot

import (
	"html"
	"slices"
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
	r := newReader(text)
	var out []word
	for {
		r.skipSpace()
		if r.at == len(r.text) {
			return out
		}
		var w word
		switch {
		case closing(r.text[r.at]) != "":
			w = r.quoted()
		case r.begins(r.at):
			w = r.marked()
		default:
			w = r.plain()
		}
		if w.text != "" || w.user != "" {
			out = append(out, w)
		}
	}
}

// reader goes through a text once, whatever was typed: Slack waits for three
// seconds, and who sends "<" thousands of times must not wait longer.
type reader struct {
	text []rune
	at   int
	// lastEnd is where the last '>' is: a '<' behind it begins nothing, and its
	// end need not be looked for.
	lastEnd int
}

func newReader(text string) *reader {
	r := &reader{text: []rune(text)}
	for i, c := range r.text {
		if c == '>' {
			r.lastEnd = i
		}
	}
	return r
}

func (r *reader) skipSpace() {
	for r.at < len(r.text) && unicode.IsSpace(r.text[r.at]) {
		r.at++
	}
}

// upTo takes what comes before the first rune that ends it, and that rune.
func (r *reader) upTo(ends func(rune) bool) string {
	from := r.at
	for r.at < len(r.text) && !ends(r.text[r.at]) {
		r.at++
	}
	taken := string(r.text[from:r.at])
	r.at = min(r.at+1, len(r.text))
	return taken
}

// closing are the quotes that end what this one begins, "" when it is none. An
// opening one of one language closes in another, as in “a” and „a“, so that each
// of a family does, whichever a keyboard makes.
func closing(r rune) string {
	switch r {
	case '"', '\'':
		return string(r)
	case '“', '”', '„':
		return "“”"
	case '‘', '’', '‚':
		return "‘’"
	case '«', '»':
		return "«»"
	default:
		return ""
	}
}

func (r *reader) quoted() word {
	ends := closing(r.text[r.at])
	r.at++
	inside := r.upTo(func(c rune) bool { return strings.ContainsRune(ends, c) })
	return word{text: html.UnescapeString(strings.TrimSpace(inside)), quoted: true} // « a » has blanks inside
}

// begins says whether a mark begins there. Any other '<' is one that was typed
// where Slack does not escape it, as in numpy<2.
func (r *reader) begins(at int) bool {
	if r.text[at] != '<' || at >= r.lastEnd {
		return false
	}
	const longest = len("mailto:")
	behind := string(r.text[at+1 : min(at+1+longest, len(r.text))])
	return slices.ContainsFunc(marks, func(m string) bool { return strings.HasPrefix(behind, m) })
}

// marks are what follows the '<' of Slack's own.
var marks = []string{"@", "#", "!", "http:", "https:", "mailto:", "tel:"}

// marked reads <@U123|name>, <#C123|name>, <mailto:a@b|a@b> and
// <http://dask.org|dask.org>; the last two mean what the person typed.
func (r *reader) marked() word {
	r.at++
	target, label, labelled := strings.Cut(r.upTo(func(c rune) bool { return c == '>' }), "|")
	switch {
	case strings.HasPrefix(target, "@"):
		return word{text: "@" + strings.TrimPrefix(label, "@"), user: target[1:]}
	case labelled:
		return word{text: html.UnescapeString(label)}
	default:
		return word{text: html.UnescapeString(strings.TrimPrefix(strings.TrimPrefix(target, "mailto:"), "tel:"))}
	}
}

func (r *reader) plain() word {
	from := r.at
	for r.at++; r.at < len(r.text) && !unicode.IsSpace(r.text[r.at]) && !r.begins(r.at); r.at++ {
	}
	return word{text: html.UnescapeString(string(r.text[from:r.at]))}
}
