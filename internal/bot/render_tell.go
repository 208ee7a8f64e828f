package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// buttonElement is a button of Block Kit.
type buttonElement = slack.ButtonBlockElement

// phaseWords say what happens in a phase, for somebody who only wants to work.
var phaseWords = map[environment.Phase]string{
	environment.PhaseQueued:    "Waiting for its turn",
	environment.PhaseCluster:   "Making the Kubernetes cluster",
	environment.PhaseAccess:    "Preparing your part of it",
	environment.PhaseInstall:   "Installing Dask and Jupyter",
	environment.PhaseWorkloads: "Starting everything",
	environment.PhaseAddress:   "Getting an address",
	environment.PhaseVerify:    "Trying your login",
}

// progressMessage is the one that is edited in place. plain writes the plan as
// text, for workspaces that cannot show plans.
func progressMessage(e environment.Environment, look environment.Look, events []environment.Event, plain bool) message {
	text := progressText(e, look, events)
	blocks := []block{section(text)}
	if tasks := plan(e, events); tasks != nil && plain {
		blocks = append(blocks, section(planText(tasks)))
	} else if tasks != nil {
		blocks = append(blocks, slack.NewPlanBlock("How far it is").WithTasks(tasks...))
	}
	var detail string
	if e.State.Live() && e.State != environment.StateReady {
		detail = escape(e.Message)
	}
	return newMessage(text, append(blocks, contextLine(detail, estimateText(e, look)), actions("env:"+e.ID, buttons(e)...))...)
}

func progressText(e environment.Environment, look environment.Look, events []environment.Event) string {
	switch e.State {
	case environment.StateFailed:
		return title(e) + " could not be made."
	case environment.StateDeleting:
		return strings.TrimSpace(title(e) + " is being deleted. " + endedBy(e, events, e.Owner))
	case environment.StateDeleted:
		return fmt.Sprintf("%s is deleted. %s It cost %s.", title(e), endedBy(e, events, e.Owner), costText(look.Cost))
	default:
		return strings.TrimSpace(fmt.Sprintf("%s is %s. %s", title(e), stateWords(e.State), endText(e)))
	}
}

