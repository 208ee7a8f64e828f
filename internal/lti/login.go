package lti

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	// longestForm bounds what is read of a form.
	longestForm = 128 << 10
	// longestHints bounds what a platform may want back; longestAgain what of it
	// is carried through for another try.
	longestHints = 8 << 10
	longestAgain = 4 << 10
)

// startParameters are those of a login that another try needs again.
var startParameters = []string{"iss", "login_hint", "lti_message_hint", "client_id", "lti_deployment_id", "target_link_uri"}

// serveLogin begins a launch: it sends the browser back to the platform, with a
// state and a nonce.
func (t *Tool) serveLogin(w http.ResponseWriter, r *http.Request) error {
	form, err := parameters(r)
	if err != nil {
		return err
	}
	if err := t.wanted(form); err != nil {
		return err
	}
	p, err := t.platform(r.Context(), form.Get("iss"), form.Get("client_id"))
	if err != nil {
		return err
	}
	if d := form.Get("lti_deployment_id"); d != "" && !p.Deploys(d) {
		return environment.Errorf(environment.CodeForbidden, "The learning platform launched daskbot from a deployment that is not allowed to; whoever runs daskbot can allow it: %q.", clip(d))
	}
	proof := rand.Text()
	l := login{Nonce: rand.Text(), Issuer: p.Issuer, ClientID: p.ClientID, Until: t.now().Add(loginFor).UTC(), Proof: environment.HashToken(proof),
		Storage: clip(form.Get("lti_storage_target")), Again: again(form)}
	state, err := t.seal(r.Context(), forLogin, l)
	if err != nil {
		return err
	}
	to, err := authorize(p, t.at(launchPath), form, state, l.Nonce)
	if err != nil {
		return err
	}
	http.SetCookie(w, t.cookie(loginCookie(l.Nonce), proof, loginFor))
	if l.Storage == "" {
		http.Redirect(w, r, to, http.StatusFound)
		return nil
	}
	// The platform can remember for browsers that refuse cookies in frames.
	return t.show(w, http.StatusOK, frames(p), "store", storePage{Page: Page{Title: "One moment"}, To: to, Target: l.Storage,
		Origin: originOf(p.AuthURL), Key: storageKey(l.Nonce), Value: proof})
}

// wanted refuses what is no login of LTI's, and one that would lead elsewhere.
func (t *Tool) wanted(form url.Values) error {
	hints := 0
	for _, name := range []string{"iss", "login_hint", "target_link_uri"} {
		if form.Get(name) == "" {
			return environment.Invalid(name, "This is not a login from a learning platform: %s is missing.", name)
		}
	}
	for _, name := range append([]string{"lti_storage_target"}, startParameters...) {
		hints += len(form.Get(name))
	}
	if hints > longestHints {
		return environment.Invalid("login_hint", "This login is larger than any learning platform's.")
	}
	if !t.ours(form.Get("target_link_uri")) {
		return environment.Invalid("target_link_uri", "This login is for another tool than daskbot at %s.", t.base)
	}
	return nil
}

// ours says whether an address is one of this daskbot's.
func (t *Tool) ours(address string) bool {
	return address == t.base.String() || strings.HasPrefix(address, t.base.String()+"/")
}

// authorize is the platform's page that sends the browser on with a token.
func authorize(p environment.Platform, back string, form url.Values, state, nonce string) (string, error) {
	to, err := url.Parse(p.AuthURL)
	if err != nil {
		return "", err
	}
	q := to.Query()
	for name, value := range map[string]string{"scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
		"client_id": p.ClientID, "redirect_uri": back, "login_hint": form.Get("login_hint"), "state": state, "nonce": nonce} {
		q.Set(name, value)
	}
	if hint := form.Get("lti_message_hint"); hint != "" {
		q.Set("lti_message_hint", hint)
	}
	to.RawQuery = q.Encode()
	return to.String(), nil
}

func again(form url.Values) map[string]string {
	out, size := map[string]string{}, 0
	for _, name := range startParameters {
		if value := form.Get(name); value != "" {
			out[name] = value
			size += len(value)
		}
	}
	if size > longestAgain {
		return nil
	}
	return out
}

// parameters reads a form of either method, each parameter once.
func parameters(r *http.Request) (url.Values, error) {
	form := r.URL.Query()
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return nil, tooLarge(err)
		}
		form = r.PostForm
	}
	return form, once(form)
}

// once refuses parameters that are given twice: which of them counts is not for
// a stranger to choose.
func once(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 {
			return environment.Invalid(clip(name), "The parameter %q is given more than once.", clip(name))
		}
	}
	return nil
}
