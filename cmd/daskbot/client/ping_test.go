package client

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPing asks daemons in each condition that there is.
func TestPing(t *testing.T) {
	for name, c := range map[string]struct {
		ready, healthy string
		status         int
		exit           int
		says           string
	}{
		"ready":           {`{"status":"ready"}`, `{"version":"v1.2.3"}`, 200, ExitDone, "is ready (version v1.2.3)"},
		"not ready":       {`{"code":"unavailable","detail":"The store does not answer."}`, ``, 503, ExitFailed, "The store does not answer."},
		"something else":  {`<html>`, `<html>`, 200, ExitFailed, "not daskbot's"},
		"behind a broken": {`<html>`, ``, 502, ExitFailed, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := c.healthy
				if r.URL.Path == "/readyz" {
					w.WriteHeader(c.status)
					body = c.ready
				}
				_, _ = w.Write([]byte(body))
			}))
			defer server.Close()
			d := newDaemon(t)
			var out, errs output
			w := d.world(&out, &errs)
			w.Getenv = func(name string) string {
				return map[string]string{"DASKBOT_URL": server.URL, "DASKBOT_TOKEN": "none"}[name]
			}
			if got := d.do(t.Context(), w, "ping"); got != c.exit || !strings.Contains(out.String()+errs.String(), c.says) {
				t.Errorf("got exit %d, %s%s; want %d and %q", got, out.String(), errs.String(), c.exit, c.says)
			}
		})
	}
}

func TestPingNobody(t *testing.T) {
	d := newDaemon(t)
	var out, errs output
	w := d.world(&out, &errs)
	w.Getenv = func(name string) string {
		return map[string]string{"DASKBOT_URL": "http://127.0.0.1:1", "DASKBOT_TOKEN": "none"}[name]
	}
	if got := d.do(t.Context(), w, "ping"); got != ExitUnreachable {
		t.Errorf("got exit %d, want %d: %s", got, ExitUnreachable, errs.String())
	}
}

// roundTrip answers without a network, so that time may be virtual.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPingWaits gives a daemon time to become ready, and no more than that.
func TestPingWaits(t *testing.T) {
	for wait, want := range map[time.Duration]string{time.Minute: "v1", 10 * time.Second: ""} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			r := &rest{address: "http://daskbot", http: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				answer := httptest.NewRecorder()
				if time.Since(begun) < 20*time.Second {
					answer.WriteHeader(http.StatusServiceUnavailable)
				}
				answer.Body = bytes.NewBufferString(`{"version":"v1"}`)
				result := answer.Result()
				result.Request = r
				return result, nil
			})}}
			got, err := r.pingUntilReady(context.WithoutCancel(t.Context()), wait)
			if got != want || (err == nil) != (want != "") {
				t.Errorf("after %s: got %q, %v; want %q", wait, got, err, want)
			}
			if took := time.Since(begun); took > wait+pingAgain {
				t.Errorf("it took %s; want at most %s", took, wait)
			}
		})
	}
}
