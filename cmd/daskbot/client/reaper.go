package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

func (w World) keep() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:   "keep ID DURATION",
		Short: "Count an environment as in use for a while",
		Long: "Count an environment as in use for a while, for work that cannot be seen from outside. It does not\n" +
			"move the deadline; `daskbot extend` does.",
		Example: "  daskbot keep kq7wm2xd 2h",
		Args:    args(2, 2),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if _, err := environment.ParseDuration("for", args[1]); err != nil {
			return Usage("%s", environment.MessageOf(err))
		}
		return w.change(ctx, r, out, args[0], "keep", api.Lease{For: args[1]})
	}))
}

func (w World) protect() *cobra.Command {
	var off bool
	cmd := w.aboutOne(w.command(cobra.Command{
		Use:     "protect ID",
		Short:   "Keep the reaper away from an environment",
		Long:    "Keep the reaper away: the environment ends only when a person ends it. For staff and admins.",
		Example: "  daskbot protect kq7wm2xd\n  daskbot protect kq7wm2xd --off",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		return w.change(ctx, r, out, args[0], "protect", api.ProtectRequest{Off: off})
	}))
	cmd.Flags().BoolVar(&off, "off", false, "let the reaper back")
	return cmd
}

func (w World) reaper() *cobra.Command {
	cmd := Parent(cobra.Command{Use: "reaper", Short: "See and steer what ends environments by itself"})
	cmd.AddCommand(w.reaperPlan(), w.reaperRun(),
		w.reaperSwitch("pause", "Stop the reaper: nothing ends by itself until it is resumed"),
		w.reaperSwitch("resume", "Let the reaper go on"))
	return cmd
}

func (w World) reaperPlan() *cobra.Command {
	return w.command(cobra.Command{
		Use:   "plan",
		Short: "Show what the reaper would do now, and why",
		Long: "Show what the reaper would do now with each environment that you may see, judged by the last looks. For staff and admins;\n" +
			"`daskbot status ID` says it of one's own.",
		Example: "  daskbot reaper plan\n  daskbot reaper plan -o json",
		Args:    args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := ask[api.Plan](ctx, r, http.MethodGet, "/reaper/plan", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.drawPlan(o, got.Value) })
	})
}

func (w World) reaperRun() *cobra.Command {
	var request api.RunRequest
	cmd := w.command(cobra.Command{
		Use:   "run",
		Short: "Run the reaper now",
		Long: "Run the reaper now: look at every environment, warn, and end what is at its end. For staff and admins; --confirm is for admins.\n" +
			"With --dry-run only say what would be done.",
		Example: "  daskbot reaper run --dry-run\n  daskbot reaper run --confirm",
		Args:    args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := survey[api.Run](ctx, r, http.MethodPost, "/reaper/run", request)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			if err := w.drawPlan(o, got.Value.Plan); err != nil {
				return err
			}
			_, err := fmt.Fprintln(o, "\n"+runWords(got.Value))
			return err
		})
	})
	cmd.Flags().BoolVar(&request.DryRun, "dry-run", false, "only say what would be done")
	cmd.Flags().BoolVar(&request.Confirm, "confirm", false, "end also more idle environments at once than one run may without a person")
	return cmd
}

func runWords(r api.Run) string {
	switch {
	case r.DryRun:
		return "A dry run: nothing was done."
	case r.Paused:
		return "Nothing was done, because the reaper is paused."
	}
	words := fmt.Sprintf("Ended %s, warned about %d.", count(r.Deleted, "environment"), r.Warned)
	if r.Waiting > 0 {
		words += fmt.Sprintf(" %d wait for the next run.", r.Waiting)
	}
	if r.Failed > 0 {
		words += fmt.Sprintf(" %d could not be looked at or ended; the daemon's log says why.", r.Failed)
	}
	return words
}

