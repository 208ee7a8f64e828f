package e2e

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var errNoFrame = errors.New("the tool's frame is not there")

// coursePage is a course of the LMS in a browser, and the tool inside it.
type coursePage struct {
	*browser
	campus *campus
	frames map[string]context.Context // that were looked into, by target
}

// as opens the course page as somebody.
func (p *coursePage) as(person string) {
	p.t.Helper()
	p.do(chromedp.Navigate(stage.sandbox.url+"/lms/?as="+person+"&course="+p.campus.course), says("#role", "you are a"))
}

// opens launches the tool in a frame of the course page.
func (p *coursePage) opens() {
	p.t.Helper()
	p.do(chromedp.Click("#open-frame"))
}

// frame is the tool's: it is of another site, so a target of its own.
func (p *coursePage) frame() (context.Context, error) {
	targets, err := chromedp.Targets(p.ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range targets {
		if info.Type != "iframe" || !strings.HasPrefix(info.URL, p.campus.address+"/lti/") || strings.Contains(info.URL, "/lti/login") {
			continue
		}
		if known, ok := p.frames[string(info.TargetID)]; ok {
			return known, nil
		}
		ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithTargetID(info.TargetID))
		p.t.Cleanup(cancel)
		if err := chromedp.Do(ctx); err != nil { // a deadline here would be the frame's
			return nil, err
		}
		p.frames[string(info.TargetID)] = ctx
		return ctx, nil
	}
	return nil, errNoFrame
}

// shows waits until the tool says something in its frame.
func (p *coursePage) shows(what string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	seen := ""
	err := until(ctx, "wait for the frame", func() (bool, error) {
		if inside, err := p.frame(); err == nil {
			// It may just be moving on, and a page that is left answers never.
			soon, cancel := context.WithTimeout(inside, 10*time.Second)
			defer cancel()
			seen, _ = chromedp.Run(soon, chromedp.Evaluate[string](`document.body.innerText`))
		}
		return strings.Contains(seen, what), nil
	})
	if err != nil {
		p.t.Fatalf("%v to say %q; it says:\n%s", err, what, seen)
	}
}

// reads is an expression's value in the tool's frame.
func (p *coursePage) reads(expression string) string {
	p.t.Helper()
	inside, err := p.frame()
	if err != nil {
		p.t.Fatal(err)
	}
	value, err := chromedp.Run(inside, chromedp.Evaluate[string](expression))
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// TestLMSInBrowser is a course page: a student opens the hub in a frame of
// another site, where browsers keep no cookies, sees how far it is and gets a
// link; the teacher sees the class.
func TestLMSInBrowser(t *testing.T) {
	c := newCampus(t)
	for _, student := range []string{"s1", "s2"} {
		c.changes(t, student, "student", true)
	}
	p := &coursePage{browser: newBrowser(t, ""), campus: c, frames: map[string]context.Context{}}

	p.as("s1")
	p.do(shoot("lms-1-course"))
	p.opens()
	p.shows("Being made.")
	p.do(shoot("lms-2-progress"))
	p.shows("Ready.")
	p.do(shoot("lms-3-ready"))
	id := c.owned(t)["s1"]
	e, err := c.await(t.Context(), id, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if link := p.reads(`document.getElementById("open").href`); !strings.HasPrefix(link, e.URL) {
		t.Errorf("the page leads to %s; the hub is at %s", link, e.URL)
	}

	// The button, and the way in with what the page says.
	password := p.reads(`document.getElementById("password").textContent`)
	p.do(chromedp.Navigate(p.reads(`document.getElementById("open").href`)))
	p.enters(e.URL, password)
	p.do(shoot("lms-4-hub"))

	p.as("s2")
	p.opens()
	p.shows("Being made.")
	if seen := p.reads(`document.documentElement.outerHTML`); strings.Contains(seen, id) || strings.Contains(seen, e.URL) {
		t.Errorf("s2 is shown what is s1's: %s", seen)
	}

	p.as("teacher")
	p.opens()
	p.shows("Grace Hopper")
	p.do(shoot("lms-5-class"))
	p.do(chromedp.Click("#tab-people"), says("#members", "Ada Lovelace"), shoot("lms-6-roster"))
	c.roster(t, func(members []string) bool { return slices.Equal(members, []string{"s1", "s2", "teacher"}) })
}

// TestLMSInWindow is a launch in a window of its own, behind TLS as daskbot is
// where people use it: without it browsers keep no cookie of what one site posts
// to another. The page goes on to the hub by itself, and back from there is the
// page again, with the password.
func TestLMSInWindow(t *testing.T) {
	w := newUnstarted(t)
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: w.addr}))
	t.Cleanup(front.Close)
	c := w.campus(t, front.URL)
	c.changes(t, "s1", "student", true)
	p := &coursePage{browser: newBrowser(t, "", chromedp.Flag("ignore-certificate-errors", true)), campus: c}

	p.as("s1")
	p.do(chromedp.Navigate(p.expression(`document.getElementById("open-window").href`)))
	p.do(says("#live", "Being made."))
	e, err := c.await(t.Context(), c.owned(t)["s1"], "ready")
	if err != nil {
		t.Fatal(err)
	}
	p.do(p.at(e.URL), shoot("lms-7-forwarded"))
	p.do(chromedp.NavigateBack(), p.at(front.URL+"/lti/page/"))
	password := p.expression(`document.getElementById("password").textContent`)
	p.do(shoot("lms-8-back"))
	p.do(chromedp.Navigate(e.URL))
	p.enters(e.URL, password)
}

// expression is a value in the page itself.
func (p *coursePage) expression(of string) string {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](of))
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// enters signs in on the hub's page, where the browser is, or is about to be.
func (p *coursePage) enters(hub, password string) {
	p.t.Helper()
	p.do(p.at(hub), chromedp.SendKeys("#password_input", password+"\r"), p.leaves("/login"))
}

// at waits until the browser is at an address that begins so.
func (p *coursePage) at(address string) step {
	return p.polls(`(address) => location.href.startsWith(address) && document.readyState === "complete"`, address)
}

// leaves waits until the browser is no longer on a page.
func (p *coursePage) leaves(path string) step {
	return p.polls(`(path) => !location.pathname.startsWith(path) && document.readyState === "complete"`, path)
}

func (p *coursePage) polls(function, argument string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		return until(ctx, "wait for the page", func() (bool, error) {
			// A page that is left takes the question with it.
			here, err := chromedp.PollFunction[bool](function, chromedp.WithPollingArgs(argument), chromedp.WithPollingTimeout(time.Second))(ctx, tab)
			return err == nil && here, ctx.Err()
		})
	})
}
