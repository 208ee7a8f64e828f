package bot

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// Finding is one thing that Check looked at.
type Finding struct {
	OK       bool
	Sentence string // what is well, or what to do
}

// Check asks Slack whether what a Config holds works: the tokens, the scopes
// they carry, and the Socket Mode connection. It changes nothing and needs no
// Service. Whether Slack reaches this machine only Slack knows: it says so on
// the app's page when the URLs are entered.
func Check(ctx context.Context, c Config) []Finding {
	var granted []string
	timed := newClient(c)
	options := []slack.Option{slack.OptionHTTPClient(timed.http), slack.OptionOnResponseHeaders(func(_ string, h http.Header) {
		if s := h.Get("X-OAuth-Scopes"); s != "" {
			granted = strings.Split(strings.ReplaceAll(s, " ", ""), ",")
		}
	})}
	if c.APIURL != "" {
		options = append(options, slack.OptionAPIURL(c.APIURL))
	}
	api := slack.New(c.BotToken.Reveal(), options...)
	who, err := api.AuthTestContext(ctx)
	if err != nil {
		return []Finding{{false, "The bot token does not work: " + reason(err) + ". Install the app in the workspace and copy the token from \"OAuth & Permissions\"."}}
	}
	findings := []Finding{{true, "The bot token works: " + who.User + " in " + who.Team + "."}}
	for _, s := range Scopes {
		if granted != nil && !slices.Contains(granted, s.Name) {
			findings = append(findings, Finding{false, "The scope " + s.Name + " is missing (" + s.Why + "). Add it under \"OAuth & Permissions\" and install the app again."})
		}
	}
	if len(findings) == 1 && granted != nil {
		findings = append(findings, Finding{true, "The app has every scope it needs."})
	}
	return append(findings, incoming(ctx, c, timed), others(ctx, c, timed))
}

// incoming says how deliveries come in.
func incoming(ctx context.Context, c Config, api *client) Finding {
	switch {
	case !c.AppToken.IsZero():
		if _, _, err := api.slack.StartSocketModeContext(ctx); err != nil {
			return Finding{false, "Socket Mode does not work: " + reason(err) + ". The app-level token needs connections:write, and Socket Mode has to be switched on."}
		}
		return Finding{true, "Socket Mode works."}
	case c.SigningSecret.IsZero():
		return Finding{false, "There is neither a signing secret nor an app-level token: nothing that Slack sends would be believed."}
	default:
		return Finding{true, "Deliveries over HTTP are verified with the signing secret; enter the URLs that `daskbot slack manifest` prints."}
	}
}

// others says whether the app can be installed in other workspaces. Slack
// looks at the client id and secret before it looks at the code.
func others(ctx context.Context, c Config, api *client) Finding {
	o := newOAuth(c)
	if !o.configured() {
		return Finding{true, "Only the workspace of the bot token is served: clientId and clientSecret are not set."}
	}
	if _, err := o.exchange(ctx, api.http, "none"); refusal(err) != "invalid_code" {
		return Finding{false, "The client id and secret do not work: " + reason(err) + ". Copy both from \"Basic Information\"."}
	}
	return Finding{true, "Other workspaces install the app at " + strings.TrimSuffix(o.redirect, OAuthPath) + installPath +
		"; " + o.redirect + " has to be among the redirect URLs under \"OAuth & Permissions\"."}
}

func reason(err error) string {
	if r := refusal(err); r != "" {
		return r
	}
	return strings.TrimSuffix(environment.MessageOf(translate("check", err)), ".")
}
