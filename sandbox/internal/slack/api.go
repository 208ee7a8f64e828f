package slack

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// maxBody bounds every request's body.
const maxBody = respond.MaxBody

// method is one of the Web API.
type method struct {
	scopes []string // any one of them will do; none: every token
	tier   int      // 0: a rule of its own
	app    bool     // takes an app-level token
	open   bool     // takes no token
	handle func(*Emulator, *call) (answer, error)
}

var methods = map[string]method{
	"api.test":              {open: true, tier: 4, handle: (*Emulator).apiTest},
	"auth.test":             {tier: 4, handle: (*Emulator).authTest},
	"auth.revoke":           {tier: 3, handle: (*Emulator).authRevoke},
	"apps.connections.open": {tier: 1, app: true, handle: (*Emulator).connectionsOpen},
	"apps.uninstall":        {tier: 1, handle: (*Emulator).appsUninstall},
	"bots.info":             {tier: 3, scopes: []string{"users:read"}, handle: (*Emulator).botsInfo},
	"chat.delete":           {tier: 3, scopes: []string{"chat:write"}, handle: (*Emulator).chatDelete},
	"chat.postEphemeral":    {tier: 4, scopes: []string{"chat:write"}, handle: (*Emulator).chatPostEphemeral},
	"chat.postMessage":      {scopes: []string{"chat:write"}, handle: (*Emulator).chatPostMessage},
	"chat.update":           {tier: 3, scopes: []string{"chat:write"}, handle: (*Emulator).chatUpdate},
	"conversations.history": {tier: 3, scopes: []string{"channels:history", "groups:history", "im:history"}, handle: (*Emulator).conversationsHistory},
	"conversations.info":    {tier: 3, scopes: []string{"channels:read", "groups:read", "im:read"}, handle: (*Emulator).conversationsInfo},
	"conversations.list":    {tier: 2, scopes: []string{"channels:read", "groups:read", "im:read"}, handle: (*Emulator).conversationsList},
	"conversations.members": {tier: 4, scopes: []string{"channels:read", "groups:read", "im:read"}, handle: (*Emulator).conversationsMembers},
	"conversations.open":    {tier: 3, scopes: []string{"im:write"}, handle: (*Emulator).conversationsOpen},
	"oauth.v2.access":       {tier: 4, open: true, handle: (*Emulator).oauthAccess},
	"team.info":             {tier: 3, scopes: []string{"team:read"}, handle: (*Emulator).teamInfo},
	"users.info":            {tier: 4, scopes: []string{"users:read"}, handle: (*Emulator).usersInfo},
	"users.list":            {tier: 2, scopes: []string{"users:read"}, handle: (*Emulator).usersList},
	"users.lookupByEmail":   {tier: 3, scopes: []string{"users:read.email"}, handle: (*Emulator).usersLookupByEmail},
	"views.open":            {tier: 4, handle: (*Emulator).viewsOpen},
	"views.publish":         {tier: 4, handle: (*Emulator).viewsPublish},
	"views.push":            {tier: 4, handle: (*Emulator).viewsPush},
	"views.update":          {tier: 4, handle: (*Emulator).viewsUpdate},
}

// answer is the body of a success, without "ok".
type answer map[string]any

// apiError is how a method says no: a name from Slack's lists, and sometimes
// more.
type apiError struct {
	name     string
	messages []string // what response_metadata says
	extra    answer
}

func (e *apiError) Error() string { return e.name }

func fail(name string) error { return &apiError{name: name} }

// limited is the answer to a caller who must wait.
type limited struct{ wait time.Duration }

func (l *limited) Error() string { return "ratelimited" }

// call is one request to a method.
type call struct {
	method    string
	args      map[string]json.RawMessage
	token     string
	basic     [2]string // client id and secret, when they came as a header
	app       *App
	workspace *Workspace
	now       time.Time
	granted   string // the scopes of the token, for a header
}

// serveAPI answers one method of the Web API, in Slack's order: is the caller
// known, may it, may it now, is what it says right.
func (e *Emulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	c, err := readCall(w, r)
	if err != nil {
		e.answerAPI(w, c, nil, err)
		return
	}
	e.mu.Lock()
	m, err := e.admit(c)
	domain := ""
	if c.workspace != nil {
		domain, c.granted = c.workspace.Domain, strings.Join(c.workspace.Scopes, ",")
	}
	e.mu.Unlock()
	if e.misbehave(w, r, c.method, domain) {
		return
	}
	if err != nil {
		e.answerAPI(w, c, nil, err)
		return
	}
	e.mu.Lock()
	out, err := e.perform(c, m)
	e.mu.Unlock()
	if f, strikes := e.cfg.Faults(FaultLost, c.method, domain); strikes {
		hang(r, f)
	}
	e.answerAPI(w, c, out, err)
}

func (e *Emulator) perform(c *call, m method) (answer, error) {
	if wait := e.wait(c, m); wait > 0 {
		return nil, &limited{wait}
	}
	return m.handle(e, c)
}

// wait is how long the caller must wait for a method with a tier.
func (e *Emulator) wait(c *call, m method) time.Duration {
	r, tiered := tiers[m.tier]
	if !tiered {
		return 0
	}
	key := c.method
	if c.app != nil {
		key += " " + c.app.ID
	}
	if c.workspace != nil {
		key += " " + c.workspace.ID
	}
	return e.limits.take(key, r, c.now)
}