func (w World) drawPlan(o io.Writer, p api.Plan) error {
	if p.Paused {
		by := ""
		if p.Why != "" {
			by = " (" + oneLine(p.Why) + ")"
		}
		_, _ = fmt.Fprintln(o, "The reaper is paused"+by+": nothing is ended or warned. `daskbot reaper resume` lets it go on.") // the table reports it
	}
	if p.Held != "" {
		_, _ = fmt.Fprintln(o, "Held: "+oneLine(p.Held))
	}
	if len(p.Items) == 0 {
		_, err := fmt.Fprintln(o, "There is no environment that could end by itself.")
		return err
	}
	var lines [][]string
	for _, i := range p.Items {
		lines = append(lines, []string{i.Environment, i.Owner, i.Course, i.Verdict, i.Action, w.clock(i.At), i.Reason})
	}
	return rows(o, []string{"ID", "OWNER", "COURSE", "USE", "ACTION", "ENDS", "WHY"}, lines)
}

func (w World) reaperSwitch(verb, short string) *cobra.Command {
	var reason string
	cmd := w.command(cobra.Command{
		Use: verb, Short: short, Long: short + ". For staff and admins.", Example: "  daskbot reaper " + verb + " --reason \"the hubs are being repaired\"", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		var how any // nothing, for a daemon that knows of no reasons
		if reason != "" {
			how = api.ReaperSwitch{Reason: reason}
		}
		got, err := ask[api.ReaperState](ctx, r, http.MethodPost, "/reaper/"+verb, how)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			is := "runs"
			if got.Value.Paused {
				is = "is paused"
			}
			_, err := fmt.Fprintln(o, "The reaper "+is+".")
			return err
		})
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever wonders")
	return cmd
}

// useFacts say how an environment is used and what becomes of it.
func (w World) useFacts(e api.Environment) []pair {
	if e.Next == nil {
		because := ""
		if e.EndedBecause != "" {
			because = "by the reaper: " + e.EndedBecause
		}
		return []pair{{"Ended", because}}
	}
	next := e.Next.Reason
	if e.Next.Action != "keep" && e.Next.Action != "skip" {
		next = e.Next.Action + ": " + next
	}
	told := ""
	if e.Ending != nil {
		told = fmt.Sprintf("%s (%s), told at %s", w.clockAndDistance(&e.Ending.At), e.Ending.Cause, w.clock(&e.Ending.ToldAt))
	}
	protected := ""
	if e.Protected != nil {
		protected = fmt.Sprintf("by %s since %s", e.Protected.By, w.clock(&e.Protected.At))
	}
	out := []pair{{"Use", w.useWords(e)}, {"Warned", told}, {"Kept", w.until(e.KeepUntil)}, {"Protected", protected}, {"Reaper", next}}
	name := "Limits"
	for _, l := range e.Policy {
		if words, ok := limitWords[l.Name]; ok {
			from := ""
			if l.From != "" {
				from = " (" + l.From + ")"
			}
			out = append(out, pair{name, fmt.Sprintf(words, l.Value) + from})
			name = " "
		}
	}
	return out
}

func (w World) until(t *time.Time) string {
	if t == nil || !t.After(w.Now()) {
		return ""
	}
	return "until " + w.clockAndDistance(t)
}

// useWords is the verdict with what the sources said: "active: kernel python3
// has been running for 2h; last login 3h ago".
func (w World) useWords(e api.Environment) string {
	words := e.Activity.Verdict + ": " + e.Activity.Reason
	for _, s := range e.Activity.Signals {
		if s.Message != e.Activity.Reason {
			words += "; " + s.Message
		}
	}
	if e.Activity.At != nil {
		words += " (seen at " + w.clock(e.Activity.At) + ")"
	}
	return words
}

// limitWords are the limits that an owner meets; the others are the operator's.
var limitWords = map[string]string{
	"maxTtl": "at most %s from ready", "idle": "idle limit %s", "unused": "never used: %s", "maxBusy": "busy without a pause counts for %s",
	"warnings": "warned %s before", "extension": "one extension adds at most %s", "extensions": "at most %s extensions",
	"weeklyHours": "%s hours in seven days", "ownerBudget": "$%s a month for each owner", "courseBudget": "$%s a month for the course",
}
