package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) credentials() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:     "credentials ID",
		Short:   "Show how to log in",
		Long:    "Show the address, name and password to log in with. Only the owner and admins may see them.",
		Example: "  daskbot credentials kq7wm2xd",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		got, err := ask[api.Credentials](ctx, r, http.MethodGet, environmentPath(args[0], "credentials"), nil)
		if err != nil {
			return err
		}
		c := got.Value
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			return facts(o, []pair{{"URL", c.URL}, {"Username", c.Username}, {"Password", c.Password}, {"Token", c.Token}})
		})
	}))
}

func (w World) kubeconfig() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:   "kubeconfig ID",
		Short: "Print a kubeconfig for the environment's namespace",
		Long:  "Print a kubeconfig for the environment's namespace, for kubectl and helm. Only the owner and admins may have it.",
		Example: "  daskbot kubeconfig kq7wm2xd > dask.kubeconfig\n" +
			"  kubectl --kubeconfig dask.kubeconfig get pods",
		Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		path := environmentPath(args[0], "kubeconfig")
		if out != asJSON {
			return w.copy(ctx, r, path) // it is YAML as it comes
		}
		text, err := r.text(ctx, path)
		if err != nil {
			return err
		}
		raw, err := yaml.YAMLToJSON(text)
		if err != nil {
			return fmt.Errorf("print JSON: %w", err)
		}
		return out.print(w.Out, raw, nil)
	}))
}

func (w World) logs() *cobra.Command {
	var tail int
	cmd := w.aboutOne(w.command(cobra.Command{
		Use:   "logs ID [COMPONENT]",
		Short: "Print the last lines a component wrote",
		Long:  "Print the last lines that a component (hub, proxy, scheduler, worker, jupyter, …) wrote; without one, the front door.",
		Example: "  daskbot logs kq7wm2xd\n" +
			"  daskbot logs kq7wm2xd scheduler --tail 50",
		Args: args(1, 2),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		query := url.Values{"tail": {strconv.Itoa(tail)}}
		if len(args) == 2 {
			query.Set("component", args[1])
		}
		return w.printLogs(ctx, r, out, args[0], query)
	}))
	cmd.Flags().IntVar(&tail, "tail", 200, "how many lines of each pod")
	return cmd
}

// printLogs prints lines as they come, or as a list in JSON and YAML.
func (w World) printLogs(ctx context.Context, r *rest, out format, id string, query url.Values) error {
	path := environmentPath(id, "logs") + "?" + query.Encode()
	if out == asTable {
		return w.copy(ctx, r, path)
	}
	text, err := r.text(ctx, path)
	if err != nil {
		return err
	}
	lines := []string{}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return out.say(w.Out, map[string]any{"environment": id, "component": query.Get("component"), "lines": lines}, nil)
}

// copy prints an answer as it comes.
func (w World) copy(ctx context.Context, r *rest, path string) error {
	resp, err := r.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w.Out, resp.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

func (w World) open() *cobra.Command {
	return w.aboutOne(w.command(cobra.Command{
		Use:     "open ID",
		Short:   "Print an environment's address, and open it in a browser where there is one",
		Example: "  daskbot open kq7wm2xd",
		Args:    args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		got, err := ask[api.Environment](ctx, r, http.MethodGet, environmentPath(args[0]), nil)
		if err != nil {
			return err
		}
		address := got.Value.URL
		if address == "" {
			return fmt.Errorf("it has no address yet: it is %s. %s", got.Value.State, got.Value.Message)
		}
		err = out.say(w.Out, map[string]any{"environment": args[0], "url": address}, func(o io.Writer) error {
			_, err := fmt.Fprintln(o, address)
			return err
		})
		if err != nil {
			return err
		}
		if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("this is not an address for a browser")
		}
		if w.Open == nil {
			return nil
		}
		return w.Open(ctx, address)
	}))
}
