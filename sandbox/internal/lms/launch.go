package lms

import (
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// hint is a launch under way: what the login hint that a tool gives back
// stands for.
type hint struct {
	person, course, client string
	placement              string
	misbehave              string
	until                  time.Time
}

// Placements of a launch.
const (
	inFrame  = "frame"
	inWindow = "window"
)

const hintLife = 5 * time.Minute

// launch begins a launch: the browser is sent to the tool's login address.
// The tool answers by sending it to the authorization endpoint.
func (p *Platform) launch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	form, err := p.initiate(q.Get("course"), q.Get("as"), q.Get("placement"), q.Get("misbehave"))
	p.mu.Unlock()
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	p.submit(w, form)
}

// initiate is the login initiation of a person in a course. The caller holds
// the lock.
func (p *Platform) initiate(course, person, placement, misbehave string) (autoForm, error) {
	c, err := p.memory.course(course)
	if err != nil {
		return autoForm{}, err
	}
	who, err := p.memory.person(person)
	if err != nil {
		return autoForm{}, err
	}
	if _, enrolled := c.member(who.ID); !enrolled {
		return autoForm{}, respond.Refuse(http.StatusForbidden, who.Name+" is not in "+c.Title+".")
	}
	t, err := p.memory.tool(c.Tool)
	if err != nil {
		return autoForm{}, err
	}
	if t.LoginURL == "" {
		return autoForm{}, respond.Invalid("nobody said where the tool is: POST /lms/tools")
	}
	if misbehave != "" && !launchKinds[misbehave] {
		return autoForm{}, respond.Invalid("a launch does not know how to be %q", misbehave)
	}
	login := p.hint(hint{person: who.ID, course: c.ID, client: t.ClientID, placement: placement, misbehave: misbehave})
	values := url.Values{
		"iss": {p.cfg.URL}, "target_link_uri": {t.TargetURL}, "login_hint": {login}, "lti_message_hint": {c.ID},
		"client_id": {t.ClientID}, "lti_deployment_id": {t.Deployment},
	}
	if placement != inWindow {
		values.Set("lti_storage_target", "_parent")
	}
	return autoForm{Action: t.LoginURL, Values: values}, nil
}

// hint remembers a launch and returns what stands for it.
func (p *Platform) hint(h hint) string {
	now := time.Now()
	for key, old := range p.hints {
		if now.After(old.until) {
			delete(p.hints, key)
		}
	}
	h.until = now.Add(hintLife)
	key := random(16)
	p.hints[key] = h
	return key
}

// autoForm is a form that submits itself.
type autoForm struct {
	Action string     `json:"action"`
	Values url.Values `json:"values"`
}

var autoFormPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One moment</title><script src="/lms/submit.js" defer></script></head>
<body><form method="post" action="{{.Action}}">
{{range $name, $all := .Values}}{{range $all}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button>Continue</button></noscript></form></body></html>
`))

// submit sends the browser on with a form, since what it carries is too long,
// and too secret, for an address.
func (p *Platform) submit(w http.ResponseWriter, form autoForm) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; base-uri 'none'")
	if err := autoFormPage.Execute(w, form); err != nil {
		p.cfg.Log.Debug("a browser went away", "reason", err)
	}
}
