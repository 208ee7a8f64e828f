package environment

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Difference is one thing in a course that is not as it was, for people.
type Difference struct {
	Field string // such as "title" or "members[alice@example.edu]"
	Was   string // "" for what is new
	Is    string // "" for what is no longer there
}

// fact is one line of a course: a field, and its value in words.
type fact struct{ field, value string }

// differences lists what is not the same in two courses: in the order of the
// new one, and then what it no longer has.
func differences(was, is Course) []Difference {
	old := map[string]string{}
	for _, f := range was.facts() {
		old[f.field] = f.value
	}
	var out []Difference
	seen := map[string]bool{}
	for _, f := range is.facts() {
		seen[f.field] = true
		if old[f.field] != f.value {
			out = append(out, Difference{f.field, old[f.field], f.value})
		}
	}
	for _, f := range was.facts() {
		if !seen[f.field] {
			out = append(out, Difference{f.field, f.value, ""})
		}
	}
	return out
}

// facts are all that a document says; what is not set is left out.
func (c Course) facts() []fact {
	facts := []fact{{"title", c.Title}, {"timezone", c.Timezone}, {"profile", c.Profile}, {"project", c.Project}, {"budget", dollars(c.Budget)}}
	if !c.EndsAt.IsZero() {
		facts = append(facts, fact{"endsAt", c.EndsAt.UTC().Format(time.RFC3339)})
	}
	facts = append(facts, c.Policy.facts()...)
	for _, s := range c.Schedules {
		facts = append(facts, fact{"schedules[" + s.Name + "]", s.words()})
	}
	for _, day := range c.Holidays {
		facts = append(facts, fact{"holidays[" + day + "]", day})
	}
	for _, b := range c.LMS {
		facts = append(facts, fact{"lms[" + b.Source + "/" + b.Context + "]", "bound"})
	}
	for _, s := range c.Notifications {
		facts = append(facts, fact{"notifications[" + s.URL + "]", cmp.Or(strings.Join(s.Events, ", "), "all")})
	}
	for _, subject := range c.Staff {
		facts = append(facts, fact{"staff[" + subject + "]", "staff"})
	}
	for _, m := range c.Members {
		facts = append(facts, fact{"members[" + m.Subject + "]", m.words()})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.value == "" })
}

func dollars(usd float64) string {
	if usd == 0 {
		return ""
	}
	return fmt.Sprintf("$%.2f", usd)
}

// facts are the limits that are set.
func (p Policy) facts() []fact {
	var facts []fact
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		facts = append(facts, fact{"policy." + name, limitText(v.Field(i).Interface())})
	}
	return facts
}

func (s Schedule) words() string {
	text := string(s.Action) + " at " + s.Cron
	if s.Spread > 0 {
		text += ", over " + FormatDuration(s.Spread)
	}
	if len(s.NotOn) > 0 {
		text += ", not on " + strings.Join(s.NotOn, " ")
	}
	return text
}

func (m Member) words() string {
	words := []string{string(m.Role)}
	for _, w := range []struct{ before, value string }{{"", m.Name}, {"", m.Email}, {"LMS ", m.LMSID}, {"Slack ", m.SlackID}, {"pays with ", m.Project}} {
		if w.value != "" && w.value != m.Subject {
			words = append(words, w.before+w.value)
		}
	}
	return strings.Join(words, ", ")
}

// money is what of a course decides who pays and how much, in a form that can
// be compared: only admins may change it.
func (c Course) money() string {
	var pays []string
	for _, m := range c.Members {
		if m.Project != "" {
			pays = append(pays, m.Subject+"="+m.Project)
		}
	}
	slices.Sort(pays)
	p := c.Policy
	return fmt.Sprint(c.Project, cmp.Or(c.Budget, p.CourseBudget), p.OwnerBudget, p.MaxPerCourse, p.MaxPerOwner, p.WeeklyHours, p.MaxTTL, pays, c.LMS)
}
