package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

// cloud answers as the test says.
type cloud struct {
	down  atomic.Bool
	asked atomic.Int32
}

func (c *cloud) Allowed(context.Context, string) error {
	c.asked.Add(1)
	if c.down.Load() {
		return environment.Errorf(environment.CodeForbidden, "Grant it: gcloud projects add-iam-policy-binding my-class")
	}
	return nil
}

// TestAShortSilenceOfTheCloudIsNobodysBusiness follows an outage from its first
// second to its end, in the clock of the bubble.
func TestAShortSilenceOfTheCloudIsNobodysBusiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{}
		s := newSight(&config.Config{GKE: config.GKE{Project: "my-class"}}, c, slog.New(slog.DiscardHandler))
		if s.err() == nil {
			t.Error("before the first answer: ready; want not")
		}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- s.Run(ctx) }()
		synctest.Wait()
		for range 1000 {
			if err := s.err(); err != nil {
				t.Fatalf("after a good answer: %v", err)
			}
		}
		if got := c.asked.Load(); got != 1 {
			t.Errorf("a thousand who asked caused %d calls; want none beside the first", got)
		}
		c.down.Store(true)
		time.Sleep(seenFor - lookAgain)
		if err := s.err(); err != nil {
			t.Errorf("a short silence: %v; want ready", err)
		}
		time.Sleep(lookAgain + time.Second)
		err := s.err()
		if environment.CodeOf(err) != environment.CodeUnavailable || strings.Contains(environment.MessageOf(err), "my-class") {
			t.Errorf("a long one: got %v; want unavailable, and nothing of the project", err)
		}
		c.down.Store(false)
		time.Sleep(lookSoon)
		synctest.Wait()
		if err := s.err(); err != nil {
			t.Errorf("it answers again: %v", err)
		}
		cancel()
		if err := <-over; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestReadyWithoutTheCloud: a cloud that does not answer keeps nobody from being
// sent here, a store and a stop do.
func TestReadyWithoutTheCloud(t *testing.T) {
	d := wired(t) // its cloud never answered
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := ask("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "Google Cloud") {
		t.Errorf("everything: got %d %s; want that the cloud is missing", code, body)
	}
	if code, body := ask("/readyz?exclude=cloud"); code != http.StatusOK {
		t.Errorf("without the cloud: got %d %s", code, body)
	}
	d.stopping.Store(true)
	if code, body := ask("/readyz?exclude=cloud"); code != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("while it stops: got %d %s", code, body)
	}
	d.stopping.Store(false)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	if code, body := ask("/readyz?exclude=cloud"); code != http.StatusServiceUnavailable || !strings.Contains(body, "The store does not answer.") {
		t.Errorf("without a store: got %d %s", code, body)
	}
}

// TestMetricsApart: with a port of their own, metrics are nowhere else.
func TestMetricsApart(t *testing.T) {
	together, apart := wired(t), wiredWith(t, `server: {metricsAddr: "127.0.0.1:9090"}`)
	if together.scraped != nil {
		t.Error("without metricsAddr there is a second handler; want none")
	}
	for name, c := range map[string]struct {
		handler http.Handler
		path    string
		want    int
	}{
		"together":                  {together.handler, "/metrics", http.StatusOK},
		"apart":                     {apart.scraped, "/metrics", http.StatusOK},
		"apart, at the other port":  {apart.handler, "/metrics", http.StatusNotFound},
		"apart, and something else": {apart.scraped, "/api/v1/environments", http.StatusNotFound},
	} {
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != c.want {
			t.Errorf("%s: %s: got %d; want %d", name, c.path, w.Code, c.want)
		}
	}
}

// TestASeriesIsThereBeforeItRises: Prometheus sees no increase in a series that
// begins with 1.
func TestASeriesIsThereBeforeItRises(t *testing.T) {
	d := wiredWith(t, "lms: {sources: {moodle: {kind: bearer, secret: {fromEnv: NOT_SET, default: \""+strings.Repeat("s", 40)+"\"}}}}\n")
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`daskbot_hooks_total{outcome="parked",source="moodle"} 0`, `daskbot_notifications_total{outcome="disabled"} 0`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/metrics has no %s", want)
		}
	}
}
