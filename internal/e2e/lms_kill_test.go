package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// sent is what the LMS has to say, byte for byte.
type sent struct {
	Feed, URL, Body string
	Headers         map[string]string
}

// post delivers it in the LMS's place and returns the status.
func (s sent) post(t *testing.T) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(s.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	resp, err := patient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // the status says it all
	return resp.StatusCode
}

// TestKilledOnTheAnswer kills the daemon at the moment at which it answered 200,
// and has the LMS, which may not have read that, say the same again: by a
// sender with ids and by senders who are known by the contents alone. What was
// asked for is done, and once.
func TestKilledOnTheAnswer(t *testing.T) {
	c := newCampus(t)
	events := []struct{ feed, event, person string }{
		{"standard", "start", "s1"}, {"bearer", "start", "s2"}, {"canvas", "enrolled", "s3"}, {"moodle-trigger", "enrolled", "s4"},
	}
	// What the LMS would send is learnt while nobody takes it.
	if err := c.kill9(); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		c.changes(t, e.person, "student", true)
		body := map[string]any{"course": c.course, "feed": e.feed, "event": e.event, "person": e.person}
		if err := c.lms(t.Context(), http.MethodPost, "events", body, nil); err != nil {
			t.Fatal(err)
		}
	}
	var all []sent
	if err := c.lms(t.Context(), http.MethodGet, "deliveries?course="+c.course, nil, &all); err != nil || len(all) != len(events) {
		t.Fatalf("got %d deliveries, %v; want %d", len(all), err, len(events))
	}
	if err := c.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if status := s.post(t); status != http.StatusOK {
			t.Fatalf("%s: got %d", s.Feed, status)
		}
		if err := c.kill9(); err != nil {
			t.Fatal(err)
		}
		if err := c.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if status := s.post(t); status != http.StatusOK {
				t.Errorf("%s, said again: got %d", s.Feed, status)
			}
		}
	}
	c.roster(t, func(members []string) bool { return len(members) == 2 }) // of Canvas and Moodle: a start enrolls nobody
	var made struct{ Items []struct{ ID, Owner string } }
	err := until(t.Context(), "wait for the environments", func() (bool, error) {
		err := c.ask(t.Context(), http.MethodGet, "environments?course="+c.course, nil, &made)
		return len(made.Items) >= 2, err
	})
	if err != nil {
		t.Fatal(err)
	}
	owners := map[string]int{}
	for _, e := range made.Items {
		owners[e.Owner]++
		if e, err := c.await(t.Context(), e.ID, "ready"); err != nil {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if len(made.Items) != 2 || len(owners) != 2 {
		t.Errorf("got %+v; want one for s1 and one for s2", made.Items)
	}
}
