package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// get asks for the hall's environment as an admin.
func (h *hall) get(t *testing.T, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Base+"/environments/"+h.id, nil)
	r.Header.Set("Authorization", "Bearer "+h.tokens["admin"])
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	return w
}

// Whoever waits for it to be in use reads with If-None-Match, and use moves
// without a new version of the row.
func TestATagIsOfWhatIsShownToo(t *testing.T) {
	h := newHall(t)
	tag := h.get(t).Header().Get("ETag")
	if !strings.HasPrefix(tag, `"v1-`) {
		t.Fatalf("got tag %s; want one of version 1", tag)
	}
	for _, none := range []string{tag, "W/" + tag, `"v7", ` + tag, "*"} {
		if w := h.get(t, "If-None-Match", none); w.Code != http.StatusNotModified || w.Header().Get("ETag") != tag || w.Body.Len() > 0 {
			t.Errorf("%s: got %d %s %s; want 304 with %s", none, w.Code, w.Header().Get("ETag"), w.Body, tag)
		}
	}
	seen := environment.Use{Environment: h.id, Activity: environment.Activity{At: when},
		Verdict: environment.Verdict{Is: environment.VerdictIdle, Reason: "last used 1h ago", Since: when.Add(-time.Hour)}}
	if err := h.commit(t.Context(), environment.Change{Uses: []environment.Use{seen}}); err != nil {
		t.Fatal(err)
	}
	w := h.get(t, "If-None-Match", tag)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "last used 1h ago") {
		t.Errorf("after a look: got %d %s; want 200 with what was seen", w.Code, w.Body)
	}
	if now := w.Header().Get("ETag"); now == tag || !strings.HasPrefix(now, `"v1-`) {
		t.Errorf("after a look: got tag %s, before it %s; want another of version 1", now, tag)
	}
}
