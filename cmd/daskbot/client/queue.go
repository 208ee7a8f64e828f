package client

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

// queue shows the work at a glance.
func (w World) queue() *cobra.Command {
	return w.command(cobra.Command{Use: "queue", Short: "See how much work waits, and what gets no further",
		Long: "Show how many jobs wait and are worked on, and every environment on its way up, down or to a\n" +
			"change, with how much of its phase's time is over; past it the phase is given up. For admins.",
		Example: "  daskbot queue\n  daskbot queue -o json", Args: args(0, 0),
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := ask[api.Queue](ctx, r, http.MethodGet, "/queue", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error { return w.queueTable(o, got.Value) })
	})
}

func (w World) queueTable(o io.Writer, q api.Queue) error {
	oldest := ""
	if q.Waiting > 0 {
		oldest = fmt.Sprintf(", the oldest for %s", time.Duration(q.OldestSeconds)*time.Second)
	}
	var states []string
	for _, state := range slices.Sorted(maps.Keys(q.Environments)) {
		if n := q.Environments[state]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, state))
		}
	}
	if len(states) == 0 {
		states = []string{"none"}
	}
	if _, err := fmt.Fprintf(o, "Jobs:          %d waiting%s; %d being worked on, %d for later\nEnvironments:  %s\n",
		q.Waiting, oldest, q.Working, q.Later, strings.Join(states, ", ")); err != nil || len(q.Moving) == 0 {
		return err
	}
	var lines [][]string
	for _, m := range q.Moving {
		slow := ""
		if m.Slow {
			slow = "slow"
		}
		lines = append(lines, []string{m.Environment, m.Owner, m.Course, m.State, m.Phase, w.clockAndDistance(&m.Since), w.clock(m.GivenUpAt), slow, m.Message})
	}
	_, _ = fmt.Fprintln(o) // the table tells whether it can be written
	return rows(o, []string{"ID", "OWNER", "COURSE", "STATE", "PHASE", "SINCE", "GIVEN UP", "PACE", "WHAT"}, lines)
}