// plan is the way up as tasks; none once the environment was ready and works,
// or is on its way down.
func plan(e environment.Environment, events []environment.Event) []*slack.TaskCardBlock {
	phases := environment.UpPhases()
	at := slices.Index(phases, e.Phase)
	status := slack.TaskCardStatusInProgress
	switch e.State {
	case environment.StateReady:
		at = len(phases)
	case environment.StateFailed:
		at, status = failedAt(e, events, phases), slack.TaskCardStatusError
	case environment.StatePending, environment.StateCreating:
	default:
		return nil
	}
	var tasks []*slack.TaskCardBlock
	for i, p := range phases {
		task := slack.NewTaskCardBlock(e.ID+"-"+string(p), phaseWords[p])
		switch {
		case i < at:
			task.WithStatus(slack.TaskCardStatusComplete)
		case i == at:
			task.WithStatus(status)
		default:
			task.WithStatus(slack.TaskCardStatusPending)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

func failedAt(e environment.Environment, events []environment.Event, phases []environment.Phase) int {
	if e.Failure != nil {
		if at := slices.Index(phases, e.Failure.Phase); at >= 0 {
			return at
		}
	}
	for _, ev := range slices.Backward(events) {
		if at := slices.Index(phases, ev.Phase); at >= 0 {
			return at
		}
	}
	return 0
}

// planText is a plan in words.
func planText(tasks []*slack.TaskCardBlock) string {
	words := map[slack.TaskCardStatus]string{slack.TaskCardStatusComplete: "✓ %s: done", slack.TaskCardStatusInProgress: "▸ *%s* …",
		slack.TaskCardStatusError: "✗ *%s*: failed here", slack.TaskCardStatusPending: "   %s: later"}
	var b strings.Builder
	for _, t := range tasks {
		fmt.Fprintf(&b, words[t.Status]+"\n", t.Title)
	}
	return strings.TrimRight(b.String(), "\n")
}

// readyMessage tells how to log in. It is the only one that holds
// credentials, and is only ever sent to the owner. longest is how much longer
// it may be kept.
func readyMessage(e environment.Environment, c environment.Credentials, longest time.Duration) message {
	text := strings.TrimSpace(title(e) + " is ready. " + endText(e))
	all := append([]*buttonElement{linkButton(actionLink, "Open", c.URL, "Open "+name(e)+" in the browser")}, extendButtons(e, longest)...)
	m := newMessage(text, section(text), section(loginText(c)), actions("env:"+e.ID, append(all, stopButton(e))...))
	m.bare = clip(text+" <"+c.URL+"> `/dask open` shows the login.", maxText)
	return m
}

// loginText is the address and the secret that opens it.
func loginText(c environment.Credentials) string {
	login := []string{"<" + c.URL + ">"}
	if c.Username != "" {
		login = append(login, "User name: `"+c.Username+"`")
	}
	switch {
	case !c.Token.IsZero() && c.Username == "":
		login = append(login, "Token: `"+c.Token.Reveal()+"`")
	case !c.Password.IsZero():
		login = append(login, "Password: `"+c.Password.Reveal()+"`")
	}
	return strings.Join(login, "\n")
}

// extendButtons offer what policy allows.
func extendButtons(e environment.Environment, longest time.Duration) []*buttonElement {
	var all []*buttonElement
	if longest >= time.Hour {
		all = append(all, button(actionExtend1, "Extend 1 h", e.ID, "Keep "+name(e)+" one hour longer"))
	}
	if longest >= 2*time.Hour {
		all = append(all, button(actionExtend2, "Extend 2 h", e.ID, "Keep "+name(e)+" two hours longer"))
	}
	if longest > 0 {
		all = append(all, button(actionExtend, "Keep until …", e.ID, "Choose how long to keep "+name(e)))
	}
	return all
}

// wasReadyMessage takes the place of the ready message once nobody can log in.
func wasReadyMessage(e environment.Environment) message {
	text := title(e) + " was ready. It " + isNow(e.State) + "."
	return newMessage(text, section(text))
}

// warnedMessage tells that it ends, why, and what can be done about it.
func warnedMessage(e environment.Environment, longest time.Duration) message {
	text := fmt.Sprintf("%s ends %s. %s", title(e), moment(e.Ending.At), endsBecause(e.Ending.Cause))
	if e.Ending.Cause.ByCourse() {
		longest = 0 // extending it would not help
	}
	next := "Everything in it is deleted then, also the notebooks: download what you want to keep."
	switch used := e.Ending.Cause.ForWantOfUse(); {
	case used && longest > 0:
		next += " Or go on working in it, or extend it, and it stays."
	case used:
		next += " Or go on working in it, and it stays."
	case longest > 0:
		next += " Or extend it, and it stays."
	}
	return newMessage(text, section(text), section(next), actions("env:"+e.ID, append(extendButtons(e, longest), stopNowButton(e))...))
}

func stopNowButton(e environment.Environment) *buttonElement {
	b := stopButton(e)
	b.Text = plainText("Stop now", maxButton)
	return b
}

// endsBecause says why something is about to end.
func endsBecause(c environment.EndCause) string {
	switch c {
	case environment.EndIdle:
		return "Nobody is using it."
	case environment.EndUnused:
		return "Nobody has used it yet."
	case environment.EndClass:
		return "Its class is over, and nobody is using it."
	case environment.EndMaximum:
		return "That is the longest it may live."
	case environment.EndLeft:
		return "You are no longer on the roster of its course; ask the course's staff if that is a mistake."
	case environment.EndCourse:
		return "Its course ends then."
	default:
		return "Its time is over then."
	}
}

// endedBecause says why something has ended.
func endedBecause(c environment.EndCause) string {
	switch c {
	case environment.EndIdle:
		return "Nobody was using it."
	case environment.EndUnused:
		return "Nobody ever used it."
	case environment.EndClass:
		return "Its class was over, and nobody was using it."
	case environment.EndMaximum:
		return "It had lived as long as is allowed."
	case environment.EndLeft:
		return "Its owner was no longer on the roster of its course."
	case environment.EndCourse:
		return "Its course has ended."
	default:
		return "Its time was over."
	}
}

// wasWarnedMessage takes the place of a warning that does not hold any more.
func wasWarnedMessage(e environment.Environment, look environment.Look, events []environment.Event) message {
	ev := lastWord(events)
	var text string
	switch {
	case e.Desired == environment.Absent:
		text = strings.TrimSpace(title(e) + " " + isNow(e.State) + ". " + endedBy(e, events, e.Owner))
	case e.Ending != nil:
		text = fmt.Sprintf("%s ends %s. A newer message says more.", title(e), moment(e.Ending.At))
	case ev.Type == environment.EventExtended:
		text = title(e) + " was extended. " + endText(e)
	case ev.Actor == reaper && look.Use.Verdict.Is == environment.VerdictActive:
		text = title(e) + " goes on, because it is used again. " + endText(e)
	case ev.Actor == reaper && look.Use.Verdict.Is == environment.VerdictUnknown:
		text = title(e) + " goes on for now, because nobody can tell whether it is used. " + endText(e)
	case ev.Type == environment.EventKept && ev.Actor != reaper:
		text = title(e) + " goes on, because " + askerOf(e, ev) + " asked to keep it. " + endText(e)
	default:
		text = title(e) + " goes on. " + endText(e)
	}
	text = strings.TrimSpace(text)
	return newMessage(text, section(text))
}

// reaper is the actor of what happens by itself.
const reaper = "reaper"

func askerOf(e environment.Environment, ev environment.Event) string {
	if ev.Actor == e.Owner {
		return "you"
	}
	return escape(ev.Actor)
}

// failedMessage says why, and what to do.
func failedMessage(e environment.Environment) message {
	why, next := "", "Try again; if it fails the same way, show this message to the staff."
	if e.Failure != nil {
		why = escape(e.Failure.Message)
		switch e.Failure.Code {
		case environment.CodeInvalid:
			next = "Ask for it again with something else; `/dask help up` shows how."
		case environment.CodeQuota, environment.CodeBudget:
			next = "Trying again helps once others are done, or the staff raise the limit."
		case environment.CodeForbidden:
			next = "The staff, or whoever owns the Google Cloud project, have to allow this first."
		default:
		}
	}
	text := strings.TrimSpace(title(e) + " could not be made. " + why)
	return newMessage(text, section(text), section(next+" What it held is being released, so that it costs nothing."), actions("env:"+e.ID,
		button(actionRetry, "Try again", e.ID, "Make "+name(e)+" again"), button(actionWhy, "Why?", e.ID, "Why "+name(e)+" failed")))
}

// undoneMessage tells of a change that was taken back.
func undoneMessage(e environment.Environment, why string) message {
	text := strings.TrimSpace(title(e) + " runs as before. " + escape(why))
	return newMessage(text, section(text), actions("env:"+e.ID, buttons(e)...))
}

// wasUndoneMessage takes its place once there is nothing to run any more.
func wasUndoneMessage(e environment.Environment) message {
	text := fmt.Sprintf("A change of *%s* `%s` was taken back. It %s.", escape(e.Profile), e.ID, isNow(e.State))
	return newMessage(text, section(text))
}

// budgetMessage tells how much of a budget is spent.
func budgetMessage(sentence string) message {
	return newMessage(escape(sentence), section(escape(sentence)), contextLine("`/dask list` shows what is running; `/dask down` ends what you do not need."))
}

// endedMessage is the last word.
func endedMessage(e environment.Environment, look environment.Look, events []environment.Event) message {
	text := fmt.Sprintf("%s has ended. %s It cost %s.", title(e), endedBy(e, events, e.Owner), costText(look.Cost))
	return newMessage(text, section(text), actions("env:"+e.ID, button(actionRetry, "Start it again", e.ID, "Make "+name(e)+" again")))
}
