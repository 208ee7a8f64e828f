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
	if startsWithDigit(w.text) {
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
	for len(p.words) > 0 && !p.words[0].is(upKeywords...) {
		w, _ := p.next()
		if !w.is("and") {
			p.cmd.packages = append(p.cmd.packages, names(w.text)...)
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
	tomorrow     bool
	day          time.Time // a date, when given as one
}

func (p *parser) upUntil() error {
	w, ok := p.next()
	if !ok {
		return p.wrong("Until when?")
	}
	c := clock{set: true}
	day, err := time.Parse(time.DateOnly, w.text)
	switch {
	case err == nil:
		c.day = day
	case w.is("tomorrow"):
		c.tomorrow = true
	case !w.is("today", "at"):
		p.words = append([]word{w}, p.words...)
	}
	if w, _ = p.next(); w.is("at") {
		w, _ = p.next()
	}
	if c.hour, c.minute, ok = timeOfDay(w.text); !ok {
		return p.wrong("%q is not a time of day.", clip(w.text, 40))
	}
	p.cmd.until = c
	return nil
}

func timeOfDay(text string) (hour, minute int, ok bool) {
	for _, layout := range []string{"15:04", "15h04", "3:04pm", "3pm", "15h"} {
		if t, err := time.Parse(layout, strings.ToLower(text)); err == nil {
			return t.Hour(), t.Minute(), true
		}
	}
	return 0, 0, false
}

// at is the moment a clock time means for somebody in zone.
func (c clock) at(now time.Time, zone *time.Location) time.Time {
	if !c.day.IsZero() {
		return time.Date(c.day.Year(), c.day.Month(), c.day.Day(), c.hour, c.minute, 0, 0, zone)
	}
	day := now.In(zone)
	on := func(d int) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day()+d, c.hour, c.minute, 0, 0, zone)
	}
	if t := on(0); !c.tomorrow && t.After(now) {
		return t
	}
	return on(1)
}
