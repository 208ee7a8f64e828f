//go:build e2e

package real

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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
	see(tab, t, time.Minute, chromedp.Navigate(e.URL+"/hub/login?next="+url.QueryEscape("/user/"+c.Username+"/lab/tree/pi.ipynb")),
		holds(`document.getElementById("username_input")`))
	see(tab, t, time.Minute, chromedp.SendKeys("#username_input", c.Username), chromedp.SendKeys("#password_input", c.Password+"\r"),
		holds(`document.querySelector(".jp-NotebookPanel-toolbar")?.innerText.includes("Python 3")`))
	// A button that is pressed before the kernel listens does nothing.
	see(tab, t, time.Minute, holds(`document.querySelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]')`))
	for n := range 1 + cells { // the first one is text
		see(tab, t, time.Minute, holds(fmt.Sprintf(`document.querySelectorAll(".jp-Notebook .jp-Cell")[%d]?.classList.contains("jp-mod-active")`, n)),
			press(`document.querySelector('[data-command="notebook:run-cell-and-select-next"]')`))
	}
	see(tab, t, changeTime,
		holds(`[...document.querySelectorAll(".jp-OutputArea-output")].some(o => /pi ~= 3/.test(o.innerText))`),
		press(`[...document.querySelectorAll("button")].find(b => b.innerText.trim() === "No")`), // no news, please
		holds(`!document.querySelector(".Toastify__toast")`),
		holds(`([...document.querySelectorAll(".jp-OutputArea-output")].find(o => /pi ~= 3/.test(o.innerText)).scrollIntoView({block: "end"}), true)`))
	see(tab, t, time.Minute, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
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

// press clicks in the middle of an element, once it is there.
func press(element string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := holds(element)(ctx, tab); err != nil {
			return err
		}
		at, err := chromedp.Evaluate[struct{ X, Y, Width, Height float64 }](element+".getBoundingClientRect().toJSON()")(ctx, tab)
		if err != nil {
			return err
		}
		_, err = chromedp.MouseClickXY(at.X+at.Width/2, at.Y+at.Height/2)(ctx, tab)
		return err
	})
}

// see does steps within a time.
func see(tab context.Context, t *testing.T, limit time.Duration, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, limit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		soon, cancel := context.WithTimeout(tab, 10*time.Second)
		defer cancel()
		text, _ := chromedp.Run(soon, chromedp.Text("body"))
		t.Fatalf("%v; the page says:\n%s", err, text)
	}
}

// holds waits until an expression is true in the page. It asks from outside: a
// page that draws nothing does not look by itself.
func holds(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for {
			// A page that is left takes the question with it.
			if yes, err := chromedp.Evaluate[bool]("!!("+expression+")")(ctx, tab); err == nil && yes {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait until %s: %w", expression, ctx.Err())
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
}
