package bot

import (
	"regexp"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// units are the words that people write after a number, and how durations and
// times of day are written without a blank.
var units = map[string]string{
	"h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
	"m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"d": "d", "day": "d", "days": "d", "w": "w", "week": "w", "weeks": "w",
	"am": "am", "pm": "pm",
}

var (
	measured = regexp.MustCompile(`^([0-9]+(?:[.:][0-9]+)?)([a-z]*)$`)
	flagged  = regexp.MustCompile(`^(?:--|—|–)([a-zA-Z]+)(?:=(.*))?$`)
)

// spoken makes of words as people write them the ones that the grammar knows:
// "3 hours" becomes 3h, "6 PM" 6pm, "--workers=2" the flag and its value. A
// phone's keyboard makes a long dash of two hyphens.
func spoken(words []word) []word {
	var out []word
	last := "" // the unit of the word before
	for i := 0; i < len(words); i++ {
		w := words[i]
		if flag := flagged.FindStringSubmatch(w.text); flag != nil && !w.quoted {
			out, last = append(out, word{text: "--" + flag[1]}), ""
			if flag[2] == "" {
				continue
			}
			words[i].text = flag[2] // a value, not the next flag: "--a=--a=--a=…" ends here
			w = words[i]
		}
		number, unit, two := measure(words[i:])
		if two {
			i++
		}
		if unit != "" {
			w.text = number + unit
		}
		if unit != "" && strings.Contains(finer[last], unit) { // 1 hour 30 minutes
			out[len(out)-1].text += w.text
		} else {
			out = append(out, w)
		}
		last = unit
	}
	return out
}

// finer are the units that may follow one in the same duration.
var finer = map[string]string{"w": "dhm", "d": "hm", "h": "m"}

// measure takes a number and its unit apart; two says that the unit is a word
// of its own. The unit is "" for anything else.
func measure(words []word) (number, unit string, two bool) {
	parts := measured.FindStringSubmatch(strings.ToLower(words[0].text))
	if parts == nil || words[0].quoted {
		return "", "", false
	}
	unit = parts[2]
	if unit == "" && len(words) > 1 && !words[1].quoted {
		unit, two = strings.ToLower(words[1].text), true
	}
	if units[unit] == "" {
		return "", "", false
	}
	return parts[1], units[unit], two
}

// spanOf reads the duration that somebody filled in.
func spanOf(field, text string) (time.Duration, error) {
	if words := spoken(lex(text)); len(words) == 1 {
		text = words[0].text
	}
	return environment.ParseDuration(field, text)
}
