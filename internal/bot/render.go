package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// title names an environment in a sentence.
func title(e environment.Environment) string {
	return fmt.Sprintf("Your *%s* `%s`", escape(e.Profile), e.ID)
}

// titleFor is title for whoever asks about an environment, also another's.
func titleFor(e environment.Environment, asker string) string {
	if e.Owner == asker {
		return title(e)
	}
	return fmt.Sprintf("*%s* `%s` of %s", escape(e.Profile), e.ID, escape(e.Owner))
}

// name is title without markup, for labels and notifications.
func name(e environment.Environment) string { return e.Profile + " " + e.ID }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// moment shows a time in the reader's own zone; Slack fills it in.
func moment(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04 UTC"))
}

func stateWords(s environment.State) string {
	switch s {
	case environment.StatePending:
		return "waiting for its turn"
	case environment.StateCreating:
		return "being made"
	case environment.StateReady:
		return "ready"
	case environment.StateUpdating:
		return "being changed"
	case environment.StateDeleting:
		return "being deleted"
	case environment.StateDeleted:
		return "deleted"
	case environment.StateFailed:
		return "failed"
	default:
		return string(s)
	}
}

// isNow is a state as a verb.
func isNow(s environment.State) string {
	if s == environment.StateFailed {
		return "has failed"
	}
	return "is " + stateWords(s)
}

func costText(c environment.Cost) string {
	if c.USDPerHour == 0 && c.USDTotal < 0.005 {
		return "less than $0.01"
	}
	if c.USDPerHour == 0 {
		return fmt.Sprintf("about $%.2f in all", c.USDTotal)
	}
	return fmt.Sprintf("about $%.2f so far, $%.2f an hour", c.USDTotal, c.USDPerHour)
}

// endText says when it ends, "" when that is not known yet.
func endText(e environment.Environment) string {
	switch {
	case e.Desired == environment.Absent:
		return ""
	case e.Ending != nil && e.Ending.Cause.ForWantOfUse():
		return "It ends " + moment(e.Ending.At) + " unless it is used."
	case e.Ending != nil:
		return "It ends " + moment(e.Ending.At) + "."
	case !e.ExpiresAt.IsZero():
		return "It ends " + moment(e.ExpiresAt) + "."
	case e.Spec.TTL > 0:
		return "It lives for " + environment.FormatDuration(e.Spec.TTL) + " once it is ready."
	default:
		return ""
	}
}

// The buttons that belong to an environment. Their value is its id; who may
// click is asked anew each time.
const (
	actionStop    = "stop"
	actionExtend1 = "extend_1h"
	actionExtend2 = "extend_2h"
	actionExtend  = "extend_modal"
	actionRetry   = "retry"
	actionStatus  = "status"
	actionOpen    = "open"
	actionLink    = "link_opened" // a page was opened; nothing to do
	actionNew     = "up_modal"
	actionWhy     = "why"
	// The buttons of a class; their value is the course.
	actionClassUp   = "class_up"
	actionClassDown = "class_down"
)

func stopButton(e environment.Environment) *buttonElement {
	return confirmed(button(actionStop, "Stop", e.ID, "Stop and delete "+name(e)),
		"Everything in *"+escape(name(e))+"* is deleted, also the notebooks. Download what you want to keep first.")
}

// buttons are what one can do with an environment now.
func buttons(e environment.Environment) []*buttonElement {
	switch e.State {
	case environment.StatePending, environment.StateCreating:
		return []*buttonElement{stopButton(e), button(actionWhy, "Why does it take so long?", e.ID, "Why "+name(e)+" takes so long")}
	case environment.StateReady, environment.StateUpdating:
		return []*buttonElement{button(actionOpen, "Log in", e.ID, "Show the address and login of "+name(e)),
			button(actionExtend1, "Extend 1 h", e.ID, "Keep "+name(e)+" one hour longer"),
			button(actionExtend, "Keep until …", e.ID, "Choose how long to keep "+name(e)), stopButton(e)}
	case environment.StateFailed:
		return []*buttonElement{button(actionRetry, "Try again", e.ID, "Make "+name(e)+" again"), button(actionWhy, "Why?", e.ID, "Why "+name(e)+" failed")}
	default:
		return nil
	}
}

