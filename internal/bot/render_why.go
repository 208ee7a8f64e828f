package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// whyText says why it waits, failed, or will end.
func whyText(e environment.Environment, look environment.Look, events []environment.Event, asker string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s. ", titleFor(e, asker), isNow(e.State))
	switch {
	case e.State == environment.StateFailed && e.Failure != nil:
		fmt.Fprintf(&b, "%s\nNothing of it is kept; `/dask up %s` tries again.", escape(e.Failure.Message), e.Profile)
	case e.Desired == environment.Absent:
		b.WriteString(endedBy(e, events, asker))
	case e.State == environment.StateReady:
		b.WriteString(whyEnds(e, look))
	default:
		fmt.Fprintf(&b, "%s It has been at this for %s", escape(e.Message), environment.FormatDuration(since(e, look)))
		if est := estimateText(e, look); est != "" {
			b.WriteString(" and should be " + est)
		}
		b.WriteString(".")
	}
	if last := lastProblem(e, events); last != "" {
		b.WriteString("\nThe last problem: " + escape(last))
	}
	return b.String()
}

// mishapsText says what went wrong in something that is ready: what is broken
// or awaited now, and pods to which something happened. Those that merely
// start, run or stop are no news.
func mishapsText(seen environment.SeenWorkloads) string {
	var lines []string
	for _, s := range []string{seen.Broken, seen.Waiting} {
		if s != "" {
			lines = append(lines, escape(s))
		}
	}
	for _, p := range seen.Pods {
		if _, happened, ok := strings.Cut(p.Message, "; "); ok && p.Ready {
			lines = append(lines, fmt.Sprintf("`%s`: %s.", escape(p.Name), escape(happened)))
		} else if strings.HasPrefix(p.Message, "stopped") || strings.HasPrefix(p.Message, "keeps") {
			lines = append(lines, fmt.Sprintf("`%s`: %s.", escape(p.Name), escape(p.Message)))
		}
	}
	const most = 5
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("And %d more.", len(lines)-most))
	}
	return strings.Join(append([]string{""}, lines...), "\n")
}

// whyEnds says what is known of its use, and when and why it ends.
func whyEnds(e environment.Environment, look environment.Look) string {
	if e.Protected != nil {
		return "It is protected by " + escape(e.Protected.By) + ": only a person ends it."
	}
	parts := []string{useText(e, look)}
	j, policy := look.Judgement, look.Terms.Policy
	switch {
	case j.At.IsZero():
		parts = append(parts, "Nothing ends it at a certain time.")
	case j.Cause.ForWantOfUse():
		parts = append(parts, "If that stays so, it ends "+moment(j.At)+".")
	case j.Cause == environment.EndLeft:
		parts = append(parts, "It ends "+moment(j.At)+", because its owner is no longer on the roster of its course.")
	case j.Cause == environment.EndCourse:
		parts = append(parts, "It ends "+moment(j.At)+", when its course is over.")
	case j.Cause == environment.EndMaximum:
		parts = append(parts, "It ends "+moment(j.At)+", when it has lived as long as is allowed.")
	default:
		parts = append(parts, "It ends "+moment(j.At)+", when its time is over.")
	}
	if policy.Idle > 0 && !j.Cause.ForWantOfUse() {
		parts = append(parts, "It would end earlier after "+environment.FormatDuration(policy.Idle)+" without use.")
	}
	if !j.Cause.ByCourse() && j.Cause != environment.EndMaximum {
		parts = append(parts, "`/dask extend 2h` keeps it longer.")
	}
	return strings.Join(parts, " ")
}

// useText is what was last seen of its use.
func useText(e environment.Environment, look environment.Look) string {
	why := escape(strings.TrimSuffix(look.Use.Verdict.Reason, "."))
	switch {
	case e.KeepUntil.After(look.Now):
		return "It counts as in use until " + moment(e.KeepUntil) + ", because somebody asked for that."
	case look.Use.Verdict.Is == environment.VerdictActive:
		return "It is in use: " + why + "."
	case look.Use.Verdict.Is == environment.VerdictIdle:
		return "It is idle: " + why + "."
	case look.Use.Verdict.Is == environment.VerdictUnknown:
		return "Nobody can tell at the moment whether it is in use: " + why + ". That never ends it."
	default:
		return "Nobody has looked yet whether it is in use."
	}
}

// since is how long the present phase has lasted, as far as the estimate knows
// the time.
func since(e environment.Environment, look environment.Look) time.Duration {
	if look.Now.IsZero() || look.Now.Before(e.PhaseSince) {
		return 0
	}
	return look.Now.Sub(e.PhaseSince).Round(time.Second)
}

func lastProblem(e environment.Environment, events []environment.Event) string {
	if !e.State.Live() || e.State == environment.StateReady {
		return ""
	}
	for _, ev := range slices.Backward(events) {
		if ev.Type == environment.EventRetry {
			return ev.Message
		}
	}
	return ""
}

// endedBy says who or what ended it.
func endedBy(e environment.Environment, events []environment.Event, asker string) string {
	for _, ev := range slices.Backward(events) {
		if ev.Type != environment.EventStopping {
			continue
		}
		switch ev.Actor {
		case asker, "slack":
			if ev.Actor == e.Owner {
				return "You asked for that."
			}
			return ev.Actor + " asked for that."
		case e.Owner:
			return e.Owner + " asked for that."
		case reaper:
			return endedBecause(e.EndedBecause)
		default:
			return escape(ev.Actor) + " asked for that."
		}
	}
	return ""
}
