package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) courseNotifications() *cobra.Command {
	var resume bool
	cmd := w.aboutCourse(w.command(cobra.Command{Use: "notifications COURSE [--resume]", Short: "Show where a course has notifications sent",
		Long: "Show the addresses under notifications: in the course, each with the secret with which its receiver verifies\n" +
			"what comes, and how sending goes. One that took nothing for three days is given up until --resume.",
		Example: "  daskbot course notifications de-2026\n  daskbot course notifications de-2026 --resume", Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		method, path := http.MethodGet, coursePath(args[0])+"/notifications"
		if resume {
			method, path = http.MethodPost, path+"/resume"
		}
		got, err := ask[api.List[api.Notification]](ctx, r, method, path, nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.notificationTable(o, got.Value.Items) })
	}))
	cmd.Flags().BoolVar(&resume, "resume", false, "send again to addresses that were given up")
	return cmd
}

func (w World) notificationTable(o io.Writer, items []api.Notification) error {
	if len(items) == 0 {
		_, err := fmt.Fprintln(o, "The course has no notifications sent; list addresses under notifications: in its document.")
		return err
	}
	var lines [][]string
	for _, n := range items {
		state := "works"
		switch {
		case n.DisabledAt != nil:
			state = "given up " + w.clock(n.DisabledAt)
		case n.FailingSince != nil:
			state = "failing since " + w.clock(n.FailingSince)
		}
		events := strings.Join(n.Events, ",")
		if events == "" {
			events = "all"
		}
		lines = append(lines, []string{n.URL, events, state, n.Secret, oneLine(n.Reason)})
	}
	return rows(o, []string{"ADDRESS", "EVENTS", "STATE", "SECRET", "WHY"}, lines)
}
