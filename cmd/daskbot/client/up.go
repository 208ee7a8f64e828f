package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

// upFlags are what `up` can be asked for.
type upFlags struct {
	profile, course, owner, project, ttl, until, idle string
	workers                                           int
	packages                                          []string
	wait                                              bool
	timeout                                           period
}

func (w World) up() *cobra.Command {
	var f upFlags
	var cmd *cobra.Command
	cmd = w.command(cobra.Command{
		Use:   "up",
		Short: "Make a Dask environment, or find the one you have",
		Long: "Make a Dask environment, or find the one the owner already has with this course and profile.\n" +
			"It is asked for at once and made behind it; --wait shows how far it is. Ctrl-C then stops the\n" +
			"waiting, not the environment.",
		Example: "  daskbot up --wait                                  the default profile, for yourself\n" +
			"  daskbot up --profile dask --workers 4 --ttl 2h     four workers, for two hours\n" +
			"  daskbot up --profile dask --packages xgboost,s3fs  with packages on every side\n" +
			"  daskbot up --owner alice --course de-2026 --until 18:00",
		Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		request, err := w.request(ctx, r, f, cmd.Flags().Changed("workers"))
		if err != nil {
			return err
		}
		return w.bringUp(ctx, r, out, request, f)
	})
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "the recipe (see daskbot profiles)")
	flags.StringVar(&f.course, "course", "", "the course it belongs to")
	flags.StringVar(&f.owner, "owner", "", "whose it will be (default yourself: with a student's token its holder, else $USER)")
	flags.StringVar(&f.project, "project", "", "the cloud project that pays (default the owner's, else the course's)")
	flags.StringVar(&f.ttl, "ttl", "", "how long it lives once ready: 90m, 4h, 2d")
	flags.StringVar(&f.until, "until", "", "when it ends: 18:00, \"2026-11-24 18:00\" or RFC 3339")
	flags.StringVar(&f.idle, "idle", "", "how long it may stand idle, less than policy lets it: 20m")
	flags.IntVar(&f.workers, "workers", 0, "Dask workers")
	flags.StringSliceVar(&f.packages, "packages", nil, "extra Python packages, separated by commas")
	flags.BoolVar(&f.wait, "wait", false, "wait until it is ready or failed, and show how far it is")
	flags.Var(&f.timeout, "timeout", "with --wait: how long to wait at most, such as 20m (default without end)")
	_ = cmd.RegisterFlagCompletionFunc("profile", w.completeProfiles)
	return cmd
}

// request turns flags into what is sent. What the client can tell to be wrong
// is a usage error; everything else the daemon judges.
func (w World) request(ctx context.Context, r *rest, f upFlags, workersGiven bool) (api.Request, error) {
	out := api.Request{Owner: f.owner, Course: f.course, Profile: f.profile, Project: f.project, TTL: f.ttl, Idle: f.idle, Packages: f.packages}
	if f.ttl != "" && f.until != "" {
		return out, Usage("Give --ttl or --until, not both.")
	}
	if f.ttl != "" {
		if _, err := environment.ParseDuration("ttl", f.ttl); err != nil {
			return out, Usage("--ttl: %s", environment.MessageOf(err))
		}
	}
	if f.idle != "" {
		if _, err := environment.ParseDuration("idle", f.idle); err != nil {
			return out, Usage("--idle: %s", environment.MessageOf(err))
		}
	}
	if f.until != "" {
		at, err := until(f.until, w.Now(), w.Zone)
		if err != nil {
			return out, err
		}
		at = at.UTC()
		out.Until = &at
	}
	if workersGiven {
		out.Workers = &f.workers
	}
	if out.Owner != "" {
		return out, nil
	}
	var err error
	out.Owner, err = w.owner(ctx, r)
	return out, err
}

func (w World) bringUp(ctx context.Context, r *rest, out format, request api.Request, f upFlags) error {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails: crypto/rand crashes the program instead
	got, err := ask[api.Environment](ctx, r, http.MethodPost, "/environments", request, "Idempotency-Key", hex.EncodeToString(key))
	if err != nil {
		return err
	}
	e := got.Value
	if got.Status == http.StatusOK {
		_, _ = fmt.Fprintf(w.Err, "%s already has %s, which is %s.\n", e.Owner, e.ID, e.State)
	}
	if f.wait && e.State != string(environment.StateReady) {
		if e, got.Raw, err = w.await(ctx, r, e, time.Duration(f.timeout), upGoal); err != nil {
			return err
		}
	}
	return out.print(w.Out, got.Raw, w.summary(e))
}
