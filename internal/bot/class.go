package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// class is for the staff of a course: start it, end it, or see how it is.
func (b *Bot) class(ctx context.Context, r request) (*answer, error) {
	course, err := b.courseOf(r)
	if err != nil {
		return nil, err
	}
	if r.cmd.does == verbStatus {
		return b.answerLater(r, answerTime, "Looking …", func(ctx context.Context) *answer {
			return b.told(r, "class status", func() (message, error) {
				status, err := b.service.CourseStatus(ctx, r.who, course)
				return classMessage(status), err
			})
		})
	}
	// A command that was captured must not end tomorrow's class.
	if first, err := b.service.First(ctx, "slack", r.once); err != nil || !first {
		return nil, err
	}
	do, meanwhile := b.service.CourseUp, "Starting *"+escape(course)+"* …"
	if r.cmd.does == verbDown {
		do, meanwhile = b.service.CourseDown, "Ending *"+escape(course)+"* …"
	}
	return b.answerLater(r, classTime, meanwhile, func(ctx context.Context) *answer {
		return b.told(r, "class", func() (message, error) {
			batch, err := do(ctx, r.who, course)
			if err != nil && len(batch.Items) > 0 {
				b.logFault("class", err, r.from)
				return batchMessage(r.cmd.does, batch, false), nil
			}
			return batchMessage(r.cmd.does, batch, true), err
		})
	})
}

// classTime bounds one command for a class: hundreds of people, a commit each.
const classTime = 5 * time.Minute

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
	looks := map[string]environment.Look{}
	var b, none strings.Builder
	without := 0
	for _, seat := range c.Seats {
		if seat.Environment == nil {
			without++
			fmt.Fprintf(&none, " %s", escape(seat.Subject))
			continue
		}
		e := *seat.Environment
		items, looks[e.ID] = append(items, e), seat.Look
		fmt.Fprintf(&b, "• %s: %s %s\n", escape(e.Owner), line(e), idleText(seat.Look))
	}
	text := "*" + escape(c.Course.ID) + "*: nothing is running."
	if len(items) > 0 {
		text = "*" + escape(c.Course.ID) + "*: " + summary(items, looks)
	}
	blocks := []block{section(text)}
	if without > 0 {
		blocks = append(blocks, section(clip(fmt.Sprintf("%d of %d members have none:%s", without, len(c.Course.Members), none.String()), maxSection)))
	}
	if len(items) > 0 {
		blocks = append(blocks, lines(strings.TrimSpace(b.String()))...)
	}
	return newMessage(text, append([]block{blocks[0], classButtons(c.Course)}, blocks[1:]...)...)
}

// classButtons start and end a class.
func classButtons(c environment.Course) block {
	id := clip(c.ID, 40)
	end := confirmed(button(actionClassDown, "End all", c.ID, "End every environment of "+id),
		"Every environment of *"+escape(id)+"* is deleted, also the notebooks in it; what somebody protected stays.")
	return actions("class:"+c.ID, button(actionClassUp, "Start all", c.ID, "Start one for every member of "+id), end)
}

// batchMessage says what a command for a class did; whole is false when it
// could not be finished.
func batchMessage(does verb, batch environment.Batch, whole bool) message {
	words := []struct {
		outcome environment.Outcome
		text    string
	}{{environment.OutcomeStarted, "being made"}, {environment.OutcomeExisting, "there already"}, {environment.OutcomeEnded, "being deleted"},
		{environment.OutcomeKept, "kept"}, {environment.OutcomeRefused, "refused"}}
	var parts []string
	for _, w := range words {
		if n := batch.Count(w.outcome); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, w.text))
		}
	}
	text := "*" + escape(batch.Course) + "*: " + strings.Join(parts, ", ") + "."
	if len(parts) == 0 {
		text = "*" + escape(batch.Course) + "*: there was nothing to do."
	}
	if !whole {
		text += fmt.Sprintf(" It could not be finished; `/dask class %s %s` goes on from there.", does, escape(batch.Course))
	}
	var b strings.Builder
	for _, item := range batch.Items {
		if item.Reason != "" {
			fmt.Fprintf(&b, "• %s: %s\n", escape(item.Subject), escape(inSlack.Replace(item.Reason)))
		}
	}
	blocks := []block{section(text)}
	if b.Len() > 0 {
		blocks = append(blocks, lines(strings.TrimSpace(b.String()))...)
	}
	return newMessage(text, blocks...)
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
			parts = append(parts, fmt.Sprintf("%d %s", states[s], stateWords(s)))
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
