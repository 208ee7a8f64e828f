package lms

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proves says whether a hook is the platform's, by what each source has for
// that, and what it calls the event.
func (s *stage) proves(feed string, h hook) (event string, ok bool) {
	s.t.Helper()
	body := h.body
	switch feed {
	case Canvas:
		var keys jose.JSONWebKeySet
		s.do(http.MethodGet, "/canvas/jwks", nil, http.StatusOK, &keys)
		signed, err := jose.ParseSigned(body, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			return "", false
		}
		raw, err := signed.Verify(keys)
		if err != nil {
			return "", false
		}
		body = string(raw)
	case Standard:
		if checkHook(s.mine.Secrets.Standard, h.header, body, time.Now()) != "" {
			return "", false
		}
	case Bearer, MoodleTrigger:
		want := map[string]string{Bearer: s.mine.Secrets.Bearer, MoodleTrigger: s.mine.Secrets.Moodle}[feed]
		if h.header.Get("Authorization") != "Bearer "+want {
			return "", false
		}
	case MoodleHooks:
		form, err := url.ParseQuery(body)
		return form.Get("eventname"), err == nil && form.Get("token") == s.mine.Secrets.Moodle
	}
	var said struct {
		Type, Event string
		Metadata    struct {
			Name string `json:"event_name"`
		}
	}
	if err := json.Unmarshal([]byte(body), &said); err != nil {
		return "", false
	}
	return said.Type + said.Event + said.Metadata.Name, true
}

// A person joins, gets another role and leaves; each source says so in its
// words, with proof.
func TestRosterChangesAreTold(t *testing.T) {
	s := newStage(t, "")
	for i, feed := range []string{Canvas, MoodleTrigger, MoodleHooks, Standard, Bearer} {
		t.Run(feed, func(t *testing.T) {
			s.t = t
			s.do(http.MethodPost, "/courses", courseChange{ID: "dask-101", Feed: &feed}, http.StatusOK, nil)
			for _, c := range []struct{ role, event string }{{Student, Enrolled}, {Assistant, RoleChanged}, {"", Dropped}} {
				s.do(http.MethodPost, "/courses/dask-101/members", memberChange{Person: "s4", Role: c.role}, http.StatusOK, nil)
				h := s.told()
				if got, ok := s.proves(feed, h); !ok || got != eventNames[feed][c.event] || h.path != "/hooks/lms/"+sourceNames[feed] {
					t.Errorf("%s: got %q, %v at %s; want %q", c.event, got, ok, h.path, eventNames[feed][c.event])
				}
			}
			s.do(http.MethodPost, "/courses/dask-101/members", memberChange{Person: "s4", Role: ""}, http.StatusOK, nil)
			if d := s.settled(); d.State != delivered || d.ID != 3*i+3 {
				t.Errorf("got %+v; want three more deliveries, all taken", d)
			}
		})
	}
}

// Canvas says that a course is over with course_updated; course_completed is
// one student's, and says nowhere in which state the course is.
func TestCanvasTellsTheEndOfACourse(t *testing.T) {
	n := notice{Event: CourseEnded, Course: Course{Number: "1001", Title: "Dask"}, At: time.Now()}
	for event, want := range map[string]struct{ name, state string }{CourseEnded: {"course_updated", "completed"}, Unrelated: {"course_completed", ""}} {
		n.Event = event
		said, err := n.payload(Canvas, Secrets{})
		if err != nil {
			t.Fatal(err)
		}
		raw, _, _ := encode(said)
		var got struct {
			Metadata struct {
				Name string `json:"event_name"`
			}
			Body struct {
				State    string `json:"workflow_state"`
				Progress any
			}
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if got.Metadata.Name != want.name || got.Body.State != want.state || (got.Body.Progress != nil) != (event == Unrelated) {
			t.Errorf("%s: got %s; want %+v", event, raw, want)
		}
	}
}

// What is tampered with proves nothing.
func TestTampering(t *testing.T) {
	s := newStage(t, "")
	fine := map[string]bool{"two-signatures": true, "huge": true}
	for feed, all := range tamperings {
		for _, how := range all {
			s.do(http.MethodPost, "/events", scripted{Feed: feed, Event: Enrolled, Person: "s4", Tamper: how}, http.StatusOK, nil)
			if _, ok := s.proves(feed, s.told()); ok != fine[how] {
				t.Errorf("%s, %s: proves itself: %v", feed, how, ok)
			}
		}
	}
	s.do(http.MethodPost, "/events", scripted{Feed: Bearer, Event: Enrolled, Person: "s4", Tamper: "stale"}, http.StatusBadRequest, nil)
	s.do(http.MethodPost, "/events", scripted{Feed: Canvas, Event: Start, Person: "s4"}, http.StatusBadRequest, nil)
	s.do(http.MethodPost, "/events", scripted{Event: Enrolled}, http.StatusBadRequest, nil)
}

func TestRepetitions(t *testing.T) {
	s := newStage(t, "")
	if len(ways[MoodleHooks].retries) > 0 {
		t.Error("local_webhooks repeats nothing")
	}
	type c struct {
		feed    string
		answers []int
		state   string
		tries   int
	}
	for name, c := range map[string]c{
		"standard, in the end":  {Standard, []int{500, 503}, delivered, 3},
		"standard, gone":        {Standard, []int{410}, gaveUp, 1},
		"moodle wants 200":      {MoodleTrigger, []int{202, 201}, delivered, 3},
		"moodle, hooks: once":   {MoodleHooks, []int{500}, gaveUp, 1},
		"canvas, 202 is enough": {Canvas, []int{202}, delivered, 1},
		"canvas gives up":       {Canvas, []int{500, 500, 500, 500}, gaveUp, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			retries := []string{"1ms", "1ms"}
			if c.feed == MoodleHooks {
				retries = []string{}
			}
			s.do(http.MethodPost, "/tools", toolChange{ClientID: s.mine.ClientID, Retries: retries, On: true}, http.StatusOK, nil)
			s.tool.says(c.answers...)
			s.do(http.MethodPost, "/events", scripted{Feed: c.feed, Event: Enrolled, Person: "s4"}, http.StatusOK, nil)
			d := s.settled()
			if d.State != c.state || len(d.Attempts) != c.tries {
				t.Errorf("got %s after %d; want %s after %d", d.State, len(d.Attempts), c.state, c.tries)
			}
			first := s.told()
			for range c.tries - 1 {
				if again := s.told(); again.header.Get("webhook-id") != first.header.Get("webhook-id") {
					t.Errorf("a repetition has another id")
				}
			}
		})
	}
}

