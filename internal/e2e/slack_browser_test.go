package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// step is something a person does, or sees, in the browser.
type step = chromedp.Action[chromedp.Void]

// browser is a headless Chromium on the emulated Slack's page.
type browser struct {
	t    *testing.T
	ctx  context.Context
	page string // of the story's workspace
}

// newBrowser starts one, or skips the test on a machine that has none.
func newBrowser(t *testing.T, workspace string, more ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"google-chrome", "chromium-browser", "chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
		}
	}
	if program == "" {
		t.Skip("no Chromium is installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	options = append(options, more...)
	// The browser lives no longer than that, so nothing that is asked of a page
	// that has gone, or hangs, waits for ever.
	life, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewExecAllocator(life, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it; a deadline here would be the browser's
		t.Fatal(err)
	}
	return &browser{t: t, ctx: ctx, page: stage.sandbox.url + "/slack/?team=" + workspace}
}

// do does the steps within a time that all of them fit in.
func (b *browser) do(steps ...step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		seen, _ := chromedp.Run(b.ctx, chromedp.Text("body"))
		b.t.Fatalf("%v; the page says:\n%s", err, seen)
	}
}

// click presses what is visible, in one step of the page's: what is drawn anew
// between looking and pressing cannot be pressed. The place is a selector, or an
// XPath that begins with a slash.
func click(where string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.PollFunction[bool](`(where) => {
			const path = () => document.evaluate(where, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue;
			const found = where.startsWith("/") ? path() : document.querySelector(where);
			if (!found?.checkVisibility() || found.disabled) return false;
			found.click();
			return true;
		}`, chromedp.WithPollingArgs(where), chromedp.WithPollingTimeout(0))(ctx, tab)
		return err
	})
}

// becomes opens the page as somebody.
func (b *browser) becomes(person string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.page+"&as="+person), says("#apps", "daskbot"))
}

// types writes a line in a channel.
func (b *browser) types(channel, line string) {
	b.t.Helper()
	b.do(click(`//nav//button[contains(., "`+channel+`")]`), says("#place", channel), chromedp.SendKeys("#say", line+"\r"))
}

// reads is the text of a part of the page.
func (b *browser) reads(where string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.TextContent(where))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// says waits until a part of the page contains a text.
func says(where, what string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.PollFunction[bool](`(where, what) => document.querySelector(where)?.innerText.includes(what)`,
			chromedp.WithPollingArgs(where, what), chromedp.WithPollingTimeout(patience))(ctx, tab)
		return err
	})
}

// shoot keeps a picture of the page in the directory that SCREENSHOTS names.
func shoot(name string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		dir := os.Getenv("SCREENSHOTS")
		if dir == "" {
			return nil
		}
		png, err := chromedp.CaptureScreenshot()(ctx, tab)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	})
}

