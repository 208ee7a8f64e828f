package lms

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/daskbot/daskbot/sandbox/internal/browsertest"
)

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
	ctx := browsertest.Start(t)
	s := newStage(t, "")
	play := func(steps ...browsertest.Step) {
		t.Helper()
		soon, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if err := chromedp.Do(soon, steps...); err != nil {
			seen, _ := chromedp.Run(ctx, chromedp.Text("body"))
			t.Fatalf("%v; the page says:\n%s", err, seen)
		}
	}
	play(chromedp.Navigate(s.base+"/?as=s1"), browsertest.Says("#role", "you are a student"), browsertest.Shoot("1-student"), browsertest.Click("#open-frame"))
	s.launched("iframe")
	play(browsertest.Shoot("2-frame"), browsertest.Click("#close-frame"))
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
	play(chromedp.Navigate(s.base+"/?as=s1"), browsertest.Says("#role", "you are a student"))
	play(browsertest.Choose("#me", "teacher"), browsertest.Says("#role", "you are a teacher"), browsertest.Click("#tab-people"), browsertest.Says("#members", "Grace Hopper"), browsertest.Shoot("3-people"),
		browsertest.Click("#add button"), browsertest.Says("#members", "Sofja"))
	if event, ok := s.proves(Standard, s.told()); !ok || event != "enrollment.created" {
		t.Errorf("the tool was told %q, %v", event, ok)
	}
	play(browsertest.Click(`[data-drop=s4]`), browsertest.Click("#tab-deliveries"), browsertest.Says("#sent", "enrollment.deleted"), browsertest.Says("#sent", "delivered"),
		browsertest.Click("#sent summary"), browsertest.Says("#sent", "webhook-signature"), browsertest.Shoot("4-deliveries"))
	s.told()
	play(browsertest.Choose("#me", "admin"), browsertest.Click("#tab-tools"), browsertest.Says("#registered", s.mine.ClientID), browsertest.Shoot("5-tools"))
	s.do(http.MethodPost, "/tools", toolChange{ClientID: s.mine.ClientID, Name: "A better name"}, http.StatusOK, nil)
	play(browsertest.Says("#registered", "A better name"))
}
