package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

// applying are the flags of commands that show what they would change first.
type applying struct{ yes, dry bool }

func (a *applying) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask first")
	cmd.Flags().BoolVar(&a.dry, "dry-run", false, "only show what would change")
}

func (w World) courseApply() *cobra.Command {
	var how applying
	cmd := w.command(cobra.Command{
		Use:   "apply FILE",
		Short: "Make a course, or bring it to what a file says",
		Long: "Make a course, or bring it to what a file says (configs/course.example.yaml shows one). What would change is shown\n" +
			"first, and on a terminal you are asked. Whoever is not in the file is dropped from the roster: what they have in the\n" +
			"course ends after its grace, and they are told. For staff of the course; admins make courses. FILE - is standard input.",
		Example: "  daskbot course apply de-2026.yaml --dry-run\n  daskbot course apply de-2026.yaml --yes",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		text, err := w.file(args[0])
		if err != nil {
			return err
		}
		doc, err := readCourse(args[0], text)
		if err != nil {
			return err
		}
		return w.putCourse(ctx, r, out, how, coursePath(doc.ID), doc)
	})
	how.flags(cmd)
	return cmd
}

func (w World) courseImport() *cobra.Command {
	var how applying
	var skip bool
	cmd := w.aboutCourse(w.command(cobra.Command{
		Use:   "import COURSE FILE.csv",
		Short: "Replace a course's roster by a CSV file",
		Long: "Replace a course's roster by a CSV file with a header line: a column named email, and any of name, lmsId, slackId,\n" +
			"project, role and subject; exports of learning platforms are understood. Every bad line is reported and nothing is\n" +
			"changed, unless --skip-bad leaves those out; a file that cannot be read, or without any good line, changes nothing.",
		Example: "  daskbot course import de-2026 roster.csv --dry-run\n  daskbot course import de-2026 roster.csv --skip-bad",
		Args:    args(2, 2),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		text, err := w.file(args[1])
		if err != nil {
			return err
		}
		path := coursePath(args[0], "members")
		if skip {
			path += "?skipBad=true"
		}
		return w.putCourse(ctx, r, out, how, path, raw{"text/csv", text})
	}))
	how.flags(cmd)
	cmd.Flags().BoolVar(&skip, "skip-bad", false, "leave out bad lines")
	return cmd
}

func (w World) courseExport() *cobra.Command {
	var roster bool
	cmd := w.aboutCourse(w.command(cobra.Command{
		Use:     "export COURSE",
		Short:   "Print a course as a file that apply takes",
		Long:    "Print a course as a file that apply takes; --roster prints its members as CSV, for a spreadsheet and for import.",
		Example: "  daskbot course export de-2026 > de-2026.yaml\n  daskbot course export de-2026 --roster > roster.csv",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if roster {
			return w.printRoster(ctx, r, out, args[0])
		}
		got, err := ask[api.CourseDocument](ctx, r, http.MethodGet, coursePath(args[0]), nil)
		if err != nil {
			return err
		}
		if out == asJSON {
			return out.print(w.Out, got.Raw, nil)
		}
		text, err := writeCourse(got.Value)
		if err != nil {
			return err
		}
		_, err = w.Out.Write(text)
		return err
	}))
	cmd.Flags().BoolVar(&roster, "roster", false, "the members only, as CSV")
	return cmd
}

// printRoster prints the members: as CSV, unless another format was asked for.
func (w World) printRoster(ctx context.Context, r *rest, out format, course string) error {
	if out != asTable {
		got, err := ask[[]api.Member](ctx, r, http.MethodGet, coursePath(course, "members"), nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, nil)
	}
	ctx, cancel := r.bounded(ctx, answerIn)
	defer cancel()
	resp, err := r.send(ctx, http.MethodGet, coursePath(course, "members"), nil, "Accept", "text/csv")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w.Out, io.LimitReader(resp.Body, largestAnswer))
	return err
}

