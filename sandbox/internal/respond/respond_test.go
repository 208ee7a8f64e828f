package respond

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"ann"}`: "",
		`{"nome":"ann"}`: "unknown field",
		``:               "the body",
		`{"name":"` + strings.Repeat("a", MaxBody) + `"}`: "too large",
	} {
		var into struct{ Name string }
		err := Read(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)), &into)
		if want == "" && (err != nil || into.Name != "ann") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: got %v; want %q", body, err, want)
		}
	}
}

func TestError(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		says   string
	}{
		{Invalid("no %s", "name"), http.StatusBadRequest, "no name"},
		{fmt.Errorf("find it: %w", Missing("no such course")), http.StatusNotFound, "no such course"},
		{errors.New("disk: /secret is full"), http.StatusInternalServerError, "The sandbox failed"},
	} {
		w := httptest.NewRecorder()
		Error(w, slog.New(slog.DiscardHandler), tt.err)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "/secret") {
			t.Errorf("%v: got %d %s; want %d and %q", tt.err, w.Code, w.Body, tt.status, tt.says)
		}
	}
}
