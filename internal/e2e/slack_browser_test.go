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
func newBrowser(t *testing.T, workspace string) *browser {
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
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
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

// becomes opens the page as somebody.
func (b *browser) becomes(person string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.page+"&as="+person), says("#apps", "daskbot"))
}

// types writes a line in a channel.
func (b *browser) types(channel, line string) {
	b.t.Helper()
	b.do(chromedp.Click(`//nav//button[contains(., "`+channel+`")]`), says("#place", channel), chromedp.SendKeys("#say", line+"\r"))
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

// newSlackWorld is a world whose daemon is the app of a workspace of its own.
// The people's addresses are those the shipped configuration knows.
func newSlackWorld(t *testing.T) *world {
	t.Helper()
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	w, err := newWorld(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
		if t.Failed() && w.daemon != nil {
			t.Logf("the daemon's last words:\n%s", w.daemon.lastWords(60))
		}
	})
	var made struct {
		App struct {
			Credentials struct{ BotToken, SigningSecret, API string }
		}
	}
	workspace := map[string]any{"domain": w.project, "name": "A class", "mail": "sandbox-university.example", "url": "http://" + w.addr}
	if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/workspaces", workspace, &made); err != nil {
		t.Fatal(err)
	}
	app := made.App.Credentials
	env := append(w.environ(), "SLACK_BOT_TOKEN="+app.BotToken, "SLACK_SIGNING_SECRET="+app.SigningSecret, "SLACK_API_URL="+app.API)
	if w.daemon, err = start(filepath.Join(w.dir, "daemon.log"), env, stage.daskbot, "serve", "--config", w.config); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = until(ctx, "wait for the daemon", func() (bool, error) {
		return askJSON(ctx, http.DefaultClient, http.MethodGet, "http://"+w.addr+"/healthz", nil, nil) == nil, nil
	})
	if err == nil {
		err = described.learn(ctx, "http://"+w.addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
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
	b.do(chromedp.Click("#apps button"), says("#messages", "Making the Kubernetes cluster"), shoot("e2e-2-progress"))
	b.do(says("#messages", "is ready"), chromedp.WaitVisible(`#messages a[href^="http"]`), shoot("e2e-3-ready"))
	mine, before := w.only(t, "s1")
	b.do(chromedp.Click(`#messages [data-action=extend_1h]`))
	later := until(t.Context(), "wait for the extension", func() (bool, error) {
		_, now := w.only(t, "s1")
		return now.Sub(before) > 50*time.Minute, nil
	})
	if later != nil {
		t.Fatal(later)
	}

	b.becomes("s2")
	if seen := b.reads("#messages"); strings.Contains(seen, mine) {
		t.Errorf("s2 reads of s1's environment: %s", seen)
	}
	b.types("general", "/dask down "+mine)
	b.do(says("#messages", "Only visible to you"), shoot("e2e-4-refused"))
	b.types("general", "/dask status "+mine)
	if e, err := w.await(t.Context(), mine, "ready"); err != nil {
		t.Errorf("after s2 tried to stop it: %+v, %v", e, err)
	}
	b.types("general", "/dask up dask")
	b.do(says("#messages", "is on its way"))
	theirs, _ := w.only(t, "s2")

	b.becomes("teacher")
	b.do(chromedp.Click("#apps button"), chromedp.Click("#tab-home"), says("#home", mine), says("#home", theirs), shoot("e2e-5-staff"))

	b.becomes("s1")
	b.do(chromedp.Click("#apps button"), chromedp.Click(`#messages [data-action=stop]`), says("#confirm", "is deleted"), shoot("e2e-6-confirm"),
		chromedp.Click("#confirm-yes"), says("#messages", "is deleted. "), shoot("e2e-7-stopped"))
	if _, err := w.await(t.Context(), mine, "deleted"); err != nil {
		t.Error(err)
	}
}
