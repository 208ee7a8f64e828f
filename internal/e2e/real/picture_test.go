//go:build e2e

package real

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPicture is the first walkthrough in a real browser, for the README's
// picture, which it writes into the directory that SCREENSHOTS names. It is
// made by hand, so that it changes only when somebody looked at it:
//
//	SCREENSHOTS=$PWD/docs/pictures scripts/e2e.sh -run TestPicture
func TestPicture(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no directory")
	}
	e := up(t, "daskhub", "--owner", "ada")
	c := secrets(t, e.ID)
	student := newBrowser(t, e.URL)
	if err := student.logIn(t.Context(), "hub/login", c.Username, c.Password); err != nil {
		t.Fatal(err)
	}
	student.startServer(t, c.Username)
	cells := student.shorten(t, "pi.ipynb")

	tab := newTab(t)
	see(t, tab, changeTime,
		chromedp.Navigate(e.URL+"/hub/login?next="+url.QueryEscape("/user/"+c.Username+"/lab/tree/pi.ipynb")),
		chromedp.WaitVisible("#username_input"),
		chromedp.SendKeys("#username_input", c.Username), chromedp.SendKeys("#password_input", c.Password+"\r"),
		chromedp.WaitVisible(chromedp.CSS(".jp-Notebook .jp-CodeCell")),
		holds(`document.querySelector(".jp-NotebookPanel-toolbar")?.innerText.includes("Python 3")`),
		chromedp.Click(chromedp.CSS(".jp-Notebook .jp-CodeCell .jp-InputPrompt")),
	)
	for range cells - 1 {
		see(t, tab, time.Minute, chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift)))
	}
	see(t, tab, 2*changeTime, chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		holds(`[...document.querySelectorAll(".jp-OutputArea-output")].some(o => /pi ~= 3/.test(o.innerText))`),
		holds(`([...document.querySelectorAll("button")].find(b => b.innerText.trim() === "No")?.click(), true)`), // no news, please
		holds(`!document.querySelector(".jp-toastContainer, .Toastify__toast")`))
	see(t, tab, time.Minute, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		png, err := chromedp.CaptureScreenshot()(ctx, tab)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "hub.png"), png, 0o644)
	}))
	down(t, e)
}

// shorten saves a notebook whose cells fit this machine. The last one, which
// closes the cluster, goes: the picture shows it at work. It says how many
// there are to run.
func (b *browser) shorten(t *testing.T, name string) int {
	t.Helper()
	var content map[string]any
	if err := json.Unmarshal(b.read(t, name).Content, &content); err != nil {
		t.Fatal(err)
	}
	cells, _ := content["cells"].([]any)
	for _, cell := range cells {
		c, _ := cell.(map[string]any)
		if source, ok := c["source"].(string); ok {
			c["source"] = fitting(source)
		}
	}
	content["cells"] = cells[:len(cells)-1]
	saved := map[string]any{"type": "notebook", "format": "json", "content": content}
	if err := b.api(t.Context(), http.MethodPut, "contents/"+name, saved, nil); err != nil {
		t.Fatal(err)
	}
	return len(cells) - 2 // the first one is text
}

// newTab starts a headless Chromium.
func newTab(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium is installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1280, 1100))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it; a deadline here would be the browser's
		t.Fatal(err)
	}
	return ctx
}

// see does steps within a time.
func see(t *testing.T, tab context.Context, limit time.Duration, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, limit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		text, _ := chromedp.Run(tab, chromedp.Text("body"))
		t.Fatalf("%v; the page says:\n%s", err, text)
	}
}

// holds waits until an expression is true in the page.
func holds(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(2*changeTime))(ctx, tab)
		return err
	})
}
