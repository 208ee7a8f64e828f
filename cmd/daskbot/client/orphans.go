package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) orphans() *cobra.Command {
	var remove, fresh bool
	var how api.OrphanDeletion
	cmd := w.command(cobra.Command{Use: "orphans [--delete]", Short: "See, and delete, what costs money and belongs to nobody",
		Long: "List what is in the cloud and nothing looks after, as of the last comparison of cloud and store, with\n" +
			"what it costs. daskbot deletes it by itself when its grace is over; --delete does so at once for what is\n" +
			"past its grace, and with --now for all of it. For staff and admins; --now is for admins.",
		Example: "  daskbot orphans --fresh\n  daskbot orphans --delete --dry-run\n  daskbot orphans --delete", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		if !remove && (how.Now || how.DryRun) {
			return Usage("--now and --dry-run say how to delete: daskbot orphans --delete --dry-run")
		}
		got, err := askOrphans(ctx, r, remove, fresh, how)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.orphanTable(o, got.Value) })
	})
	cmd.Flags().BoolVar(&remove, "delete", false, "delete what is past its grace")
	cmd.Flags().BoolVar(&how.Now, "now", false, "with --delete: do not wait for the grace")
	cmd.Flags().BoolVar(&how.DryRun, "dry-run", false, "with --delete: only say what would be deleted")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "compare cloud and store now")
	return cmd
}

func askOrphans(ctx context.Context, r *rest, remove, fresh bool, how api.OrphanDeletion) (answer[api.Orphans], error) {
	switch {
	case remove:
		return survey[api.Orphans](ctx, r, http.MethodPost, "/orphans/delete", how)
	case fresh:
		return survey[api.Orphans](ctx, r, http.MethodGet, "/orphans?fresh=true", nil)
	default:
		return ask[api.Orphans](ctx, r, http.MethodGet, "/orphans", nil)
	}
}

func (w World) orphanTable(o io.Writer, found api.Orphans) error {
	if found.At == nil {
		_, err := fmt.Fprintln(o, "Cloud and store have not been compared yet; `daskbot orphans --fresh` does so now.")
		return err
	}
	if len(found.Items) > 0 {
		var lines [][]string
		for _, it := range found.Items {
			action := it.Action
			if it.Done != "" {
				action += " (" + it.Done + ")"
			}
			lines = append(lines, []string{it.Kind, it.Name, it.Location, it.Project, fmt.Sprintf("%.4f", it.USDPerHour),
				w.clock(&it.FirstSeen), w.clock(it.DeleteAt), action, it.Reason})
		}
		if err := rows(o, []string{"KIND", "NAME", "LOCATION", "PROJECT", "$/H", "SEEN", "UNTIL", "ACTION", "WHY"}, lines); err != nil {
			return err
		}
	}
	return w.orphanSummary(o, found)
}

func (w World) orphanSummary(o io.Writer, found api.Orphans) error {
	_, err := fmt.Fprintf(o, "%s in %s, compared at %s: about $%.4f an hour (list prices of %s).\n",
		count(len(found.Items), "leftover"), count(found.Projects, "project"), w.clock(found.At), found.USDPerHour, found.PricesAsOf)
	for _, u := range found.Unsure {
		_, _ = fmt.Fprintf(o, "%s: nothing can be said and nothing is deleted. %s\n", u.Project, oneLine(u.Reason))
	}
	for _, id := range found.Lost {
		_, _ = fmt.Fprintf(o, "The cluster %s is not in the cloud any more; daskbot looks at it by name.\n", id)
	}
	if found.Held != "" {
		_, _ = fmt.Fprintln(o, "Held:", oneLine(found.Held))
	}
	return err
}
