package bot

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/daskbot/daskbot/internal/environment"
)

// verb is the first word of a command.
type verb string

const (
	verbOverview verb = "" // bare /dask
	verbUp       verb = "up"
	verbStatus   verb = "status"
	verbList     verb = "list"
	verbExtend   verb = "extend"
	verbDown     verb = "down"
	verbScale    verb = "scale"
	verbPackages verb = "packages"
	verbLogs     verb = "logs"
	verbOpen     verb = "open"
	verbWhy      verb = "why"
	verbCost     verb = "cost"
	verbClass    verb = "class"
	verbLink     verb = "link"
	verbProject  verb = "project"
	verbHelp     verb = "help"
)

// verbs are those help lists, in its order.
var verbs = []verb{verbUp, verbStatus, verbList, verbOpen, verbExtend, verbDown, verbScale, verbPackages,
	verbWhy, verbLogs, verbCost, verbClass, verbLink, verbProject, verbHelp}

var synonyms = map[string]verb{"start": verbUp, "create": verbUp, "new": verbUp, "stop": verbDown, "delete": verbDown,
	"end": verbDown, "ls": verbList, "package": verbPackages, "log": verbLogs, "costs": verbCost, "?": verbHelp, "show": verbStatus, "course": verbClass}

// command is what somebody typed after /dask.
type command struct {
	verb verb
	// target is an environment's id or the name of its profile; "" for the
	// only one there is.
	target string
	// ownerUser is the Slack user the command is for, owner a subject.
	ownerUser, owner string
	profile, course  string
	span             time.Duration // up for, extend
	until            clock         // up until
	workers          *int          // up, scale
	packages, remove []string
	word             string // logs: component; project: id; help: topic; link: code
	does             verb   // class: up, down or status
}

// maxCommand is how many characters a command may have: far more than anybody
// types, and few enough to answer in time.
const maxCommand = 8000

// parse reads a command. It is pure: who is asking and what there is plays no
// part. Errors are CodeInvalid with a sentence that shows how it is written.
func parse(text string) (command, error) {
	if n := utf8.RuneCountInString(text); n > maxCommand {
		return command{}, environment.Invalid("command", "This command has %d characters, and I read at most %d. Say it in fewer words, for example `/dask up daskhub for 3h`.", n, maxCommand)
	}
	words := spoken(lex(text))
	if len(words) == 0 {
		return command{verb: verbOverview}, nil
	}
	if words[0].is("--help", "-h") {
		return command{verb: verbHelp}, nil
	}
	v, err := verbOf(words[0])
	if err != nil {
		return command{}, err
	}
	p := &parser{words: words[1:], cmd: command{verb: v}}
	if len(p.words) == 1 && p.words[0].is("--help", "-h") {
		return command{verb: verbHelp, word: string(v)}, nil
	}
	if err := p.arguments(); err != nil {
		return command{}, err
	}
	if w, more := p.next(); more {
		return command{}, p.wrong("I do not understand %q here.", clip(w.text, 40))
	}
	return p.cmd, nil
}

func verbOf(w word) (verb, error) {
	name := strings.ToLower(w.text)
	if v, ok := synonyms[name]; ok {
		return v, nil
	}
	if v := verb(name); slices.Contains(verbs, v) {
		return v, nil
	}
	known := make([]string, 0, len(verbs)+len(synonyms))
	for _, v := range verbs {
		known = append(known, string(v))
	}
	if best := environment.Nearest(name, known); best != "" {
		return "", environment.Invalid("command", "There is no command %q. Did you mean `/dask %s`? `/dask help` lists all.", clip(w.text, 40), best)
	}
	return "", environment.Invalid("command", "There is no command %q. `/dask help` lists all.", clip(w.text, 40))
}

type parser struct {
	words []word
	cmd   command
}

