package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlines is a connection that remembers its read deadline.
type deadlines struct {
	*httptest.ResponseRecorder
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = t
	return nil
}

// TestNoDeadlineIsLeftBehind: net/http watches the connection while a request
// is answered. A read deadline that passes meanwhile looks like a client that
// is gone, and cancels this request and every later one of the connection.
func TestNoDeadlineIsLeftBehind(t *testing.T) {
	b := newBench(t)
	r := httptest.NewRequest(http.MethodPost, Base+"/environments", strings.NewReader(`{"owner":"alice"}`))
	r.Header.Set("Authorization", "Bearer admin")
	r.Header.Set("Content-Type", "application/json")
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	b.Handler().ServeHTTP(w, r)
	if w.Code >= http.StatusBadRequest || !w.read.IsZero() {
		t.Errorf("got %d and a read deadline of %s; want none once the body is read", w.Code, w.read)
	}
}