// After failures within a day Canvas's subscription is off, until somebody
// switches it on.
func TestCanvasDeactivates(t *testing.T) {
	s := newStage(t, "")
	s.do(http.MethodPost, "/tools", toolChange{ClientID: s.mine.ClientID, Retries: []string{}}, http.StatusOK, nil)
	for i := range maxFailures {
		s.tool.says(http.StatusInternalServerError)
		s.do(http.MethodPost, "/events", scripted{Feed: Canvas, Event: Enrolled, Person: "s4"}, http.StatusOK, nil)
		if d := s.settled(); d.State != gaveUp {
			t.Fatalf("%d: got %+v", i, d)
		}
		s.told()
	}
	s.do(http.MethodPost, "/events", scripted{Feed: Canvas, Event: Enrolled, Person: "s4"}, http.StatusOK, nil)
	if d := s.settled(); d.State != turnedOff {
		t.Errorf("got %s; want off", d.State)
	}
	s.do(http.MethodPost, "/tools", toolChange{ClientID: s.mine.ClientID, On: true}, http.StatusOK, nil)
	s.do(http.MethodPost, "/events", scripted{Feed: Canvas, Event: Enrolled, Person: "s4", Count: 3}, http.StatusOK, nil)
	first, second := s.told(), s.told()
	if s.told(); first.body == "" || second.path != first.path {
		t.Errorf("copies differ")
	}
}

// A captured request is sent again byte for byte.
func TestReplay(t *testing.T) {
	s := newStage(t, "")
	s.do(http.MethodPost, "/courses/dask-101/members", memberChange{Name: "New Person", Email: "new@example.edu", Role: Student}, http.StatusOK, nil)
	first := s.told()
	s.do(http.MethodPost, "/deliveries/1/replay", nil, http.StatusOK, nil)
	again := s.told()
	if again.body != first.body || again.header.Get("webhook-signature") != first.header.Get("webhook-signature") || first.body == "" {
		t.Errorf("got %+v; want %+v", again, first)
	}
	s.do(http.MethodPost, "/deliveries/99/replay", nil, http.StatusNotFound, nil)
}

func TestReceived(t *testing.T) {
	s := newStage(t, "")
	hook := func(secret, body string, age time.Duration, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.mine.Inbox, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		at := strconv.FormatInt(time.Now().Add(-age).Unix(), 10)
		signed, err := signature(secret, "msg_1", at, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("webhook-id", "msg_1")
		req.Header.Set("webhook-timestamp", at)
		req.Header.Set("webhook-signature", "v1,bm8= "+signed)
		s.send(req, want, nil)
	}
	hook(s.mine.Secrets.Outgoing, `{"type":"environment.ready"}`, 0, http.StatusOK)
	hook(hookSecret(), `{}`, 0, http.StatusUnauthorized)
	hook(s.mine.Secrets.Outgoing, `{}`, time.Hour, http.StatusUnauthorized)
	s.do(http.MethodPut, "/received/"+s.mine.ClientID, box{Answers: []int{500}}, http.StatusOK, nil)
	hook(s.mine.Secrets.Outgoing, `{}`, 0, http.StatusInternalServerError)
	hook(s.mine.Secrets.Outgoing, `{}`, 0, http.StatusOK)
	var all []received
	s.do(http.MethodGet, "/received?box="+s.mine.ClientID, nil, http.StatusOK, &all)
	if len(all) != 5 || !all[0].Valid || all[0].Again || all[1].Valid || all[2].Valid || !all[3].Valid || !all[3].Again {
		t.Errorf("got %+v", all)
	}
}
