package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

// testQueuePage: the page is there with what it loads, shows what waits, and
// changes nothing.
func testQueuePage(t *testing.T, url fresh) {
	const prefix = "/admin/river"
	s := open(t, url(t))
	e := anEnvironment("e1")
	commit(t, s, environment.Change{Environment: &e, Wake: wakeEnvironment("e1")})
	page, err := s.QueuePage(prefix)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, address string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, prefix+address, nil)
		r.Header.Set("Accept", "text/html,*/*")
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		return w
	}

	for _, address := range []string{"/", "/jobs"} {
		if w := ask(http.MethodGet, address); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>River</title>") {
			t.Errorf("GET %q: got %d %.200q; want the page", address, w.Code, w.Body)
		}
	}
	scripts := regexp.MustCompile(`src="(`+prefix+`[^"]+)"`).FindAllStringSubmatch(ask(http.MethodGet, "/").Body.String(), -1)
	if len(scripts) == 0 {
		t.Error("the page loads no script")
	}
	for _, script := range scripts {
		if w := ask(http.MethodGet, strings.TrimPrefix(script[1], prefix)); w.Code != http.StatusOK || w.Body.Len() < 1000 {
			t.Errorf("%s: got %d and %d bytes", script[1], w.Code, w.Body.Len())
		}
	}

	var jobs struct {
		Data []struct {
			ID   int64
			Args string
		}
	}
	waiting := func() {
		t.Helper()
		w := ask(http.MethodGet, "/api/jobs?state=available")
		if err := json.Unmarshal(w.Body.Bytes(), &jobs); err != nil || w.Code != http.StatusOK || len(jobs.Data) != 1 || !strings.Contains(jobs.Data[0].Args, `"e1"`) {
			t.Fatalf("got %d %s; want the job of e1", w.Code, w.Body)
		}
	}
	waiting()
	for _, address := range []string{"/api/states", "/api/queues", fmt.Sprint("/api/jobs/", jobs.Data[0].ID)} {
		if w := ask(http.MethodGet, address); w.Code != http.StatusOK {
			t.Errorf("GET %s: got %d %s", address, w.Code, w.Body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, address := range []string{"/api/jobs/cancel", "/api/jobs/delete", "/api/jobs/retry", "/api/queues/default/pause"} {
			if w := ask(method, address); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" || !strings.Contains(w.Body.String(), "only shows") {
				t.Errorf("%s %s: got %d %s; want 405", method, address, w.Code, w.Body)
			}
		}
	}
	waiting()
}