// misbehave plays the fault that strikes the method, if there is one.
func (e *Emulator) misbehave(w http.ResponseWriter, r *http.Request, method, domain string) bool {
	if f, strikes := e.cfg.Faults(FaultHang, method, domain); strikes {
		hang(r, f)
	}
	if _, strikes := e.cfg.Faults(Fault500, method, domain); strikes {
		http.Error(w, "<html><body>Slack is having trouble.</body></html>", http.StatusInternalServerError)
		return true
	}
	if f, strikes := e.cfg.Faults(Fault429, method, domain); strikes {
		e.answerAPI(w, nil, nil, &limited{or(f.Delay, time.Second)})
		return true
	}
	return false
}

// hang says nothing for a while, then drops the connection.
func hang(r *http.Request, f Fault) {
	wait := time.NewTimer(or(f.Delay, 30*time.Second))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
	}
	panic(http.ErrAbortHandler)
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// admit finds who calls and checks that they may.
func (e *Emulator) admit(c *call) (method, error) {
	m, known := methods[c.method]
	if !known {
		return m, fail("unknown_method")
	}
	if m.open {
		return m, nil
	}
	if c.token == "" {
		return m, fail("not_authed")
	}
	for _, app := range e.memory.apps {
		if app.Token == c.token {
			c.app = app
		}
	}
	w, isBot := e.byToken(c.token)
	if c.app == nil && !isBot {
		return m, fail("invalid_auth")
	}
	if isBot == m.app {
		return m, fail("not_allowed_token_type")
	}
	if isBot {
		c.workspace, c.app = w, e.memory.apps[w.App]
		return m, scoped(w, m.scopes)
	}
	return m, nil
}

// scoped says missing_scope unless the workspace granted one of the scopes.
func scoped(w *Workspace, scopes []string) error {
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(w.Scopes, s) }) {
		return nil
	}
	return &apiError{name: "missing_scope", extra: answer{"needed": scopes[0], "provided": strings.Join(w.Scopes, ",")}}
}

// answerAPI writes what a method says. c is nil or incomplete when the caller
// was turned away early.
func (e *Emulator) answerAPI(w http.ResponseWriter, c *call, out answer, err error) {
	status := http.StatusOK
	body := answer{"ok": err == nil}
	for k, v := range out {
		body[k] = v
	}
	var refused *apiError
	var wait *limited
	switch {
	case errors.As(err, &wait):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", seconds(wait.wait))
		body["error"] = "ratelimited"
	case errors.As(err, &refused):
		body["error"] = refused.name
		for k, v := range refused.extra {
			body[k] = v
		}
		if len(refused.messages) > 0 {
			body["errors"], body["response_metadata"] = refused.messages, answer{"messages": refused.messages}
		}
	case err != nil:
		e.cfg.Log.Error("method failed", "reason", err)
		body["error"] = "internal_error"
	}
	if c != nil && c.granted != "" {
		w.Header().Set("X-OAuth-Scopes", c.granted)
	}
	respond.JSON(w, status, body)
}

// seconds rounds up, so that whoever waits that long is let in.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(max(d, time.Second).Seconds())))
}

// readCall reads the arguments, whichever of Slack's ways they came.
func readCall(w http.ResponseWriter, r *http.Request) (*call, error) {
	c := &call{method: r.PathValue("method"), args: map[string]json.RawMessage{}, now: time.Now()}
	if id, secret, ok := r.BasicAuth(); ok {
		c.basic = [2]string{id, secret}
	} else if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.token = token
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none: nothing but the query
	body := http.MaxBytesReader(w, r.Body, maxBody)
	switch media {
	case "application/json":
		raw, err := io.ReadAll(body)
		if err != nil {
			return c, fail("request_too_large")
		}
		if err := json.Unmarshal(raw, &c.args); len(raw) > 0 && err != nil {
			return c, fail("invalid_json")
		}
	case "", "application/x-www-form-urlencoded", "multipart/form-data":
		r.Body = body
		if err := r.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return c, fail("invalid_form_data")
		}
		c.addForm(r.Form)
	default:
		return c, fail("invalid_post_type")
	}
	if c.token == "" {
		c.token = c.text("token")
	}
	return c, nil
}

func (c *call) addForm(form url.Values) {
	for name, values := range form {
		raw, err := json.Marshal(values[0])
		if err == nil { // text always has a JSON form
			c.args[name] = raw
		}
	}
}

// text is an argument as text; numbers and booleans are written out.
func (c *call) text(name string) string {
	raw := c.args[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// flag is an argument that is true or false.
func (c *call) flag(name string) bool {
	b, _ := strconv.ParseBool(c.text(name)) // anything else is false
	return b
}

// number is an argument between 1 and most; otherwise most when it is absent or
// no number.
func (c *call) number(name string, most int) int {
	n, err := strconv.Atoi(c.text(name))
	if err != nil || n < 1 || n > most {
		return most
	}
	return n
}

// structure is an argument that is JSON: as itself, or as text in a form.
// nil means it was not given.
func (c *call) structure(name string) json.RawMessage {
	raw := json.RawMessage(c.text(name))
	if len(raw) == 0 {
		return nil
	}
	return raw
}
