package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) course() *cobra.Command {
	cmd := Parent(cobra.Command{Use: "course", Short: "Define, start, end and see a whole class"})
	cmd.AddCommand(w.courseList(), w.courseStatus(), w.courseApply(), w.courseExport(), w.courseImport(), w.courseDelete(), w.courseNotifications(),
		w.courseCommand("up", "Make an environment for every member of a course who has none",
			"Make an environment for every member of a course who has none. Repeating it is harmless. For staff of the course and admins."),
		w.courseCommand("down", "End everything in a course",
			"End everything in a course, also what belongs to people who are no longer members. What somebody protected stays.\nFor staff of the course and admins."))
	return cmd
}

func (w World) courseList() *cobra.Command {
	return w.command(cobra.Command{
		Use:     "list",
		Short:   "List courses",
		Long:    "List the courses that you teach; admins see all.",
		Example: "  daskbot course list",
		Args:    args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := ask[api.List[api.Course]](ctx, r, http.MethodGet, "/courses", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			if len(got.Value.Items) == 0 {
				_, err := fmt.Fprintln(w.Err, "There are no courses of yours.")
				return err
			}
			var lines [][]string
			for _, k := range got.Value.Items {
				lines = append(lines, []string{k.ID, k.Title, strconv.Itoa(len(k.Members)), k.Profile, k.Timezone})
			}
			return rows(o, []string{"COURSE", "TITLE", "MEMBERS", "PROFILE", "TIME ZONE"}, lines)
		})
	})
}

func (w World) courseStatus() *cobra.Command {
	return w.aboutCourse(w.command(cobra.Command{
		Use:     "status COURSE",
		Short:   "Show who in a course has what",
		Long:    "Show every member of a course with their environment, how it is used, when it ends and what it costs.",
		Example: "  daskbot course status de-2026",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		got, err := ask[api.CourseStatus](ctx, r, http.MethodGet, coursePath(args[0]), nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.drawCourse(o, got.Value) })
	}))
}

func (w World) drawCourse(o io.Writer, k api.CourseStatus) error {
	var lines [][]string
	live := 0
	for _, seat := range k.Seats {
		line := []string{seat.Subject, "", "none", "", "", "", ""}
		if e := seat.Environment; e != nil {
			live++
			line = []string{seat.Subject, e.ID, e.State, e.Activity.Verdict, w.clock(e.ExpiresAt), fmt.Sprintf("%.2f", e.Cost.USDPerHour), e.URL}
		}
		if !seat.Member {
			line[0] += " (no member)"
		}
		lines = append(lines, line)
	}
	if err := rows(o, []string{"WHO", "ID", "STATE", "USE", "ENDS", "$/H", "URL"}, lines); err != nil {
		return err
	}
	for _, l := range k.Left {
		if l.EndsAt.After(w.Now()) {
			if _, err := fmt.Fprintf(o, "%s left; what they have here ends %s.\n", oneLine(l.Subject), w.clock(&l.EndsAt)); err != nil {
				return err
			}
		}
	}
	for _, problem := range k.Problems {
		if _, err := fmt.Fprintf(o, "\n%s\n", oneLine(problem)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(o, "\n%s, %s; about $%.2f an hour, $%.2f so far.\n", count(len(k.Members), "member"),
		count(live, "environment"), k.Cost.USDPerHour, k.Cost.USDTotal)
	return err
}

func (w World) courseCommand(verb, short, long string) *cobra.Command {
	return w.aboutCourse(w.command(cobra.Command{
		Use:     verb + " COURSE",
		Short:   short,
		Long:    long,
		Example: "  daskbot course " + verb + " de-2026",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		got, err := survey[api.Batch](ctx, r, http.MethodPost, coursePath(args[0], verb), nil)
		if err != nil {
			return err
		}
		if err := out.print(w.Out, got.Raw, func(o io.Writer) error { return drawBatch(o, got.Value) }); err != nil {
			return err
		}
		if n := got.Value.Refused; n > 0 {
			return fmt.Errorf("%d of %s refused; the others were served", n, count(len(got.Value.Items), "member"))
		}
		return nil
	}))
}

func drawBatch(o io.Writer, b api.Batch) error {
	if len(b.Items) == 0 {
		_, err := fmt.Fprintf(o, "There was nothing to do for %s.\n", b.Course)
		return err
	}
	var lines [][]string
	for _, i := range b.Items {
		lines = append(lines, []string{i.Subject, i.Environment, i.Outcome, i.Reason})
	}
	return rows(o, []string{"WHO", "ID", "OUTCOME", "WHY"}, lines)
}

// aboutCourse completes a command whose argument is a course.
func (w World) aboutCourse(cmd *cobra.Command) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		r, err := w.rest()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		got, err := ask[api.List[api.Course]](cmd.Context(), r, http.MethodGet, "/courses", nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, k := range got.Value.Items {
			ids = append(ids, k.ID+"\t"+k.Title)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func coursePath(id string, more ...string) string {
	path := "/courses/" + url.PathEscape(id)
	for _, part := range more {
		path += "/" + part
	}
	return path
}
