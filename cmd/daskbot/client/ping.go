package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// pingAgain is how long lies between two looks of a ping that waits.
const pingAgain = time.Second

// ping asks whether a daemon is ready, for scripts and for `helm test`. It
// needs no token.
func (w World) ping() *cobra.Command {
	var wait period
	cmd := w.command(cobra.Command{
		Use: "ping", Short: "Ask whether daskbot answers and is ready", Args: args(0, 0),
		Long: "Ask whether daskbot answers and is ready for work: store, queue and cloud can be reached. It\n" +
			"needs no token. It exits 0 when it is, 1 when it is not, 4 when nobody answers.",
		Example: "  daskbot ping --wait 1m    give it a minute to start",
	}, func(ctx context.Context, r *rest, out format, _ []string) error {
		version, err := r.pingUntilReady(ctx, time.Duration(wait))
		if err != nil {
			return err
		}
		return out.say(w.Out, map[string]any{"address": r.address, "ready": true, "version": version}, func(o io.Writer) error {
			_, err := fmt.Fprintf(o, "daskbot at %s is ready (version %s).\n", r.address, version)
			return err
		})
	})
	cmd.Flags().Var(&wait, "wait", "ask again for so long, such as 1m")
	return cmd
}

// pingUntilReady asks until the daemon is ready, and at least once. It returns
// the daemon's version, or what the last answer was.
func (r *rest) pingUntilReady(ctx context.Context, wait time.Duration) (version string, err error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	again := time.NewTicker(pingAgain)
	defer again.Stop()
	for {
		if version, err = r.pingOnce(ctx); err == nil || wait == 0 {
			return version, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-over.C:
			return "", err
		case <-again.C:
		}
	}
}

// pingOnce asks once whether the daemon is ready, and which it is.
func (r *rest) pingOnce(ctx context.Context) (version string, err error) {
	ctx, cancel := r.bounded(ctx, answerIn)
	defer cancel()
	if _, err := r.page(ctx, "/readyz"); err != nil {
		return "", err
	}
	body, err := r.page(ctx, "/healthz")
	if err != nil {
		return "", err
	}
	var healthy struct{ Version string }
	if err := json.Unmarshal(body, &healthy); err != nil {
		return "", fmt.Errorf("%s answered something that is not daskbot's: %w", r.address, err)
	}
	return healthy.Version, nil
}

// page reads what is outside the API and open to everybody.
func (r *rest) page(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address+path, nil)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, r.away(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, problemIn(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return nil, r.away(ctx, err)
	}
	return body, nil
}