// only is the one environment whose owner's name begins like that.
func (w *world) only(t *testing.T, owner string) (id string, expires time.Time) {
	t.Helper()
	var all struct {
		Items []struct {
			ID, Owner string
			ExpiresAt time.Time
		}
	}
	if err := w.ask(t.Context(), http.MethodGet, "environments", nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, e := range all.Items {
		if strings.HasPrefix(e.Owner, owner) {
			return e.ID, e.ExpiresAt
		}
	}
	t.Fatalf("%s has no environment: %+v", owner, all.Items)
	return "", time.Time{}
}

// TestSlackInBrowser is a class on Slack's page: two students and a teacher.
func TestSlackInBrowser(t *testing.T) {
	w := newSlackWorld(t)
	b := newBrowser(t, w.project)

	b.becomes("s1")
	b.types("general", "/dask up dask")
	b.do(says("#messages", "Only visible to you"), says("#messages", "is on its way"), shoot("e2e-1-up"))
	// Progress, most often; a slow browser comes when it is ready already.
	b.do(click("#apps button"), says("#messages", "How far it is"), says("#messages", "Making the Kubernetes cluster"), shoot("e2e-2-progress"))
	b.do(says("#messages", "Trying your login"), says("#messages", "is ready"), chromedp.WaitVisible(`#messages a[href^="http"]`), shoot("e2e-3-ready"))
	mine, before := w.only(t, "s1")
	b.do(click(`#messages [data-action=extend_1h]`))
	later := until(t.Context(), "wait for the extension", func() (bool, error) {
		_, now := w.only(t, "s1")
		return now.Sub(before) > 50*time.Minute, nil
	})
	if later != nil {
		t.Fatal(later)
	}
	b.do(click("#tab-home"), says("#home", "is ready"), click(`#home [data-action=open]`), says("#modal", "Log in"), says("#modal", "http"), shoot("e2e-18-login"))

	b.becomes("s2")
	if seen := b.reads("#messages"); strings.Contains(seen, mine) {
		t.Errorf("s2 reads of s1's environment: %s", seen)
	}
	b.types("general", "/dask down "+mine)
	b.do(says("#messages", "Only visible to you"), says("#messages", "There is no environment \""+mine+"\", or it is not yours."), shoot("e2e-4-refused"))
	b.types("general", "/dask status "+mine)
	if e, err := w.await(t.Context(), mine, "ready"); err != nil {
		t.Errorf("after s2 tried to stop it: %+v, %v", e, err)
	}
	b.types("general", "/dask up dask")
	b.do(says("#messages", "is on its way"))
	theirs, _ := w.only(t, "s2")

	b.becomes("teacher")
	b.do(click("#apps button"), click("#tab-home"), says("#home", mine), says("#home", theirs), shoot("e2e-5-staff"))

	b.becomes("s1")
	b.do(click("#apps button"), click(`#messages [data-action=stop]`), says("#confirm", "is deleted"), shoot("e2e-6-confirm"),
		click("#confirm-yes"), says("#messages", "is deleted. "), shoot("e2e-7-stopped"))
	if _, err := w.await(t.Context(), mine, "deleted"); err != nil {
		t.Error(err)
	}
}

// TestSlackWarnsInBrowser: who is warned of an end extends by the button, says
// until when in the form, or stops at once.
func TestSlackWarnsInBrowser(t *testing.T) {
	w := newSlackWorld(t)
	b := newBrowser(t, w.project)
	before := map[string]time.Time{}
	for _, person := range []string{"s1", "s2"} {
		w.types(t, person, "/dask up dask for 20m")
		id, _ := w.only(t, person)
		w.mustAwait(t, id, "ready")
		_, before[person] = w.only(t, person)
		w.wantTold(t, person, "progress", "ready")
	}
	w.mustAsk(t.Context(), t, http.MethodPost, "reaper/run", map[string]any{}, nil)

	b.becomes("s1")
	b.do(click("#apps button"), says("#messages", "Its time is over then."), says("#messages", "Or extend it, and it stays."), shoot("e2e-8-warned"),
		click(`#messages li:last-child [data-action=extend_1h]`), says("#messages", "was extended"), shoot("e2e-9-extended"))
	w.wantLater(t, "s1", before["s1"], 55*time.Minute)
	b.do(click(`#messages [data-action=extend_modal]`), says("#modal", "Keep it longer"), shoot("e2e-10-keep-until"), click("#modal-submit"))
	w.wantLater(t, "s1", before["s1"], 115*time.Minute)

	b.becomes("s2")
	mine, _ := w.only(t, "s2")
	b.do(click("#apps button"), says("#messages", "Its time is over then."), click(`#messages li:last-child [data-action=stop]`),
		says("#confirm", "is deleted"), click("#confirm-yes"), says("#messages", "has ended."), shoot("e2e-11-stopped-now"))
	w.mustAwait(t, mine, "deleted")
	w.wantWords(t, "s2", "is deleted. You asked for that.", "was ready. It is deleted.", "is deleted. You asked for that.", "has ended. You asked for that.")
}

// wantLater waits until somebody's environment ends so much later.
func (w *world) wantLater(t *testing.T, owner string, before time.Time, by time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, "wait for the extension", func() (bool, error) {
		_, now := w.only(t, owner)
		return now.Sub(before) > by, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestClassInBrowser: a teacher starts and ends the class from the home.
func TestClassInBrowser(t *testing.T) {
	w := newSlackWorld(t)
	b := newBrowser(t, w.project)
	b.becomes("teacher")
	b.do(click("#apps button"), click("#tab-home"), says("#home", "Start all"), shoot("e2e-12-class"),
		click(`#home [data-action=class_up]`), click("#tab-messages"), says("#messages", "3 being made."), shoot("e2e-13-class-started"))
	b.do(click("#tab-home"), says("#home", "alice"), says("#home", "carol"), shoot("e2e-14-class-home"),
		click(`#home [data-action=class_down]`), says("#confirm", "what somebody protected stays"), shoot("e2e-15-class-end"), click("#confirm-yes"),
		click("#tab-messages"), says("#messages", "3 being deleted."), shoot("e2e-16-class-ended"))

	b.becomes("s2")
	b.do(click("#apps button"), click("#tab-home"), says("#home", "Your environments"), click(`#home [data-action=up_modal]`),
		says("#modal", "New environment"), says("#modal", "0 to "), shoot("e2e-17-student-home"))
	if home := b.reads("#home"); strings.Contains(home, "alice") || strings.Contains(home, "Start all") {
		t.Errorf("a student's home says %s", home)
	}
}