// buttonsFor leaves out what only the owner may do.
func buttonsFor(e environment.Environment, asker string) []*buttonElement {
	return slices.DeleteFunc(buttons(e), func(b *buttonElement) bool { return b.ActionID == actionOpen && e.Owner != asker })
}

// upMessage acknowledges `up`.
func upMessage(e environment.Environment, made bool, asker string) message {
	whose := title(e)
	if e.Owner != asker {
		whose = fmt.Sprintf("*%s* `%s` for %s", escape(e.Profile), e.ID, escape(e.Owner))
	}
	var text string
	switch {
	case made && e.Owner != asker:
		text = whose + " is on its way. They are told in a direct message as it comes along."
	case made:
		text = whose + " is on its way. I tell you in a direct message as it comes along, and when it is ready."
	default:
		text = fmt.Sprintf("%s is there already: it is %s. %s", whose, stateWords(e.State), endText(e))
	}
	text = strings.TrimSpace(text)
	return newMessage(text, section(text), actions("env:"+e.ID, buttonsFor(e, asker)...))
}

// statusMessage is `/dask status`.
func statusMessage(e environment.Environment, look environment.Look, asker string) message {
	text := strings.TrimSpace(fmt.Sprintf("%s %s. %s", titleFor(e, asker), isNow(e.State), endText(e)))
	return newMessage(text, section(text), contextLine(escape(e.Message), estimateText(e, look), workersText(e), costText(look.Cost)),
		actions("env:"+e.ID, buttonsFor(e, asker)...))
}

func workersText(e environment.Environment) string {
	if e.State != environment.StateReady && e.State != environment.StateUpdating {
		return ""
	}
	return plural(e.Spec.Workers, "worker")
}

func estimateText(e environment.Environment, look environment.Look) string {
	if look.Estimate.IsZero() || !e.State.Live() || e.State == environment.StateReady {
		return ""
	}
	return "ready around " + moment(look.Estimate)
}

// overviewMessage is bare /dask.
func overviewMessage(mine []environment.Environment) message {
	if len(mine) == 0 {
		text := "You have no Dask environment. `/dask up` makes one; it takes a few minutes, and I tell you when it is ready."
		return newMessage(text, section(text), actions("overview", newButton()))
	}
	text := "You have " + plural(len(mine), "environment") + "."
	blocks := []block{section(text)}
	for _, e := range mine {
		blocks = append(blocks, section(line(e)), actions("env:"+e.ID, buttons(e)...))
	}
	return newMessage(text+" "+nameAll(mine), append(blocks, divider(), actions("overview", newButton()),
		contextLine("`/dask help` lists what else you can do."))...)
}

func newButton() *buttonElement {
	return button(actionNew, "New environment …", "new", "Choose and start a new environment")
}

// line is one environment in a list.
func line(e environment.Environment) string {
	return strings.TrimSpace(fmt.Sprintf("*%s* `%s` %s. %s", escape(e.Profile), e.ID, isNow(e.State), endText(e)))
}

// listMessage is `/dask list`.
func listMessage(items []environment.Environment, more bool, course string) message {
	if len(items) == 0 {
		text := "There is nothing running that you may see."
		if course != "" {
			text = "There is nothing running in " + escape(clip(course, 40)) + " that you may see."
		}
		return newMessage(text, section(text))
	}
	var b strings.Builder
	for _, e := range items {
		in := ""
		if e.Course != "" {
			in = " in " + escape(e.Course)
		}
		fmt.Fprintf(&b, "• %s%s: %s\n", escape(e.Owner), in, line(e))
	}
	text := strings.TrimSpace(b.String())
	if more {
		text += fmt.Sprintf("\nThese are the newest %d; there are more.", len(items))
	}
	return newMessage(text, lines(text)...)
}

