package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// Step is something that is done, or seen, in the browser.
type Step = chromedp.Action[chromedp.Void]

// Start starts a browser that lives as long as the test, which is skipped on a
// machine that has none. Steps run in the context.
func Start(t *testing.T) context.Context {
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
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1280, 860))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it; a deadline here would be the browser's
		t.Fatal(err)
	}
	return ctx
}

// Shoot keeps a picture of the page in the directory that SCREENSHOTS names.
func Shoot(name string) Step {
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

// Says waits until a part of the page contains a text.
func Says(where, what string) Step {
	return poll(`(where, what) => document.querySelector(where)?.innerText.includes(what)`, where, what)
}

// Click presses what is visible, in one step of the page's: what is drawn anew
// between looking and pressing cannot be pressed. The place is a selector, or an
// XPath that begins with a slash.
func Click(where string) Step {
	return poll(`(where) => {
		const path = () => document.evaluate(where, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue;
		const found = where.startsWith("/") ? path() : document.querySelector(where);
		if (!found?.checkVisibility() || found.disabled) return false;
		found.click();
		return true;
	}`, where)
}

// Choose picks from a list as a person does, once the value is in it.
func Choose(where, value string) Step {
	return poll(`(where, value) => {
		const list = document.querySelector(where);
		if (!list || ![...list.options].some((o) => o.value === value)) return false;
		list.value = value;
		list.dispatchEvent(new Event("change"));
		return true;
	}`, where, value)
}

// poll asks until the function says yes, or the step's time is over.
func poll(function string, args ...any) Step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.PollFunction[bool](function, chromedp.WithPollingArgs(args...), chromedp.WithPollingTimeout(0))(ctx, tab)
		return err
	})
}
