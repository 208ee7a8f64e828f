package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) profiles() *cobra.Command {
	return w.command(cobra.Command{
		Use: "profiles", Short: "List what can be asked for", Example: "  daskbot profiles", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := ask[api.List[api.Profile]](ctx, r, http.MethodGet, "/profiles", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			var lines [][]string
			for _, p := range got.Value.Items {
				size := fmt.Sprintf("%d to %d × %s", p.Nodes, p.MaxNodes, p.MachineType)
				lines = append(lines, []string{p.Name, p.Placement, size, p.TTL, p.Title})
			}
			return rows(o, []string{"PROFILE", "PLACEMENT", "NODES", "LIVES", "WHAT"}, lines)
		})
	})
}

func (w World) completeProfiles(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	r, err := w.rest()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	got, err := ask[api.List[api.Profile]](cmd.Context(), r, http.MethodGet, "/profiles", nil)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range got.Value.Items {
		names = append(names, p.Name+"\t"+p.Title)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (w World) project() *cobra.Command {
	var person string
	parent := Parent(cobra.Command{Use: "project", Short: "Say whose cloud credits pay",
		Long: "A linked project pays for the environments of its person. daskbot must be allowed to act there;\n" +
			"`link` and `check` say how to allow it when it is not."})
	link := w.command(cobra.Command{Use: "link PROJECT", Short: "Let a project of yours pay",
		Example: "  daskbot project link alice-credits-2026", Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		return w.link(ctx, r, out, person, args[0])
	})
	unlink := w.command(cobra.Command{Use: "unlink", Short: "Let it no longer pay",
		Example: "  daskbot project unlink", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		return w.link(ctx, r, out, person, "")
	})
	check := w.command(cobra.Command{Use: "check [PROJECT]", Short: "May daskbot act in a project?",
		Long: "Ask the cloud whether daskbot may act in a project; without one, in the linked one.", Example: "  daskbot project check", Args: args(0, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		return w.check(ctx, r, out, person, args)
	})
	for _, c := range []*cobra.Command{link, unlink, check} {
		c.Flags().StringVar(&person, "person", "", "whose (default as for up)")
		parent.AddCommand(c)
	}
	return parent
}

func personPath(subject string) string { return "/people/" + url.PathEscape(subject) }

// person asks for the identities of a person, or of whom `up` would be for.
func (w World) person(ctx context.Context, r *rest, subject string) (answer[api.Person], error) {
	if subject == "" {
		var err error
		if subject, err = w.owner(ctx, r); err != nil {
			return answer[api.Person]{}, err
		}
	}
	return ask[api.Person](ctx, r, http.MethodGet, personPath(subject), nil)
}

// link changes a person's project and nothing else.
func (w World) link(ctx context.Context, r *rest, out format, person, project string) error {
	old, err := w.person(ctx, r, person)
	if err != nil {
		return err
	}
	var match []string
	if old.ETag != "" {
		match = []string{"If-Match", old.ETag}
	}
	p := old.Value
	got, err := ask[api.Person](ctx, r, http.MethodPut, personPath(p.Subject),
		api.Identities{Email: p.Email, Project: project, SlackID: p.SlackID, LMSID: p.LMSID}, match...)
	if err != nil {
		return err
	}
	return out.print(w.Out, got.Raw, func(o io.Writer) error {
		says := "The project " + project + " now pays for new environments of " + got.Value.Subject + "."
		if project == "" {
			says = "No project of " + got.Value.Subject + "'s own pays any more; the course's or the default one does."
		}
		_, err := fmt.Fprintln(o, says)
		return err
	})
}

func (w World) check(ctx context.Context, r *rest, out format, person string, args []string) error {
	project := ""
	if len(args) == 1 {
		project = args[0]
	} else {
		got, err := w.person(ctx, r, person)
		if err != nil {
			return err
		}
		if project = got.Value.Project; project == "" {
			return fmt.Errorf("%s has no linked project; link one with `daskbot project link PROJECT`", got.Value.Subject)
		}
	}
	got, err := ask[api.ProjectCheck](ctx, r, http.MethodPost, "/projects/"+url.PathEscape(project)+"/check", nil)
	if err != nil {
		return err
	}
	return out.print(w.Out, got.Raw, func(o io.Writer) error {
		_, err := fmt.Fprintf(o, "daskbot may act in the project %s.\n", project)
		return err
	})
}

func (w World) tokens() *cobra.Command {
	parent := Parent(cobra.Command{Use: "token", Short: "Make, list and revoke tokens (admins)"})
	revoke := w.command(cobra.Command{Use: "revoke ID", Short: "Make a token open nothing from now on",
		Example: "  daskbot token revoke mz4tk8wd", Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if _, err := ask[struct{}](ctx, r, http.MethodDelete, "/tokens/"+url.PathEscape(args[0]), nil); err != nil {
			return err
		}
		return out.say(w.Out, map[string]any{"id": args[0], "revoked": true}, func(io.Writer) error {
			_, err := fmt.Fprintf(w.Err, "The token %s opens nothing any more.\n", args[0])
			return err
		})
	})
	list := w.command(cobra.Command{Use: "list", Short: "List tokens, without their secrets", Example: "  daskbot token list", Args: args(0, 0)}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := ask[api.List[api.Token]](ctx, r, http.MethodGet, "/tokens", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			var lines [][]string
			for _, t := range got.Value.Items {
				lines = append(lines, []string{t.ID, t.Role, t.Subject, t.Course, w.clock(&t.CreatedAt), t.CreatedBy, w.clock(t.RevokedAt)})
			}
			return rows(o, []string{"ID", "ROLE", "SUBJECT", "COURSE", "MADE", "BY", "REVOKED"}, lines)
		})
	})
	parent.AddCommand(w.createToken(), list, revoke)
	return parent
}

func (w World) createToken() *cobra.Command {
	var t api.TokenRequest
	cmd := w.command(cobra.Command{Use: "create --role ROLE --subject SUBJECT", Short: "Make a token; its secret is shown this once",
		Long: "Make a token. The secret goes to standard output and is shown this once; everything else goes beside it.",
		Example: "  daskbot token create --role student --subject alice\n" +
			"  daskbot token create --role staff --subject prof --course de-2026", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		if t.Role == "" || t.Subject == "" {
			return Usage("Say for whom: daskbot token create --role student --subject alice")
		}
		got, err := ask[api.NewToken](ctx, r, http.MethodPost, "/tokens", t)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			_, _ = fmt.Fprintf(w.Err, "Token %s for %s (%s). Keep it: it is not shown again.\n", got.Value.ID, got.Value.Subject, got.Value.Role)
			_, err := fmt.Fprintln(o, got.Value.Secret)
			return err
		})
	})
	cmd.Flags().StringVar(&t.Role, "role", "", "student, staff or admin")
	cmd.Flags().StringVar(&t.Subject, "subject", "", "who its holder is")
	cmd.Flags().StringVar(&t.Course, "course", "", "the course a staff token is for")
	return cmd
}
