package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) cost() *cobra.Command {
	asked := map[string]*string{}
	cmd := w.command(cobra.Command{
		Use:   "cost",
		Short: "Show what environments cost, and what the reaper saved",
		Long: "Show what environments cost, estimated from list prices, and what those that ended by themselves\n" +
			"would have cost on top, left on until their owner's next one or until now.",
		Example: "  daskbot cost --by day\n" +
			"  daskbot cost --course de-2026 --from 2026-11-01 --to 2026-12-01 -o json",
		Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		query := url.Values{}
		for name, value := range asked {
			if *value != "" {
				query.Set(name, *value)
			}
		}
		got, err := ask[api.Costs](ctx, r, http.MethodGet, "/costs?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return drawCosts(o, got.Value) })
	})
	for name, says := range map[string]string{"course": "only this course's", "by": "add up by owner, day, profile or course (default owner)",
		"from": "the first day, in UTC (default the first of the month)", "to": "the day after the last, in UTC (default tomorrow)"} {
		asked[name] = cmd.Flags().String(name, "", says)
	}
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions([]string{"owner", "day", "profile", "course"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func drawCosts(o io.Writer, c api.Costs) error {
	if len(c.Items) == 0 {
		_, err := fmt.Fprintf(o, "Nothing cost anything from %s to %s.\n", c.From, c.To)
		return err
	}
	var lines [][]string
	for _, i := range c.Items {
		lines = append(lines, []string{i.Key, strconv.Itoa(i.Environments), dollars(i.USD), dollars(i.SavedUSD)})
	}
	lines = append(lines, []string{"total", "", dollars(c.USD), dollars(c.SavedUSD)})
	if err := rows(o, []string{strings.ToUpper(c.By), "ENVIRONMENTS", "COST", "SAVED"}, lines); err != nil {
		return err
	}
	if c.CreditUSD >= 0.005 {
		_, _ = fmt.Fprintf(o, "\nThe provider's free tier takes up to %s off the management fees in it.\n", dollars(c.CreditUSD)) // the last line reports it
	}
	_, err := fmt.Fprintf(o, "\nEstimated from list prices of %s, for %s until before %s (UTC days). Saved: left on until the owner's next one, or until now.\n",
		c.PricesAsOf, c.From, c.To)
	return err
}

func dollars(usd float64) string { return fmt.Sprintf("$%.2f", usd) }
