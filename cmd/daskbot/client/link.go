package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

// slackLink shows the code that joins a Slack account to a person.
func (w World) slackLink() *cobra.Command {
	var person string
	c := w.command(cobra.Command{Use: "link", Short: "Show a code that joins a Slack account to you",
		Long: "Show a code to type in Slack, as `/dask link CODE`. Whoever types it is you there from then on;\n" +
			"it is good once, and for a quarter of an hour.", Example: "  daskbot link", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		who := person
		if who == "" {
			who = "me"
		}
		got, err := ask[api.SlackCode](ctx, r, http.MethodPost, personPath(who)+"/slack-code", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			_, err := fmt.Fprintf(o, "Type this in Slack until %s:\n/dask link %s\n", got.Value.ExpiresAt.Local().Format(time.TimeOnly), got.Value.Code)
			return err
		})
	})
	c.Flags().StringVar(&person, "person", "", "whose (default your own)")
	return c
}