func (w World) courseDelete() *cobra.Command {
	var how applying
	cmd := w.aboutCourse(w.command(cobra.Command{
		Use:     "delete COURSE",
		Short:   "End a course",
		Long:    "End a course: its schedules stop, and what lives in it ends after its grace, of which everybody is told. Admins only.",
		Example: "  daskbot course delete de-2026",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if err := w.agree(how.yes, "End the course "+args[0]+" and everything in it?"); err != nil {
			return err
		}
		if _, err := ask[struct{}](ctx, r, http.MethodDelete, coursePath(args[0]), nil); err != nil {
			return err
		}
		return out.say(w.Out, map[string]any{"course": args[0], "ended": true}, func(o io.Writer) error {
			_, err := fmt.Fprintf(o, "The course %s has ended; what lives in it ends after its grace.\n", args[0])
			return err
		})
	}))
	cmd.Flags().BoolVarP(&how.yes, "yes", "y", false, "do not ask first")
	return cmd
}

func (w World) file(name string) ([]byte, error) {
	if name == "-" {
		name = "/dev/stdin"
	}
	text, err := w.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	return text, nil
}

// putCourse shows what a request would change and, once that is agreed to, makes
// it, unless the course has moved on meanwhile.
func (w World) putCourse(ctx context.Context, r *rest, out format, how applying, path string, body any) error {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	plan, err := ask[api.CourseChange](ctx, r, http.MethodPut, path+sep+"dryRun=true", body)
	if err != nil {
		return err
	}
	if how.dry {
		return out.print(w.Out, plan.Raw, func(o io.Writer) error { return drawChange(o, plan.Value) })
	}
	if err := drawChange(w.Err, plan.Value); err != nil {
		return err
	}
	if len(plan.Value.Changes) > 0 {
		if err := w.agree(how.yes, "Make these changes?"); err != nil {
			return err
		}
	}
	var match []string
	if plan.ETag != "" {
		match = []string{"If-Match", plan.ETag}
	}
	got, err := ask[api.CourseChange](ctx, r, http.MethodPut, path, body, match...)
	if err != nil {
		return err
	}
	return out.print(w.Out, got.Raw, func(o io.Writer) error { return drawDone(o, got.Value) })
}

var errDisagreed = errors.New("nothing was changed")

// agree asks on a terminal; without one, whoever wrote the command line did.
func (w World) agree(yes bool, question string) error {
	if yes || w.Ask == nil {
		return nil
	}
	word, err := w.Ask(question + " [y/N] ")
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if word = strings.ToLower(strings.TrimSpace(word)); word != "y" && word != "yes" {
		return errDisagreed
	}
	return nil
}

// drawChange shows what is new (+), gone (-) and different (~).
func drawChange(o io.Writer, c api.CourseChange) error {
	var b strings.Builder
	if c.Created {
		fmt.Fprintf(&b, "The course %s is new:\n", oneLine(c.Course.ID))
	}
	for _, d := range c.Changes {
		switch {
		case d.Was == "":
			fmt.Fprintf(&b, "  + %s: %s\n", oneLine(d.Field), oneLine(d.Is))
		case d.Is == "":
			fmt.Fprintf(&b, "  - %s: %s\n", oneLine(d.Field), oneLine(d.Was))
		default:
			fmt.Fprintf(&b, "  ~ %s: %s -> %s\n", oneLine(d.Field), oneLine(d.Was), oneLine(d.Is))
		}
	}
	for _, s := range c.Skipped {
		fmt.Fprintf(&b, "  ! left out: %s: %s\n", oneLine(s.Field), oneLine(s.Message))
	}
	_, err := io.WriteString(o, b.String())
	return err
}

func drawDone(o io.Writer, c api.CourseChange) error {
	says := fmt.Sprintf("The course %s was changed: %s.", c.Course.ID, count(len(c.Changes), "difference"))
	switch {
	case c.Created:
		says = fmt.Sprintf("The course %s was made, with %s.", c.Course.ID, count(len(c.Course.Members), "member"))
	case len(c.Changes) == 0:
		says = fmt.Sprintf("The course %s is as it should be; nothing was changed.", c.Course.ID)
	}
	_, err := fmt.Fprintln(o, says)
	return err
}
