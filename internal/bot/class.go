package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// class is for the staff of a course: start it, end it, or see how it is.
func (b *Bot) class(ctx context.Context, r request) (*answer, error) {
	course, err := b.courseOf(r)
	if err != nil {
		return nil, err
	}
	if r.cmd.does == verbStatus {
		return b.answerLater(r, "Looking …", func(ctx context.Context) *answer {
			return b.told(r, "class status", func() (message, error) {
				status, err := b.service.CourseStatus(ctx, r.who, course)
				return classMessage(status), err
			})
		})
	}
	action := environment.ScheduleUp
	if r.cmd.does == verbDown {
		action = environment.ScheduleDown
	}
	// Once, or a command that was captured would end tomorrow's class.
	if err := b.changes(r).OrderCourse(ctx, r.who, course, action); err != nil {
		return nil, err
	}
	return say(orderedText(course, action)), nil
}

// orderedText acknowledges a command for a class.
func orderedText(course string, action environment.ScheduleAction) string {
	what := "Starting *%s*: everybody who has no environment there gets one."
	if action == environment.ScheduleDown {
		what = "Ending *%s*: every environment there is deleted, save what somebody protected."
	}
	return fmt.Sprintf(what, escape(course)) + " I tell you in a direct message how it came out."
}

// told is the answer to what was put off, or the reason why there is none.
func (b *Bot) told(r request, what string, f func() (message, error)) *answer {
	m, err := f()
	if err != nil {
		b.logFault(what, err, r.from)
		return sorry(err)
	}
	return private(m)
}

// courseOf is the course that is meant and that the caller teaches.
func (b *Bot) courseOf(r request) (string, error) {
	course := r.cmd.course
	if course == "" && len(r.who.Courses) == 1 {
		course = r.who.Courses[0]
	}
	if course == "" {
		course = b.directory.DefaultCourse(r.who.Subject)
	}
	if course == "" {
		return "", environment.Invalid("course", "Which course? It is written like `/dask class %s de-2026`.", r.cmd.does)
	}
	if environment.Authorize(r.who, environment.ActionChange, "", course) != nil {
		return "", environment.Errorf(environment.CodeForbidden, "This is for the staff of %s.", clip(course, 40))
	}
	return course, nil
}

func notDeleted() []environment.State {
	return slices.DeleteFunc(environment.States(), func(s environment.State) bool { return s == environment.StateDeleted })
}

// looks looks at each; one that goes away meanwhile is an empty look.
func (b *Bot) looks(ctx context.Context, who environment.Caller, items []environment.Environment) (map[string]environment.Look, error) {
	looks := make(map[string]environment.Look, len(items))
	for _, e := range items {
		look, err := b.service.Look(ctx, who, e.ID)
		if err != nil && environment.CodeOf(err) != environment.CodeNotFound {
			return nil, err
		}
		looks[e.ID] = look
	}
	return looks, nil
}

// classMessage is `/dask class status`.
func classMessage(c environment.CourseStatus) message {
	var items []environment.Environment
	var without []string
	looks := map[string]environment.Look{}
	for _, seat := range c.Seats {
		if seat.Environment == nil {
			without = append(without, escape(seat.Subject))
			continue
		}
		items, looks[seat.Environment.ID] = append(items, *seat.Environment), seat.Look
	}
	text := "*" + escape(c.Course.ID) + "*: nothing is running."
	if len(items) > 0 {
		text = "*" + escape(c.Course.ID) + "*: " + summary(items, looks)
	}
	blocks := []block{section(text), classButtons(c.Course)}
	if len(without) > 0 {
		blocks = append(blocks, section(fmt.Sprintf("%d of %d members have none: %s", len(without), len(c.Course.Members), strings.Join(without, " "))))
	}
	blocks, shown := fitRows(blocks, seatRows(items, looks))
	if shown < len(items) {
		blocks = append(blocks, contextLine(fmt.Sprintf("These are %d of %d; `daskbot course status %s` on the command line shows everybody.", shown, len(items), escape(clip(c.Course.ID, 40)))))
	}
	return newMessage(text, blocks...)
}

