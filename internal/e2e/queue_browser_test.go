package e2e

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestQueueInBrowser: an admin's browser, asked for a password and given a
// token, shows River's page, with everything that it loads.
func TestQueueInBrowser(t *testing.T) {
	w := newStory(t)
	token, err := w.token()
	if err != nil {
		t.Fatal(err)
	}
	page, err := url.Parse("http://" + w.addr + "/admin/river/")
	if err != nil {
		t.Fatal(err)
	}
	asked := *page
	asked.User = url.UserPassword("admin", token) // what is typed when it is asked for; later the browser knows it
	b := newBrowser(t, "")
	b.do(chromedp.Navigate(asked.String()))
	b.do(chromedp.Navigate(page.JoinPath("queues").String()), says("body", "default"), shoot("queue-page"),
		chromedp.Navigate(page.JoinPath("jobs").String()), says("body", "Running"), shoot("queue-jobs"))
}
