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

func (w World) hooks() *cobra.Command {
	parent := Parent(cobra.Command{Use: "hooks", Short: "See what learning platforms sent (admins)"})
	retry := w.command(cobra.Command{Use: "retry ID", Short: "Try a parked message again, once its reason was mended",
		Example: "  daskbot hooks retry kq7wm2xdmz4tk8wd", Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		got, err := ask[api.Delivery](ctx, r, http.MethodPost, "/hooks/"+url.PathEscape(args[0])+"/retry", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			_, err := fmt.Fprintf(o, "The message %s is tried again.\n", got.Value.ID)
			return err
		})
	})
	parent.AddCommand(w.listHooks(), retry)
	return parent
}

func (w World) listHooks() *cobra.Command {
	var source, state string
	var limit int
	cmd := w.command(cobra.Command{Use: "list [--source S] [--state waiting|done|ignored|parked]", Short: "List what learning platforms sent, and what came of it",
		Long: "List what came to /hooks/lms/SOURCE, newest first, with what it did or why nothing. A parked message cannot\n" +
			"be carried out and waits for somebody to look; a copy of one that came before does nothing.",
		Example: "  daskbot hooks list\n  daskbot hooks list --state parked", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		query := url.Values{}
		for key, value := range map[string]string{"source": source, "state": state} {
			if value != "" {
				query.Set(key, value)
			}
		}
		got, err := first[api.Delivery](ctx, r, "/hooks", query, limit)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.hookTable(o, got.Value.Items) })
	})
	cmd.Flags().StringVar(&source, "source", "", "only of this source")
	cmd.Flags().StringVar(&state, "state", "", "only these: waiting, done, ignored or parked")
	howMany(cmd, &limit)
	return cmd
}

func (w World) hookTable(o io.Writer, items []api.Delivery) error {
	if len(items) == 0 {
		_, err := fmt.Fprintln(o, "Nothing was received.")
		return err
	}
	var lines [][]string
	for _, d := range items {
		lines = append(lines, []string{d.ID, w.clock(&d.ReceivedAt), d.Source, oneLine(d.Type), d.State, strconv.Itoa(d.Copies), oneLine(d.Reason)})
	}
	return rows(o, []string{"ID", "RECEIVED", "SOURCE", "EVENT", "STATE", "COPIES", "WHY"}, lines)
}
