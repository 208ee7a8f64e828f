package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

func (w World) down() *cobra.Command {
	var wait bool
	var timeout period
	cmd := w.aboutOne(w.command(cobra.Command{
		Use:   "down ID",
		Short: "Take an environment away, with everything in it",
		Long: "Take an environment away: notebooks, volumes, addresses and, when it has one of its own, the\n" +
			"cluster. Accepted in every state, also while it is still being made.",
		Example: "  daskbot down kq7wm2xd --wait",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		got, err := ask[api.Environment](ctx, r, http.MethodDelete, environmentPath(args[0]), nil)
		if err != nil {
			return err
		}
		e := got.Value
		if wait && e.State != string(environment.StateDeleted) {
			if e, got.Raw, err = w.await(ctx, r, e, time.Duration(timeout), downGoal); err != nil {
				return err
			}
		}
		return out.print(w.Out, got.Raw, w.summary(e))
	}))
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is gone, and show how far it is")
	cmd.Flags().Var(&timeout, "timeout", "with --wait: how long to wait at most, such as 20m (default without end)")
	return cmd
}

// change sends one command and shows the environment.
func (w World) change(ctx context.Context, r *rest, out format, id, verb string, body any) error {
	got, err := ask[api.Environment](ctx, r, http.MethodPost, environmentPath(id, verb), body)
	if err != nil {
		return err
	}
	return out.print(w.Out, got.Raw, w.summary(got.Value))
}

func (w World) extend() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:     "extend ID DURATION",
		Short:   "Give an environment more time",
		Long:    "Move the deadline by a duration such as 30m, 2h or 1d, as far as the policy allows.",
		Example: "  daskbot extend kq7wm2xd 2h",
		Args:    args(2, 2),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if _, err := environment.ParseDuration("duration", args[1]); err != nil {
			return Usage("%s", environment.MessageOf(err))
		}
		return w.change(ctx, r, out, args[0], "extend", api.Extension{Duration: args[1]})
	}))
}

func (w World) scale() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:   "scale ID N",
		Short: "Change the number of Dask workers",
		Long: "Ask for so many Dask workers. With profiles whose notebooks make the workers, it is how many\n" +
			"nodes there may be.",
		Example: "  daskbot scale kq7wm2xd 8",
		Args:    args(2, 2),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			return Usage("%q is not a number of workers, for example 4.", args[1])
		}
		return w.change(ctx, r, out, args[0], "scale", api.Scaling{Workers: n})
	}))
}

func (w World) packages() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:   "packages ID add|remove PACKAGE...",
		Short: "Add or remove Python packages, on every side alike",
		Long:  "Add or remove Python packages on notebook, scheduler and workers alike. They restart.",
		Example: "  daskbot packages kq7wm2xd add xgboost s3fs==2026.1.0\n" +
			"  daskbot packages kq7wm2xd remove xgboost",
		Args: args(3, -1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		switch args[1] {
		case "add":
			return w.change(ctx, r, out, args[0], "packages", api.PackageChange{Add: args[2:]})
		case "remove":
			return w.change(ctx, r, out, args[0], "packages", api.PackageChange{Remove: args[2:]})
		default:
			return Usage("Packages can be added or removed: daskbot packages %s add %s", args[0], args[2])
		}
	}))
}

func (w World) upgrade() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:     "upgrade ID",
		Short:   "Take the profile and charts as they are configured now",
		Long:    "Take the profile and the charts as they are configured now. Files in home directories stay.",
		Example: "  daskbot upgrade kq7wm2xd",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		return w.change(ctx, r, out, args[0], "upgrade", nil)
	}))
}
