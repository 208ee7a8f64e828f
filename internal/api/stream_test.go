package api

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

const eventsOfOne = Base + "/environments/kq7wm2xd/events"

func streamRequest(ctx context.Context, last string) *http.Request {
	r := httptest.NewRequest("GET", eventsOfOne, nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer alice")
	r.Header.Set("Accept", "text/event-stream")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return r
}

func TestStreamFollowsToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.double.told = make(chan struct{}, 10) // of this bubble
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { b.Handler().ServeHTTP(w, streamRequest(t.Context(), "1")); close(done) }()
		time.Sleep(heartbeat + time.Second) // virtual: one heartbeat
		b.double.say("kq7wm2xd", environment.Event{Seq: 4, At: when, Environment: "kq7wm2xd", Type: environment.EventDeleted, State: environment.StateDeleted, Message: "Deleted."})
		<-done
		body := w.Body.String()
		var kinds []string
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "data:") {
				kinds = append(kinds, line)
			}
		}
		want := []string{"retry: 2000", "id: 2", "event: ready", ": heartbeat", "id: 4", "event: deleted"}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("stream (-want +got):\n%s\n%s", diff, body)
		}
		if strings.Contains(body, "for staff") {
			t.Errorf("a student reads what is for staff: %s", body)
		}
	})
}

func TestStreamEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.double.told = make(chan struct{}, 10) // of this bubble
		closing, done := make(chan struct{}), make(chan struct{})
		b.closing = closing
		go func() {
			b.Handler().ServeHTTP(httptest.NewRecorder(), streamRequest(t.Context(), "1"))
			close(done)
		}()
		synctest.Wait()
		close(closing)
		<-done
	})
}

func TestStreamThatIsOverSaysSo(t *testing.T) {
	b := newBench(t)
	answer := b.ask(t, "GET", Base+"/environments/zz9failx/events", "", "Accept", "text/event-stream", "Last-Event-ID", "3")
	if answer.StatusCode != http.StatusNoContent {
		t.Errorf("got %d; want 204", answer.StatusCode)
	}
	again := b.ask(t, "GET", Base+"/environments/zz9failx/events", "", "Accept", "text/event-stream", "Last-Event-ID", "2")
	body, _ := io.ReadAll(again.Body)
	if again.StatusCode != http.StatusOK || !strings.Contains(string(body), "id: 3\nevent: failed\ndata: {") {
		t.Errorf("got %d %s", again.StatusCode, body)
	}
}

func TestStreamOfAnotherIsAProblem(t *testing.T) {
	b := newBench(t)
	answer := b.ask(t, "GET", Base+"/environments/nothere1/events", "", "Accept", "text/event-stream")
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("got %d; want 404", answer.StatusCode)
	}
}

// TestStreamOutlivesTheServersDeadline needs a real server: recorders have no
// deadlines.
func TestStreamOutlivesTheServersDeadline(t *testing.T) {
	b := newBench(t)
	srv := httptest.NewUnstartedServer(b.Handler())
	srv.Config.WriteTimeout = 50 * time.Millisecond
	srv.Start()
	defer srv.Close()
	r := streamRequest(t.Context(), "")
	out, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+r.URL.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	out.Header = r.Header
	resp, err := srv.Client().Do(out)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "id: 2") {
	}
	<-time.After(100 * time.Millisecond) // past the server's own deadline
	b.double.say("kq7wm2xd", environment.Event{Seq: 4, At: when, Environment: "kq7wm2xd", Type: environment.EventDeleted, State: environment.StateDeleted})
	found := false
	for lines.Scan() {
		found = found || lines.Text() == "id: 4"
	}
	if !found || lines.Err() != nil {
		t.Errorf("the stream was cut: found %v, %v", found, lines.Err())
	}
}
