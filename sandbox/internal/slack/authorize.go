package slack

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// codeLife is how long a code can be exchanged for a token.
const codeLife = 10 * time.Minute

var consent = template.Must(template.New("consent").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Install {{.App.Name}}</title><link rel="stylesheet" href="/slack/style.css">
<main class="consent"><h1>{{.App.Name}} is asking to be installed</h1>
<p>It will be able to: {{range $i, $s := .Scopes}}{{if $i}}, {{end}}<code>{{$s}}</code>{{end}}.</p>
<form method="post"><label>Workspace <select name="team">{{range .Teams}}<option value="{{.ID}}">{{.Name}}</option>{{end}}</select></label>
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Cancel</button></form></main></html>`))

// asked reads who asks for what; the page and its form have the same query.
func (e *Emulator) asked(q url.Values) (*App, []string, error) {
	for _, app := range e.memory.apps {
		if app.ClientID == q.Get("client_id") {
			scopes := strings.FieldsFunc(q.Get("scope"), func(r rune) bool { return r == ',' || r == ' ' })
			if len(scopes) == 0 {
				return nil, nil, respond.Invalid("invalid_scope: the app asks for no scope")
			}
			if u, err := url.Parse(q.Get("redirect_uri")); err != nil || u.Host == "" {
				return nil, nil, respond.Invalid("bad_redirect_uri: %q", q.Get("redirect_uri"))
			}
			return app, scopes, nil
		}
	}
	return nil, nil, respond.Invalid("invalid_client_id: no app has the client id %q", q.Get("client_id"))
}

// authorize shows what the app asks for.
func (e *Emulator) authorize(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	app, scopes, err := e.asked(r.URL.Query())
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	var teams []*Workspace
	for _, id := range e.memory.order {
		if team := e.memory.workspaces[id]; team.App == app.ID {
			teams = append(teams, team)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := consent.Execute(w, map[string]any{"App": app, "Scopes": scopes, "Teams": teams}); err != nil {
		e.cfg.Log.Error("page failed", "reason", err)
	}
}

// approve sends the person back to the app, with a code or with a no.
func (e *Emulator) approve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	e.mu.Lock()
	defer e.mu.Unlock()
	app, scopes, err := e.asked(q)
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		respond.Error(w, e.cfg.Log, err)
		return
	}
	answer := back.Query()
	answer.Set("state", q.Get("state"))
	if r.PostFormValue("answer") != "allow" {
		answer.Set("error", "access_denied")
	} else {
		team, known := e.memory.workspaces[r.PostFormValue("team")]
		if !known || team.App != app.ID {
			respond.Error(w, e.cfg.Log, respond.Invalid("the app cannot be installed in %q", r.PostFormValue("team")))
			return
		}
		admin := team.People[max(0, slices.IndexFunc(team.People, func(p Person) bool { return p.Admin }))]
		code := digits(12) + "." + secret(16)
		e.codes[code] = grant{app: app.ID, team: team.ID, user: admin.ID, redirect: q.Get("redirect_uri"), scopes: scopes, until: time.Now().Add(codeLife)}
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}
