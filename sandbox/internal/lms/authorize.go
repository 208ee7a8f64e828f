package lms

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// authorize is the OpenID Connect authorization endpoint, as LTI narrows it
// down: no consent, no password, an id token posted with a form.
func (p *Platform) authorize(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		respond.Error(w, p.cfg.Log, respond.Invalid("the form: %v", err))
		return
	}
	p.mu.Lock()
	form, err := p.answerLogin(r.Form)
	p.mu.Unlock()
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	p.submit(w, form)
}

// answerLogin answers an authentication request with an id token or, at the
// tool's own address, with an error. Before that address is known to be the
// tool's, nothing is sent there. The caller holds the lock.
func (p *Platform) answerLogin(q url.Values) (autoForm, error) {
	t, err := p.memory.tool(q.Get("client_id"))
	if err != nil || q.Get("client_id") == "" {
		return autoForm{}, respond.Invalid("client_id %q is not registered", q.Get("client_id"))
	}
	back := autoForm{Action: q.Get("redirect_uri"), Values: url.Values{}}
	if !slices.Contains(t.RedirectURIs, back.Action) {
		return autoForm{}, respond.Invalid("redirect_uri %q is not one of the tool's", back.Action)
	}
	if state := q.Get("state"); state != "" {
		back.Values.Set("state", state)
	}
	h, problem, description := p.checkLogin(t, q)
	if problem != "" {
		back.Values.Set("error", problem)
		back.Values.Set("error_description", description)
		return back, nil
	}
	if h.placement != inWindow {
		back.Values.Set("lti_storage_target", "_parent")
	}
	return back, p.grant(back.Values, t, h, q.Get("nonce"))
}

// checkLogin says what launch a request belongs to, or what is wrong with it
// in the words of OpenID Connect.
func (p *Platform) checkLogin(t *Tool, q url.Values) (h hint, problem, description string) {
	for _, must := range []struct{ name, value, problem string }{
		{"response_type", "id_token", "unsupported_response_type"}, {"response_mode", "form_post", "invalid_request"}, {"prompt", "none", "login_required"},
	} {
		if got := q.Get(must.name); got != must.value {
			return h, must.problem, must.name + " is " + got + "; it must be " + must.value
		}
	}
	if !slices.Contains(strings.Fields(q.Get("scope")), "openid") {
		return h, "invalid_scope", "scope must hold openid"
	}
	if q.Get("state") == "" || q.Get("nonce") == "" {
		return h, "invalid_request", "state and nonce must be there"
	}
	h, known := p.hints[q.Get("login_hint")]
	switch {
	case !known || time.Now().After(h.until):
		return h, "login_required", "login_hint stands for no launch under way"
	case h.client != t.ClientID:
		return h, "invalid_request", "login_hint is another tool's"
	case q.Get("lti_message_hint") != h.course:
		return h, "invalid_request", "lti_message_hint is not the one that came with login_hint"
	case !p.once("nonce "+t.ClientID+" "+q.Get("nonce"), time.Hour):
		return h, "invalid_request", "nonce was used before"
	}
	return h, "", ""
}

// once says whether something happens for the first time within a while.
func (p *Platform) once(what string, within time.Duration) bool {
	now := time.Now()
	for key, until := range p.used {
		if now.After(until) {
			delete(p.used, key)
		}
	}
	if _, seen := p.used[what]; seen {
		return false
	}
	p.used[what] = now.Add(within)
	return true
}

// grant adds the id token to an answer, honest or not.
func (p *Platform) grant(answer url.Values, t *Tool, h hint, nonce string) error {
	c, err := p.memory.course(h.course)
	if err != nil {
		return err
	}
	who, err := p.memory.person(h.person)
	if err != nil {
		return err
	}
	member, enrolled := c.member(who.ID)
	if !enrolled {
		return respond.Invalid("%s left the course meanwhile", who.Name)
	}
	kind := h.misbehave
	if s := p.script(onLaunch, c.ID); kind == "" && s != nil {
		kind = s.Kind
	}
	f := forgery{claims: p.claims(t, c, who, member.Role, h.placement, nonce), key: &p.memory.Launch.Current, answer: answer, earlier: p.issued[t.ClientID]}
	token, err := f.make(kind)
	if err != nil {
		return err
	}
	p.issued[t.ClientID] = token
	answer.Set("id_token", token)
	return nil
}
