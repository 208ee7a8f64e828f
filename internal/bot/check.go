package bot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// Finding is one thing that Check looked at.
type Finding struct {
	OK       bool
	Later    bool   // not well, but perhaps only not started yet
	Sentence string // what is well, or what to do
}

func well(sentence string) Finding    { return Finding{OK: true, Sentence: sentence} }
func missing(sentence string) Finding { return Finding{Sentence: sentence} }

// Check asks Slack whether what a Config holds works: the tokens, the scopes
// they carry, and the Socket Mode connection; over HTTP it asks the running
// daskbot, by the address that Slack is given, as Slack does. It changes nothing
// and needs no Service. Whether Slack itself reaches that address only Slack
// knows: it says so on the app's page when the URLs are entered.
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
		return []Finding{missing("The bot token does not work: " + reason(err) + ". Install the app in the workspace and copy the token from \"OAuth & Permissions\".")}
	}
	findings := []Finding{well("The bot token works: " + who.User + " in " + who.Team + ".")}
	for _, s := range Scopes {
		if granted != nil && !slices.Contains(granted, s.Name) {
			findings = append(findings, missing("The scope "+s.Name+" is missing ("+s.Why+"). Add it under \"OAuth & Permissions\" and install the app again."))
		}
	}
	if len(findings) == 1 && granted != nil {
		findings = append(findings, well("The app has every scope it needs."))
	}
	return append(findings, incoming(ctx, c, timed), others(ctx, c, timed))
}

// incoming says how deliveries come in.
func incoming(ctx context.Context, c Config, api *client) Finding {
	switch {
	case !c.AppToken.IsZero():
		if _, _, err := api.slack.StartSocketModeContext(ctx); err != nil {
			return missing("Socket Mode does not work: " + reason(err) + ". The app-level token needs connections:write, and Socket Mode has to be switched on.")
		}
		return well("Socket Mode works.")
	case c.SigningSecret.IsZero():
		return missing("There is neither a signing secret nor an app-level token: nothing that Slack sends would be believed.")
	default:
		return reached(ctx, c, api)
	}
}

// reached sends the challenge that Slack sends before it takes a URL, signed as
// Slack signs. An emulator may be called without TLS.
func reached(ctx context.Context, c Config, api *client) Finding {
	if c.APIURL == "" && !strings.HasPrefix(c.ExternalURL, "https://") {
		return missing("Slack calls addresses with https only, and server.externalUrl is " + quoteURL(c.ExternalURL) +
			". Put daskbot behind TLS and say so there, or use Socket Mode: slack.appToken.")
	}
	at := strings.TrimRight(c.ExternalURL, "/") + "/slack/events"
	status, answer, err := challenge(ctx, api.http, at, c.SigningSecret)
	switch {
	case err != nil:
		return Finding{Later: true, Sentence: "Nothing answers at " + at + ". Start daskbot and check again; if it runs, let server.externalUrl lead to it."}
	case status == http.StatusUnauthorized:
		return missing("daskbot at " + at + " does not take the signing secret. It has another one, or its clock is off; restart it with this configuration.")
	case status == http.StatusOK && strings.Contains(answer, challengeText):
		return well("daskbot answers at " + at + " and takes the signing secret; enter the URLs that `daskbot slack manifest` prints.")
	default:
		return missing(at + " answers " + strconv.Itoa(status) + " and is not daskbot with Slack configured. Let server.externalUrl lead to it.")
	}
}

func quoteURL(address string) string {
	if address == "" {
		return "not set"
	}
	return address
}

const challengeText = "daskbot-slack-check"

func challenge(ctx context.Context, client *http.Client, at string, secret environment.Secret) (status int, answer string, err error) {
	body := `{"type":"url_verification","challenge":"` + challengeText + `"}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	_, _ = mac.Write([]byte("v0:" + now + ":" + body)) // a hash takes everything
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Slack-Request-Timestamp", now)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	response, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return response.StatusCode, string(text), err
}

// others says whether the app can be installed in other workspaces. Slack
// looks at the client id and secret before it looks at the code.
func others(ctx context.Context, c Config, api *client) Finding {
	o := newOAuth(c)
	if !o.configured() {
		return well("Only the workspace of the bot token is served: clientId and clientSecret are not set.")
	}
	if _, err := o.exchange(ctx, api.http, "none"); refusal(err) != "invalid_code" {
		return missing("The client id and secret do not work: " + reason(err) + ". Copy both from \"Basic Information\".")
	}
	return well("Other workspaces install the app at " + strings.TrimSuffix(o.redirect, OAuthPath) + installPath +
		"; " + o.redirect + " has to be among the redirect URLs under \"OAuth & Permissions\".")
}

func reason(err error) string {
	if r := refusal(err); r != "" {
		return r
	}
	return strings.TrimSuffix(environment.MessageOf(translate("check", err)), ".")
}
