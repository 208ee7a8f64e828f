package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// Page by page, every entry is read once.
func TestTheAuditLogIsPaged(t *testing.T) {
	h := newHall(t)
	for range 5 {
		h.ask(t, "stranger", route{"orphans", http.MethodGet, Base + "/orphans"}, "") // refused
	}
	page := func(query string) List[AuditEntry] {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Base+"/audit?outcome=forbidden&limit=2"+query, nil)
		r.Header.Set("Authorization", "Bearer "+h.tokens["admin"])
		w := httptest.NewRecorder()
		h.server.Handler().ServeHTTP(w, r)
		var got List[AuditEntry]
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: got %d %s, %v", query, w.Code, w.Body, err)
		}
		return got
	}
	seen := map[int64]bool{}
	cursor := ""
	for range 4 {
		got := page(cursor)
		for _, a := range got.Items {
			if seen[a.Seq] {
				t.Errorf("%d is in two pages", a.Seq)
			}
			seen[a.Seq] = true
		}
		if got.Next == "" {
			break
		}
		if last := got.Items[len(got.Items)-1].Seq; got.Next != strconv.FormatInt(last, 10) {
			t.Errorf("got next %s; want %d", got.Next, last)
		}
		cursor = "&cursor=" + got.Next
	}
	if len(seen) != 5 {
		t.Errorf("got %d entries; want 5", len(seen))
	}
}