// lines spreads a long text over as many sections as it needs.
func lines(text string) []block {
	var blocks []block
	for _, part := range splitLines(text, maxSection-100) {
		blocks = append(blocks, section(part))
	}
	return blocks
}

// splitLines cuts between lines so that no part is longer than n, if no line is.
func splitLines(text string, n int) []string {
	var parts []string
	var part strings.Builder
	for _, l := range strings.SplitAfter(text, "\n") {
		if part.Len() > 0 && part.Len()+len(l) > n {
			parts = append(parts, part.String())
			part.Reset()
		}
		part.WriteString(l)
	}
	return append(parts, part.String())
}

// logsMessage shows the end of a log, where the news is.
func logsMessage(e environment.Environment, log string) message {
	log = strings.TrimSpace(log)
	if log == "" {
		text := title(e) + " has written nothing there."
		return newMessage(text, section(text))
	}
	const room = 2700
	if runes := []rune(log); len(runes) > room {
		log = "…" + string(runes[len(runes)-room:])
	}
	text := "The last log lines of *" + escape(name(e)) + "*:"
	return newMessage(text, section(text), section("```"+clip(escape(strings.ReplaceAll(log, "```", "'''")), room+200)+"```"))
}

// refusalMessage shows a refusal whose further lines are commands to copy.
func refusalMessage(text string) message {
	sentence, rest, found := strings.Cut(text, "\n")
	blocks := []block{section(escape(sentence))}
	if found {
		for _, b := range splitLines(rest, maxSection-200) {
			blocks = append(blocks, section("```"+escape(b)+"```"))
		}
	}
	return newMessage(escape(sentence), blocks...)
}

func extendedText(e environment.Environment, asker string) string {
	return titleFor(e, asker) + " is kept longer. " + endText(e)
}

func downText(e environment.Environment, already bool, asker string) string {
	switch {
	case already:
		return titleFor(e, asker) + " is gone already; nothing of it costs money."
	case e.Owner != asker:
		return titleFor(e, asker) + " is being deleted. They are told that you asked for it."
	default:
		return title(e) + " is being deleted. I tell you when nothing of it is left."
	}
}

func scaledText(e environment.Environment, asker string) string {
	return fmt.Sprintf("%s is changing to %s.", titleFor(e, asker), plural(e.Spec.Workers, "worker"))
}

func packagesText(e environment.Environment, asker string) string {
	have := "no extra packages"
	if len(e.Spec.Packages) > 0 {
		have = "`" + strings.Join(e.Spec.Packages, "`, `") + "`"
	}
	return fmt.Sprintf("%s will have %s. Notebook and workers restart with them.", titleFor(e, asker), escape(have))
}

func priceText(e environment.Environment, c environment.Cost, asker string) string {
	return fmt.Sprintf("%s: %s. An estimate from list prices of %s, not a bill.", titleFor(e, asker), costText(c), c.PricesAsOf)
}

// knownText says who somebody is.
func knownText(who environment.Caller) string {
	role := map[environment.Role]string{environment.RoleStudent: "a student", environment.RoleAdmin: "an admin",
		environment.RoleStaff: "staff of " + strings.Join(who.Courses, ", ")}[who.Role]
	return fmt.Sprintf("Your Slack account is linked: daskbot knows you as `%s`, %s.", escape(who.Subject), escape(role))
}

func linkedText(subject string) string {
	return fmt.Sprintf("Your Slack account is linked: daskbot knows you as `%s` from now on.", escape(subject))
}

func projectText(id string) string {
	if id == "" {
		return "No Google Cloud project of yours is linked; your course's or the default one pays. `/dask project PROJECT-ID` links one."
	}
	return fmt.Sprintf("Your project `%s` pays for what you start from now on. `/dask project none` unlinks it.", id)
}

func projectLinkedText(id string) string {
	if id == "" {
		return "Your project is no longer linked; your course's or the default one pays."
	}
	return fmt.Sprintf("Your project `%s` is linked and pays for what you start from now on.", id)
}
