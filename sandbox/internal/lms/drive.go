package lms

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/daskbot/daskbot/sandbox/internal/respond"
)

// drive is what POST /lms/launches takes: a launch without a browser.
type drive struct {
	Course    string `json:"course"`
	Person    string `json:"person"`
	Misbehave string `json:"misbehave"`
	Frame     bool   `json:"frame"`     // as in a frame; a tool may then answer with a page that only a browser understands
	NoCookies bool   `json:"noCookies"` // as a browser that keeps none of a third party's
	Twice     bool   `json:"twice"`     // post the same form a second time; the answer is the second one
}

// driven is how the tool answered. The form is what a test can post again, or
// change first.
type driven struct {
	Login    int      `json:"login"` // status of the tool's answer to the login initiation
	Form     autoForm `json:"form"`
	Cookies  []string `json:"cookies"` // names=values that the tool set
	Status   int      `json:"status"`  // of the tool's answer to the launch
	Location string   `json:"location,omitempty"`
	Body     string   `json:"body"`
}

// postLaunch does what the course page and a browser do together, up to the
// tool's answer; it follows no redirect and runs no script.
func (p *Platform) postLaunch(w http.ResponseWriter, r *http.Request) {
	var d drive
	err := respond.Read(w, r, &d)
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	out, err := p.drive(r.Context(), d)
	if err != nil {
		respond.Error(w, p.cfg.Log, err)
		return
	}
	respond.JSON(w, http.StatusOK, out)
}

func (p *Platform) drive(ctx context.Context, d drive) (driven, error) {
	placement := inWindow
	if d.Frame {
		placement = inFrame
	}
	p.mu.Lock()
	first, err := p.initiate(d.Course, d.Person, placement, d.Misbehave)
	p.mu.Unlock()
	if err != nil {
		return driven{}, err
	}
	login, err := p.submitForm(ctx, first, nil)
	if err != nil {
		return driven{}, err
	}
	out := driven{Login: login.status, Cookies: login.cookies, Status: login.status, Location: login.location, Body: login.body}
	query, asks := strings.CutPrefix(login.location, p.cfg.URL+"/oauth/authorize?")
	if !asks || login.status/100 != 3 {
		return out, nil // the tool has nothing to ask of the platform: that was its answer
	}
	asked, err := url.ParseQuery(query)
	if err != nil {
		return out, respond.Invalid("the tool's request: %v", err)
	}
	p.mu.Lock()
	out.Form, err = p.answerLogin(asked)
	p.mu.Unlock()
	if err != nil {
		return out, err
	}
	cookies := out.Cookies
	if d.NoCookies {
		cookies = nil
	}
	answer, err := p.submitForm(ctx, out.Form, cookies)
	if err == nil && d.Twice {
		answer, err = p.submitForm(ctx, out.Form, cookies)
	}
	if err != nil {
		return out, err
	}
	out.Status, out.Location, out.Body = answer.status, answer.location, answer.body
	return out, nil
}

// answered is what a browser goes by.
type answered struct {
	status         int
	location, body string
	cookies        []string
}

// submitForm posts a form as a browser would.
func (p *Platform) submitForm(ctx context.Context, form autoForm, cookies []string) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, form.Action, strings.NewReader(form.Values.Encode()))
	if err != nil {
		return answered{}, respond.Invalid("%v", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.origin())
	if len(cookies) > 0 {
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return answered{}, respond.Refuse(http.StatusBadGateway, "the tool does not answer: "+err.Error())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return answered{}, respond.Refuse(http.StatusBadGateway, "the tool does not answer: "+err.Error())
	}
	out := answered{status: resp.StatusCode, location: resp.Header.Get("Location"), body: string(body), cookies: []string{}}
	for _, c := range resp.Cookies() {
		out.cookies = append(out.cookies, c.Name+"="+c.Value)
	}
	return out, nil
}
