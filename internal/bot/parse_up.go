package bot

import (
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// up reads [profile] [for @student] [in COURSE] [until 18:00 | for 3h]
// [workers N] [with pkg,pkg] in any order. A keyword may be written as a flag.
func (p *parser) up() error {
	for w, ok := p.next(); ok; w, ok = p.next() {
		if err := p.upClause(w); err != nil {
			return err
		}
	}
	if p.cmd.span != 0 && p.cmd.until.set {
		return p.wrong("Give either a duration or a time of day, not both.")
	}
	return nil
}

// upKeywords end a list of packages.
var upKeywords = []string{"for", "in", "until", "till", "workers", "with", "profile", "course", "packages"}

func (p *parser) upClause(w word) error {
	key := w
	key.text = strings.TrimPrefix(key.text, "--")
	switch {
	case w.user != "":
		p.cmd.ownerUser = w.user
	case key.is("for", "owner", "ttl"):
		return p.upFor()
	case key.is("in", "course"):
		return p.take(&p.cmd.course, "Which course?")
	case key.is("profile"):
		return p.take(&p.cmd.profile, "Which profile?")
	case key.is("until", "till"):
		return p.upUntil()
	case key.is("workers"):
		return p.upWorkers()
	case key.is("with", "packages"):
		return p.upPackages()
	case p.cmd.profile == "" && !strings.HasPrefix(w.text, "-"):
		p.cmd.profile = strings.ToLower(w.text)
	default:
		return p.wrong("I do not understand %q here.", clip(w.text, 40))
	}
	return nil
}

func (p *parser) take(into *string, question string) error {
	w, ok := p.next()
	if !ok {
		return p.wrong("%s", question)
	}
	*into = strings.ToLower(w.text)
	return nil
}

// upFor is a person or a duration; a word that is neither is taken for a
// person's name, which the domain then knows or does not.
func (p *parser) upFor() error {
	w, ok := p.next()
	if !ok {
		return p.wrong("For whom, or for how long?")
	}
	if w.user != "" {
		p.cmd.ownerUser = w.user
		return nil
	}
	if d, err := environment.ParseDuration("ttl", w.text); err == nil {
		p.cmd.span = d
		return nil
	}
	if startsWithDigit(strings.TrimPrefix(w.text, "-")) {
		return p.wrong("%q is not a duration.", clip(w.text, 40))
	}
	if strings.HasPrefix(w.text, "@") {
		return p.wrong("Slack did not tell me who %s is; pick the name from the list that appears while you type it.", clip(w.text, 40))
	}
	p.cmd.owner = w.text
	return nil
}

func (p *parser) upWorkers() error {
	w, ok := p.next()
	n, err := strconv.Atoi(w.text)
	if !ok || err != nil || n < 0 {
		return p.wrong("How many workers?")
	}
	p.cmd.workers = &n
	return nil
}

func (p *parser) upPackages() error {
	before := len(p.cmd.packages)
	for len(p.words) > 0 && !p.words[0].is(upKeywords...) && !strings.HasPrefix(p.words[0].text, "--") {
		w, _ := p.next()
		if !w.is("and") {
			p.cmd.packages = append(p.cmd.packages, p.requirements(w)...)
		}
	}
	if len(p.cmd.packages) == before {
		return p.wrong("With which packages?")
	}
	return nil
}

// clock is a time of day, on a day or the next time it comes.
type clock struct {
	set          bool
	hour, minute int
	today        bool
	tomorrow     bool
	day          time.Time // a date, when given as one
}

// upUntil is a time of day with the day before or behind it, if there is one.
func (p *parser) upUntil() error {
	c := clock{set: true}
	if len(p.words) == 0 {
		return p.wrong("Until when?")
	}
	onADay := p.dayOf(&c)
	w, ok := p.next()
	if w.is("at") {
		w, ok = p.next()
	}
	if !ok {
		return p.wrong("Until what time of day?")
	}
	if c.hour, c.minute, ok = timeOfDay(w.text); !ok {
		return p.wrong("%q is not a time of day.", clip(w.text, 40))
	}
	if !onADay {
		p.dayOf(&c)
	}
	p.cmd.until = c
	return nil
}

// dayOf takes a day, if one comes next.
func (p *parser) dayOf(c *clock) bool {
	words := p.words
	if len(words) > 1 && words[0].is("on") {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	day, err := time.Parse(time.DateOnly, words[0].text)
	switch {
	case err == nil:
		c.day = day
	case words[0].is("tomorrow"):
		c.tomorrow = true
	case words[0].is("today", "tonight"):
		c.today = true
	default:
		return false
	}
	p.words = words[1:]
	return true
}

func timeOfDay(text string) (hour, minute int, ok bool) {
	switch text = strings.ReplaceAll(strings.ToLower(text), ".", ":"); text {
	case "noon":
		return 12, 0, true
	case "midnight":
		return 0, 0, true
	}
	for _, layout := range []string{"15:04", "15h04", "3:04pm", "3pm", "15h"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Hour(), t.Minute(), true
		}
	}
	return 0, 0, false
}

// at is the moment a clock time means for somebody in zone. One of today that
// has passed is refused: whoever said today did not mean tomorrow.
func (c clock) at(now time.Time, zone *time.Location) (time.Time, error) {
	day := now.In(zone)
	on := func(d int) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day()+d, c.hour, c.minute, 0, 0, zone)
	}
	today := on(0)
	switch {
	case !c.day.IsZero():
		return time.Date(c.day.Year(), c.day.Month(), c.day.Day(), c.hour, c.minute, 0, 0, zone), nil
	case c.tomorrow:
		return on(1), nil
	case today.After(now):
		return today, nil
	case c.today:
		return time.Time{}, environment.Invalid("until", "It is past %s already today; for you it is %s. Say `until tomorrow %[1]s`, or for how long, for example `/dask up for 3h`.",
			today.Format("15:04"), day.Format("15:04"))
	default:
		return on(1), nil
	}
}