func (p *parser) next() (word, bool) {
	if len(p.words) == 0 {
		return word{}, false
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w, true
}

// wrong says what is wrong and how the command is written.
func (p *parser) wrong(format string, args ...any) error {
	e := environment.Invalid("command", format, args...)
	e.Message += " It is written like `" + usage[p.cmd.verb].example + "`."
	return e
}

func (w word) is(names ...string) bool {
	return !w.quoted && w.user == "" && slices.Contains(names, strings.ToLower(w.text))
}

func (p *parser) arguments() error {
	switch p.cmd.verb {
	case verbUp:
		return p.up()
	case verbExtend:
		return p.extend()
	case verbScale:
		return p.scale()
	case verbPackages:
		return p.changePackages()
	case verbList:
		return p.list()
	case verbLogs:
		return p.logs()
	case verbClass:
		return p.class()
	case verbHelp, verbProject, verbLink:
		if w, ok := p.next(); ok {
			p.cmd.word = strings.ToLower(w.text)
		}
	case verbStatus, verbDown, verbOpen, verbWhy, verbCost:
		p.target()
	default: // takes nothing
	}
	return nil
}

func (p *parser) target() {
	if w, ok := p.next(); ok {
		p.cmd.target = strings.ToLower(w.text)
	}
}

// class up|down|status [COURSE], with an optional "in" before the course.
func (p *parser) class() error {
	w, ok := p.next()
	if !ok {
		return p.wrong("Say whether to start it, end it or show its status.")
	}
	does, err := verbOf(w)
	if err != nil || does != verbUp && does != verbDown && does != verbStatus {
		return p.wrong("A class can be started, ended or shown: up, down or status, not %q.", clip(w.text, 40))
	}
	p.cmd.does = does
	return p.list()
}

// list [COURSE], with an optional "in" before it.
func (p *parser) list() error {
	w, ok := p.next()
	if ok && w.is("in", "course") {
		w, ok = p.next()
	}
	if ok {
		p.cmd.course = strings.ToLower(w.text)
	}
	return nil
}

// extend takes a duration and a target, in either order.
func (p *parser) extend() error {
	for w, ok := p.next(); ok; w, ok = p.next() {
		if w.is("by", "for") {
			continue
		}
		d, err := environment.ParseDuration("duration", w.text)
		switch {
		case err == nil && p.cmd.span == 0:
			p.cmd.span = d
		case err != nil && p.cmd.target == "" && !startsWithDigit(w.text):
			p.cmd.target = strings.ToLower(w.text)
		default:
			return p.wrong("%q is not a time to extend by.", clip(w.text, 40))
		}
	}
	return nil
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// scale takes a number and a target, in either order.
func (p *parser) scale() error {
	for w, ok := p.next(); ok; w, ok = p.next() {
		if w.is("to", "workers") {
			continue
		}
		n, err := strconv.Atoi(w.text)
		switch {
		case err == nil && p.cmd.workers == nil && n >= 0:
			p.cmd.workers = &n
		case err != nil && p.cmd.target == "":
			p.cmd.target = strings.ToLower(w.text)
		default:
			return p.wrong("%q is not a number of workers.", clip(w.text, 40))
		}
	}
	if p.cmd.workers == nil {
		return p.wrong("How many workers?")
	}
	return nil
}

// changePackages: add|remove NAME… [on TARGET]
func (p *parser) changePackages() error {
	w, ok := p.next()
	if !ok || !w.is("add", "remove", "install", "uninstall") {
		return p.wrong("Say whether to add or to remove.")
	}
	into := &p.cmd.packages
	if w.is("remove", "uninstall") {
		into = &p.cmd.remove
	}
	for w, ok := p.next(); ok; w, ok = p.next() {
		switch {
		case w.is("on"):
			p.target()
		case w.is("and"):
		default:
			*into = append(*into, p.requirements(w)...)
		}
	}
	if len(*into) == 0 {
		return p.wrong("Name at least one package.")
	}
	return nil
}

// logs [COMPONENT] [of TARGET]
func (p *parser) logs() error {
	for w, ok := p.next(); ok; w, ok = p.next() {
		switch {
		case w.is("of", "on"):
			p.target()
		case p.cmd.word == "":
			p.cmd.word = w.text
		default:
			return p.wrong("I do not understand %q here.", clip(w.text, 40))
		}
	}
	return nil
}

// names splits "a,b" at its commas, save those within a requirement like
// "dask[array,dataframe]" or "xgboost>=1,<2".
func names(text string) []string {
	var out []string
	for _, part := range apart(text, func(r rune) bool { return r == ',' }) {
		switch {
		case part == "": // as left by "a, b"
		case len(out) > 0 && strings.ContainsRune("<>=!~", rune(part[0])):
			out[len(out)-1] += "," + part
		default:
			out = append(out, part)
		}
	}
	return out
}

// apart splits at separators that are in no brackets, within which blanks mean
// nothing.
func apart(text string, separates func(rune) bool) []string {
	var out []string
	var part strings.Builder
	depth := 0
	for _, r := range text {
		depth = max(depth+nesting(r), 0)
		switch {
		case depth == 0 && separates(r):
			out = append(out, strings.TrimSpace(part.String()))
			part.Reset()
		case depth > 0 && unicode.IsSpace(r):
		default:
			part.WriteRune(r)
		}
	}
	return append(out, strings.TrimSpace(part.String()))
}

// nesting is by how much a rune goes into brackets.
func nesting(r rune) int {
	switch r {
	case '[':
		return 1
	case ']':
		return -1
	default:
		return 0
	}
}

// requirements reads a word of packages, with the words behind it for as long
// as a bracket is open: "dask[array, dataframe]" is one.
func (p *parser) requirements(w word) []string {
	var text strings.Builder
	for depth, ok := 0, true; ok; w, ok = p.next() {
		text.WriteString(w.text + " ")
		for _, r := range w.text {
			depth = max(depth+nesting(r), 0)
		}
		if depth == 0 {
			break
		}
	}
	return names(text.String())
}
