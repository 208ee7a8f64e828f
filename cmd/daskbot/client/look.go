package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) status() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:   "status [ID]",
		Short: "Show an environment, with what runs in it",
		Long:  "Show an environment with its address, deadline, cost and what runs in it. Without an ID: yours.",
		Example: "  daskbot status\n" +
			"  daskbot status kq7wm2xd -o json",
		Args: args(0, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if len(args) == 1 {
			return w.showOne(ctx, r, out, args[0])
		}
		return w.showMine(ctx, r, out)
	}))
}

func (w World) showOne(ctx context.Context, r *rest, out format, id string) error {
	got, err := ask[api.Environment](ctx, r, http.MethodGet, environmentPath(id)+"?describe=true", nil)
	if err != nil {
		return err
	}
	return out.print(w.Out, got.Raw, w.details(got.Value))
}

// showMine shows the caller's live environments: the only one in full.
func (w World) showMine(ctx context.Context, r *rest, out format) error {
	owner, err := w.owner(ctx, r)
	if err != nil {
		return err
	}
	got, err := all[api.Environment](ctx, r, "/environments", url.Values{"owner": {owner}, "state": {"pending,creating,ready,updating,deleting"}})
	if err != nil {
		return err
	}
	items := got.Value.Items
	if len(items) == 1 {
		return w.showOne(ctx, r, out, items[0].ID)
	}
	return out.print(w.Out, got.Raw, func(o io.Writer) error {
		if len(items) == 0 {
			_, err := fmt.Fprintf(o, "%s has no environment. `daskbot up` makes one.\n", owner)
			return err
		}
		_, _ = fmt.Fprintf(o, "%s has %s:\n", owner, count(len(items), "environment")) // the table reports it
		return w.table(o, items)
	})
}

func (w World) list() *cobra.Command {
	var owner, course string
	var states []string
	cmd := w.command(cobra.Command{
		Use:   "list",
		Short: "List environments",
		Long:  "List the environments that you may see, newest first.",
		Example: "  daskbot list --state ready\n" +
			"  daskbot list --course de-2026 -o json",
		Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		query := url.Values{}
		for name, value := range map[string]string{"owner": owner, "course": course, "state": strings.Join(states, ",")} {
			if value != "" {
				query.Set(name, value)
			}
		}
		got, err := all[api.Environment](ctx, r, "/environments", query)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			if len(got.Value.Items) == 0 {
				_, err := fmt.Fprintln(w.Err, "There are no such environments.")
				return err
			}
			return w.table(o, got.Value.Items)
		})
	})
	cmd.Flags().StringVar(&owner, "owner", "", "only this owner's")
	cmd.Flags().StringVar(&course, "course", "", "only this course's")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only in these states (pending, creating, ready, updating, deleting, deleted, failed)")
	return cmd
}

func (w World) table(o io.Writer, items []api.Environment) error {
	var lines [][]string
	for _, e := range items {
		lines = append(lines, []string{e.ID, e.Owner, e.Course, e.Profile, e.State, w.clock(e.ExpiresAt), e.URL})
	}
	return rows(o, []string{"ID", "OWNER", "COURSE", "PROFILE", "STATE", "ENDS", "URL"}, lines)
}

func (w World) events() *cobra.Command {
	var follow bool
	cmd := w.aboutOne(w.command(cobra.Command{
		Use:   "events ID",
		Short: "Show what happened to an environment",
		Long:  "Show what happened to an environment, oldest first. With --follow also what happens next, until it is gone or failed.",
		Example: "  daskbot events kq7wm2xd\n" +
			"  daskbot events kq7wm2xd --follow",
		Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if follow {
			return w.followEvents(ctx, r, out, args[0])
		}
		return w.listEvents(ctx, r, out, args[0])
	}))
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens next")
	return cmd
}

func (w World) listEvents(ctx context.Context, r *rest, out format, id string) error {
	whole, err := all[api.Event](ctx, r, environmentPath(id, "events"), url.Values{"limit": {strconv.Itoa(longestPage)}})
	if err != nil {
		return err
	}
	return out.print(w.Out, whole.Raw, func(o io.Writer) error {
		var lines [][]string
		for _, e := range whole.Value.Items {
			lines = append(lines, []string{e.At.In(w.Zone).Format("2006-01-02 15:04:05"), e.Type, e.State, e.Phase, e.Actor, e.Message})
		}
		return rows(o, []string{"TIME", "TYPE", "STATE", "PHASE", "BY", "MESSAGE"}, lines)
	})
}

// followEvents prints events as they come: a line each, in JSON too, so that
// a program can read on.
func (w World) followEvents(ctx context.Context, r *rest, out format, id string) error {
	show := func(e api.Event) error {
		if out == asTable {
			_, err := fmt.Fprintln(w.Out, w.eventLine(e))
			return err
		}
		raw, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("print event %d: %w", e.Seq, err)
		}
		if out == asJSON {
			_, err = fmt.Fprintf(w.Out, "%s\n", raw)
			return err
		}
		_, _ = fmt.Fprintln(w.Out, "---") // print reports it
		return out.print(w.Out, raw, nil)
	}
	err := w.follow(ctx, r, id, 0, show, func(sentence string) { _, _ = fmt.Fprintln(w.Err, sentence) })
	if ctx.Err() == nil {
		return err
	}
	return nil // enough was seen
}

// eventLine is one event for a person who reads along.
func (w World) eventLine(e api.Event) string {
	step := ""
	if e.Steps > 0 {
		step = "step " + strconv.Itoa(e.Step) + " of " + strconv.Itoa(e.Steps) + "  "
	}
	return oneLine(fmt.Sprintf("%s  %-9s  %s%s", e.At.In(w.Zone).Format("15:04:05"), e.Phase, step, e.Message))
}
