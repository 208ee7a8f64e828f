package bot

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// Where browsers install the app.
const (
	installPath = "/slack/install"
	// OAuthPath is where they come back to.
	OAuthPath = "/slack/oauth"
)

// installFor is how long somebody may look at Slack's page.
const installFor = 10 * time.Minute

// oauth is what Slack knows the app by when it is installed from a browser.
type oauth struct {
	id, api, redirect string
	secret            environment.Secret
}

func newOAuth(c Config) oauth {
	o := oauth{id: c.ClientID, secret: c.ClientSecret, api: c.APIURL, redirect: strings.TrimRight(c.ExternalURL, "/") + OAuthPath}
	if o.api == "" {
		o.api = slack.APIURL
	}
	return o
}

func (o oauth) configured() bool { return o.id != "" && !o.secret.IsZero() }

// authorize is Slack's page on which people allow it.
func (o oauth) authorize(state string) (string, error) {
	api, err := url.Parse(o.api)
	if err != nil {
		return "", err
	}
	page := api.JoinPath("../oauth/v2/authorize")
	var scopes []string
	for _, s := range Scopes {
		scopes = append(scopes, s.Name)
	}
	page.RawQuery = url.Values{"client_id": {o.id}, "scope": {strings.Join(scopes, ",")}, "redirect_uri": {o.redirect}, "state": {state}}.Encode()
	return page.String(), nil
}

const nonceSize, timeSize = 16, 8

// state is a random number and when it ends, signed.
func (o oauth) state(now time.Time) string {
	text := make([]byte, nonceSize, nonceSize+timeSize+sha256.Size)
	_, _ = rand.Read(text) // never fails
	text = binary.BigEndian.AppendUint64(text, uint64(now.Add(installFor).Unix()))
	return base64.RawURLEncoding.EncodeToString(append(text, o.sign(text)...))
}

func (o oauth) sign(text []byte) []byte {
	mac := hmac.New(sha256.New, []byte(o.secret.Reveal()))
	_, _ = mac.Write(append([]byte("daskbot installation\n"), text...)) // a hash takes everything
	return mac.Sum(nil)
}

// believes says whether a state is one of ours and not too old.
func (o oauth) believes(state string, now time.Time) bool {
	text, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil || len(text) != nonceSize+timeSize+sha256.Size {
		return false
	}
	text, signature := text[:nonceSize+timeSize], text[nonceSize+timeSize:]
	return hmac.Equal(signature, o.sign(text)) && now.Unix() < int64(binary.BigEndian.Uint64(text[nonceSize:]))
}

// exchange gives the code that Slack sent a browser back with for a token.
func (o oauth) exchange(ctx context.Context, client *http.Client, code string) (*slack.OAuthV2Response, error) {
	got, err := slack.GetOAuthV2ResponseContext(ctx, client, o.id, o.secret.Reveal(), code, o.redirect, slack.OAuthOptionAPIURL(o.api))
	return got, translate("oauth.v2.access", err)
}

// stateCookie ties an installation to the browser that began it.
const stateCookie = "daskbot_slack_install"

// serveInstall sends a browser to Slack's page.
func (b *Bot) serveInstall(w http.ResponseWriter, r *http.Request) {
	if !b.oauth.configured() {
		b.page(w, http.StatusNotFound, "Not offered", "This daskbot serves one Slack workspace; the app cannot be installed in others.")
		return
	}
	state := b.oauth.state(b.now())
	to, err := b.oauth.authorize(state)
	if err != nil {
		b.log.Error("slack installation", "reason", err.Error())
		b.page(w, http.StatusInternalServerError, "Not possible", "Something went wrong inside daskbot; the people who run it can find the details in its log.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: stateCookie, Value: environment.HashToken(state), Path: OAuthPath, MaxAge: int(installFor / time.Second),
		HttpOnly: true, Secure: strings.HasPrefix(b.oauth.redirect, "https:"), SameSite: http.SameSiteLaxMode})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// serveInstalled takes a browser back from Slack's page. Nothing is stored
// unless this browser began the installation, at most ten minutes ago, and
// comes back for the first time.
func (b *Bot) serveInstalled(w http.ResponseWriter, r *http.Request) {
	if !b.oauth.configured() {
		b.page(w, http.StatusNotFound, "Not offered", "This daskbot serves one Slack workspace; the app cannot be installed in others.")
		return
	}
	name, err := b.install(r)
	if err == nil {
		b.page(w, http.StatusOK, "Installed", "daskbot is installed in "+name+". Type /dask help there.")
		return
	}
	status := http.StatusBadRequest
	if environment.Retryable(err) {
		status = http.StatusServiceUnavailable
	}
	b.log.Warn("slack installation", "reason", err.Error())
	b.page(w, status, "Not installed", environment.MessageOf(err))
}

// install keeps the token of the workspace that somebody chose, and returns
// the workspace's name.
func (b *Bot) install(r *http.Request) (string, error) {
	q := r.URL.Query()
	if err := b.begun(r, q.Get("state")); err != nil {
		return "", err
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return "", environment.Errorf(environment.CodeInvalid, "Slack was not allowed to install daskbot; nothing was changed.")
	}
	got, err := b.oauth.exchange(r.Context(), b.api.http, q.Get("code"))
	if err != nil {
		return "", err
	}
	if got.Team.ID == "" || got.AccessToken == "" || got.IsEnterpriseInstall {
		return "", environment.Errorf(environment.CodeInvalid, "daskbot is installed in one workspace at a time; choose a workspace, not a whole organization.")
	}
	if err := b.service.InstallWorkspace(r.Context(), got.Team.ID, got.Team.Name, environment.NewSecret(got.AccessToken)); err != nil {
		return "", err
	}
	b.log.Info("slack app installed", "slack_team", got.Team.ID)
	return got.Team.Name, nil
}

// begun checks that the browser comes back from where it was sent, and uses
// the state up.
func (b *Bot) begun(r *http.Request, state string) error {
	unknown := environment.Errorf(environment.CodeInvalid, "This installation was not begun in this browser, or more than ten minutes ago. Begin again at %s.", installPath)
	cookie, err := r.Cookie(stateCookie)
	if err != nil || !b.oauth.believes(state, b.now()) || !hmac.Equal([]byte(cookie.Value), []byte(environment.HashToken(state))) {
		return unknown
	}
	first, err := b.service.First(r.Context(), "slack", "install:"+environment.HashToken(state))
	if err == nil && !first {
		return unknown
	}
	return err
}

var installPage = template.Must(template.New("install").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}} – daskbot</title>
<main><h1>{{.Title}}</h1><p>{{.Sentence}}</p></main></html>
`))

// page shows a browser one sentence. Its address may hold a code.
func (b *Bot) page(w http.ResponseWriter, status int, title, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	if err := installPage.Execute(w, map[string]string{"Title": title, "Sentence": sentence}); err != nil {
		b.log.Debug("slack installation page", "reason", err.Error())
	}
}
