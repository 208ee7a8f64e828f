package client

import (
	"context"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) audit() *cobra.Command {
	var actor, object, outcome string
	var limit int
	cmd := w.command(cobra.Command{Use: "audit", Short: "See who did what, and what was refused",
		Long: "List changes, looks at credentials and refusals, newest first, from REST and Slack. What a change\n" +
			"changed is in the events of its object. For admins.",
		Example: "  daskbot audit --outcome forbidden\n  daskbot audit --object kq7wm2xd", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		query := url.Values{}
		for name, value := range map[string]string{"actor": actor, "object": object, "outcome": outcome} {
			if value != "" {
				query.Set(name, value)
			}
		}
		got, err := first[api.AuditEntry](ctx, r, "/audit", query, limit)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.auditTable(o, got.Value.Items) })
	})
	cmd.Flags().StringVar(&actor, "actor", "", "only what this person did")
	cmd.Flags().StringVar(&object, "object", "", "only what was done to this")
	cmd.Flags().StringVar(&outcome, "outcome", "", "only this outcome: ok, or the code of a refusal")
	howMany(cmd, &limit)
	return cmd
}

func (w World) auditTable(o io.Writer, entries []api.AuditEntry) error {
	var lines [][]string
	for _, a := range entries {
		lines = append(lines, []string{w.clock(&a.At), a.Actor, a.Role, a.Via, a.Action, a.Object, a.Outcome, a.Address, a.Request})
	}
	return rows(o, []string{"AT", "WHO", "ROLE", "VIA", "DID", "TO", "OUTCOME", "FROM", "REQUEST"}, lines)
}