// seatRows says who has what, in fewer words when there are many.
func seatRows(items []environment.Environment, looks map[string]environment.Look) []string {
	rows := make([]string, 0, len(items))
	for _, e := range items {
		row := strings.TrimSpace("• " + escape(e.Owner) + ": " + line(e) + " " + idleText(looks[e.ID]))
		if len(items) > listed {
			row = fmt.Sprintf("• %s: %s `%s` %s", escape(e.Owner), escape(e.Profile), e.ID, stateWords(e.State))
			if looks[e.ID].Use.Verdict.Is == environment.VerdictIdle && e.State == environment.StateReady {
				row += ", idle"
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// classButtons start and end a class.
func classButtons(c environment.Course) block {
	id := clip(c.ID, 40)
	end := confirmed(button(actionClassDown, "End all", c.ID, "End every environment of "+id),
		"Every environment of *"+escape(id)+"* is deleted, also the notebooks in it; what somebody protected stays.")
	return actions("class:"+c.ID, button(actionClassUp, "Start all", c.ID, "Start one for every member of "+id), end)
}

// orderMessage says how a command for a class came out, or what else those who
// teach it are told.
func orderMessage(o environment.CourseOrder) message {
	if o.Notice != "" {
		text := escape(inSlack.Replace(o.Notice))
		return newMessage(text, section(text))
	}
	course, batch := "*"+escape(o.Course)+"*", o.Batch()
	did := map[environment.ScheduleAction]string{environment.ScheduleUp: "started", environment.ScheduleDown: "ended"}[o.Action]
	text := course + " is " + did + ": " + outcomes(batch) + "."
	switch {
	case o.Problem != "" && len(batch.Items) > 0:
		text = fmt.Sprintf("%s is not wholly %s: %s Until then: %s.", course, did, escape(inSlack.Replace(o.Problem)), outcomes(batch))
	case o.Problem != "":
		text = fmt.Sprintf("%s is not %s: %s", course, did, escape(inSlack.Replace(o.Problem)))
	case len(batch.Items) == 0:
		text = course + ": there was nothing to do."
	}
	var rows []string
	for _, item := range batch.Items {
		if item.Reason != "" {
			rows = append(rows, "• "+escape(item.Subject)+": "+escape(inSlack.Replace(item.Reason)))
		}
	}
	blocks, shown := fitRows([]block{section(text)}, rows)
	if shown < len(rows) {
		blocks = append(blocks, contextLine(fmt.Sprintf("These are %d of %d reasons; `/dask class status %s` shows who has none.", shown, len(rows), escape(clip(o.Course, 40)))))
	}
	return newMessage(text, blocks...)
}

// outcomes counts what became of people's parts: "12 being made, 1 refused".
func outcomes(batch environment.Batch) string {
	var parts []string
	for _, w := range []struct {
		outcome environment.Outcome
		text    string
	}{{environment.OutcomeStarted, "being made"}, {environment.OutcomeExisting, "there already"}, {environment.OutcomeEnded, "being deleted"},
		{environment.OutcomeKept, "left alone"}, {environment.OutcomeRefused, "refused"}} {
		if n := batch.Count(w.outcome); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, w.text))
		}
	}
	return strings.Join(parts, ", ")
}

// summary counts a class: "12 ready, 1 failed; 3 idle; about $4.10 an hour, …".
func summary(items []environment.Environment, looks map[string]environment.Look) string {
	states, idle, cost := map[environment.State]int{}, 0, environment.Cost{}
	for _, e := range items {
		states[e.State]++
		if looks[e.ID].Use.Verdict.Is == environment.VerdictIdle && e.State == environment.StateReady {
			idle++
		}
		cost.USDPerHour += looks[e.ID].Cost.USDPerHour
		cost.USDTotal += looks[e.ID].Cost.USDTotal
	}
	var parts []string
	for _, s := range environment.States() {
		if states[s] > 0 {
			words := stateWords(s)
			if s == environment.StatePending {
				words = "waiting"
			}
			parts = append(parts, fmt.Sprintf("%d %s", states[s], words))
		}
	}
	text := strings.Join(parts, ", ")
	if idle > 0 {
		text += fmt.Sprintf("; %d idle", idle)
	}
	return text + "; " + costText(cost) + "."
}

// idleText says that something stands idle, "" when it does not.
func idleText(look environment.Look) string {
	if look.Use.Verdict.Is != environment.VerdictIdle {
		return ""
	}
	return "Idle: " + escape(strings.TrimSuffix(look.Use.Verdict.Reason, ".")) + "."
}
