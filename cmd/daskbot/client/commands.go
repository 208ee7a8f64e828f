package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

// The groups under which help lists the commands.
const (
	groupEnvironments = "environments"
	groupUse          = "use"
	groupAccess       = "access"
)

// Add adds the client commands, and the groups they are listed under, to root,
// and makes root report errors as Execute expects.
func Add(root *cobra.Command, w World) {
	root.SetOut(w.Out)
	root.SetErr(w.Err)
	root.SetFlagErrorFunc(flagError)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddGroup(&cobra.Group{ID: groupEnvironments, Title: "Environments:"},
		&cobra.Group{ID: groupUse, Title: "Using one:"},
		&cobra.Group{ID: groupAccess, Title: "Money and access:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupEnvironments, w.up(), w.status(), w.list(), w.events(), w.down(), w.extend(), w.keep(), w.scale(), w.packages(), w.upgrade(), w.profiles(), w.course())
	add(groupUse, w.credentials(), w.kubeconfig(), w.logs(), w.open())
	add(groupAccess, w.project(), w.slackLink(), w.lti(), w.tokens(), w.protect(), w.reaper(), w.orphans(), w.hooks(), w.audit(), w.queue(), w.cost(), w.ping())
}

// command builds a command whose run gets the connection and the format.
func (w World) command(c cobra.Command, run func(ctx context.Context, r *rest, f format, args []string) error) *cobra.Command {
	cmd := &c
	f := asTable
	cmd.Flags().VarP(&f, "output", "o", "how to print the answer")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := w.rest()
		if err != nil {
			return err
		}
		return run(cmd.Context(), r, f, args)
	}
	return cmd
}

// aboutOne completes a command whose first argument is an environment's id.
func (w World) aboutOne(cmd *cobra.Command) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		r, err := w.rest()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		got, err := all[api.Environment](cmd.Context(), r, "/environments", url.Values{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, e := range got.Value.Items {
			if e.State != string(environment.StateDeleted) {
				ids = append(ids, e.ID+"\t"+e.Owner+" "+e.Profile+" "+e.State)
			}
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// args refuses a number of arguments with the usage line, which says more
// than "accepts 2 args".
func args(atLeast, atMost int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		if len(got) < atLeast || atMost >= 0 && len(got) > atMost {
			return Usage("Usage: %s\nSee `%s --help`.", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

// Parent builds a command that only holds others. Without one of them, or with
// a misspelt one, it is wrong usage.
func Parent(c cobra.Command) *cobra.Command {
	c.RunE = func(cmd *cobra.Command, got []string) error {
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		if len(got) > 0 {
			if near := environment.Nearest(got[0], names); near != "" {
				return Usage("There is no %s %s. Did you mean %q?", cmd.CommandPath(), got[0], near)
			}
		}
		return Usage("Usage: %s %s\nSee `%s --help`.", cmd.CommandPath(), strings.Join(names, "|"), cmd.CommandPath())
	}
	return &c
}

// flagError suggests the flag that was likely meant.
func flagError(cmd *cobra.Command, err error) error {
	_, word, found := strings.Cut(err.Error(), "unknown flag: --")
	var value *pflag.InvalidValueError
	if errors.As(err, &value) && value.GetFlag().Value.Type() == "int" {
		return Usage("%q is not a number for --%s, for example --%s 4.", value.GetValue(), value.GetFlag().Name, value.GetFlag().Name)
	}
	if !found {
		return Usage("%v\nSee `%s --help`.", err, cmd.CommandPath())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := environment.Nearest(word, names); near != "" {
		return Usage("There is no flag --%s. Did you mean --%s?", word, near)
	}
	return Usage("There is no flag --%s.\nSee `%s --help`.", word, cmd.CommandPath())
}

// me asks who the token belongs to.
func me(ctx context.Context, r *rest) (api.Me, error) {
	got, err := ask[api.Me](ctx, r, http.MethodGet, "/me", nil)
	return got.Value, err
}

// owner is whom a command is for when it does not say: a student's token can
// only mean its holder; staff and admins act for people, and the person at the
// keyboard is the best guess.
func (w World) owner(ctx context.Context, r *rest) (string, error) {
	who, err := me(ctx, r)
	if err != nil {
		return "", err
	}
	if user := w.Getenv("USER"); user != "" && who.Role != string(environment.RoleStudent) {
		return user, nil
	}
	return who.Subject, nil
}

// howMany is the flag of a list that may be long.
func howMany(cmd *cobra.Command, count *int) {
	cmd.Flags().IntVar(count, "limit", 100, "how many, the newest first; 0 for all")
}
