package lms

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// step is something done in the browser.
type step = chromedp.Action[chromedp.Void]

// browse opens a headless browser, or skips the test on a machine without one.
func browse(t *testing.T) context.Context {
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

// says waits until a part of the page contains a text.
func says(where, what string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.PollFunction[bool](`(where, what) => document.querySelector(where)?.innerText.includes(what)`, chromedp.WithPollingArgs(where, what), chromedp.WithPollingTimeout(0))(ctx, tab)
		return err
	})
}

// choose picks from a list as a person does.
func choose(where, value string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.PollFunction[bool](`(where, value) => {
			const list = document.querySelector(where);
			if (!list || ![...list.options].some((o) => o.value === value)) return false;
			list.value = value;
			list.dispatchEvent(new Event("change"));
			return true;
		}`, chromedp.WithPollingArgs(where, value))(ctx, tab)
		return err
	})
}

// launched waits until the tool has verified another launch of that placement.
func (s *stage) launched(placement string) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		s.tool.mu.Lock()
		how, _ := s.tool.claims[claim+"launch_presentation"].(map[string]any)
		s.tool.mu.Unlock()
		if how["document_target"] == placement {
			return
		}
		<-tick.C
	}
	s.t.Fatalf("no launch in a %s", placement)
}

// TestPage plays a student and then a teacher in a real browser.
func TestPage(t *testing.T) {
	ctx := browse(t)
	s := newStage(t, "")
	play := func(steps ...step) {
		t.Helper()
		soon, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if err := chromedp.Do(soon, steps...); err != nil {
			seen, _ := chromedp.Run(ctx, chromedp.Text("body"))
			t.Fatalf("%v; the page says:\n%s", err, seen)
		}
	}
	play(chromedp.Navigate(s.base+"/?as=s1"), says("#role", "you are a student"), shoot("1-student"), chromedp.Click("#open-frame"))
	s.launched("iframe")
	play(shoot("2-frame"), chromedp.Click("#close-frame"))
	if tabs, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("[role=tab]:not([hidden])").length`)); err != nil || tabs != 1 {
		t.Errorf("a student has %d tabs, %v; want the content only", tabs, err)
	}
	// Not by a click: the browser would lay this page aside for the new one.
	address, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById("open-window").href`))
	if err != nil {
		t.Fatal(err)
	}
	play(chromedp.Navigate(address))
	s.launched("window")
	play(chromedp.Navigate(s.base+"/?as=s1"), says("#role", "you are a student"))
	play(choose("#me", "teacher"), says("#role", "you are a teacher"), chromedp.Click("#tab-people"), says("#members", "Grace Hopper"), shoot("3-people"),
		chromedp.Click("#add button"), says("#members", "Sofja"))
	if event, ok := s.proves(Standard, s.told()); !ok || event != "enrollment.created" {
		t.Errorf("the tool was told %q, %v", event, ok)
	}
	play(chromedp.Click(`[data-drop=s4]`), chromedp.Click("#tab-deliveries"), says("#sent", "enrollment.deleted"), says("#sent", "delivered"),
		chromedp.Click("#sent summary"), says("#sent", "webhook-signature"), shoot("4-deliveries"))
	s.told()
	play(choose("#me", "admin"), chromedp.Click("#tab-tools"), says("#registered", s.mine.ClientID), shoot("5-tools"))
	s.do(http.MethodPost, "/tools", toolChange{ClientID: s.mine.ClientID, Name: "A better name"}, http.StatusOK, nil)
	play(says("#registered", "A better name"))
}
