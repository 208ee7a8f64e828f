package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
)

func (w World) lti() *cobra.Command {
	parent := Parent(cobra.Command{Use: "lti", Short: "Learning platforms that launch daskbot by LTI 1.3 (admins)"})
	var platform string
	invite := w.command(cobra.Command{Use: "register-link NAME --platform URL", Short: "Make an address with which a learning platform registers itself",
		Long: "Make an address for LTI dynamic registration: paste it in the learning platform where it takes tools by\n" +
			"address. It is good once, for a day, and for the platform at URL alone. NAME is what courses are bound to the\n" +
			"platform by; a registration under the same name is replaced. docs/LMS.md has the steps for each platform.",
		Example: "  daskbot lti register-link moodle --platform https://moodle.example.edu", Args: args(1, 1),
	}, func(ctx context.Context, r *rest, out format, args []string) error {
		if platform == "" {
			return Usage("Say which platform: daskbot lti register-link %s --platform https://moodle.example.edu", args[0])
		}
		got, err := ask[api.PlatformLink](ctx, r, http.MethodPost, "/lti/invitations", api.PlatformInvitation{Name: args[0], Platform: platform})
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			_, _ = fmt.Fprintf(w.Err, "Good once, until %s, for %s.\n", w.clock(&got.Value.ExpiresAt), platform)
			_, err := fmt.Fprintln(o, got.Value.URL)
			return err
		})
	})
	invite.Flags().StringVar(&platform, "platform", "", "the learning platform's address")
	parent.AddCommand(invite, w.platforms(), w.removePlatform())
	return parent
}

func (w World) platforms() *cobra.Command {
	return w.command(cobra.Command{Use: "list", Short: "List the platforms that registered themselves", Example: "  daskbot lti list", Args: args(0, 0)}, func(ctx context.Context, r *rest, out format, _ []string) error {
		got, err := ask[api.List[api.Platform]](ctx, r, http.MethodGet, "/lti/platforms", nil)
		if err != nil {
			return err
		}
		return out.print(w.Out, got.Raw, func(o io.Writer) error {
			var lines [][]string
			for _, p := range got.Value.Items {
				lines = append(lines, []string{p.Name, p.Issuer, p.ClientID, strings.Join(p.Deployments, ",")})
			}
			return rows(o, []string{"NAME", "ISSUER", "CLIENT", "DEPLOYMENTS"}, lines)
		})
	})
}

func (w World) removePlatform() *cobra.Command {
	return w.command(cobra.Command{Use: "remove NAME", Short: "Refuse a platform's launches from now on", Example: "  daskbot lti remove moodle", Args: args(1, 1)}, func(ctx context.Context, r *rest, out format, args []string) error {
		if _, err := ask[struct{}](ctx, r, http.MethodDelete, "/lti/platforms/"+url.PathEscape(args[0]), nil); err != nil {
			return err
		}
		return out.say(w.Out, map[string]any{"name": args[0], "removed": true}, func(io.Writer) error {
			_, err := fmt.Fprintf(w.Err, "Launches from %s are refused from now on.\n", args[0])
			return err
		})
	})
}
