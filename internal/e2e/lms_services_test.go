package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// inbox is a hook of daskbot's as the LMS lists it.
type inbox struct {
	Valid, Again bool
	Problem      string
	Body         string
}

// TestNotificationsOfACourse has the LMS told of a launch's environment: signed,
// and again when it does not take it at first.
func TestNotificationsOfACourse(t *testing.T) {
	c := newCampus(t)
	c.changes(t, "s1", "student", true)
	// Two: the environment may be ready before its first notification, which is
	// then told no more, is sent again; the second is what is true then.
	refusals := []int{http.StatusInternalServerError, http.StatusInternalServerError}
	var box struct{ URL string }
	if err := c.lms(t.Context(), http.MethodPut, "received/"+c.course, map[string]any{"answers": refusals}, &box); err != nil {
		t.Fatal(err)
	}
	document := c.document()
	document["notifications"] = []map[string]any{{"url": box.URL}}
	if err := c.ask(t.Context(), http.MethodPut, "courses/"+c.course, document, nil); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Items []struct{ URL, Secret string }
	}
	if err := c.ask(t.Context(), http.MethodGet, "courses/"+c.course+"/notifications", nil, &sent); err != nil || len(sent.Items) != 1 {
		t.Fatalf("got %+v, %v; want one address", sent, err)
	}
	if err := c.lms(t.Context(), http.MethodPut, "received/"+c.course, map[string]any{"secret": sent.Items[0].Secret, "answers": refusals}, nil); err != nil {
		t.Fatal(err)
	}
	if status, body := c.launches(t, "s1", ""); status != http.StatusOK {
		t.Fatalf("a launch: got %d: %s", status, body)
	}
	id := c.owned(t)["s1"]
	var got []inbox
	err := until(t.Context(), "wait for the notifications, and for the refused one again", func() (bool, error) {
		err := c.lms(t.Context(), http.MethodGet, "received?box="+c.course, nil, &got)
		ready := slices.ContainsFunc(got, func(h inbox) bool {
			return strings.Contains(h.Body, `"environment.ready"`) && strings.Contains(h.Body, id)
		})
		return ready && slices.ContainsFunc(got, func(h inbox) bool { return h.Again }), err
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	for _, h := range got {
		if !h.Valid {
			t.Errorf("a notification is not signed as agreed: %s: %s", h.Problem, h.Body)
		}
		if strings.Contains(h.Body, "password") || strings.Contains(h.Body, "token") {
			t.Errorf("a notification tells a secret: %s", h.Body)
		}
	}
}

// TestRegistersItself is an administrator of the LMS who adds daskbot by its
// address, and a launch of what that made.
func TestRegistersItself(t *testing.T) {
	c := newCampus(t)
	var invited struct{ URL string }
	home, err := url.Parse(c.issuer)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]any{"name": "itself", "platform": home.Scheme + "://" + home.Host}
	if err := c.ask(t.Context(), http.MethodPost, "lti/invitations", asked, &invited); err != nil {
		t.Fatal(err)
	}
	var opens struct{ Open string }
	if err := c.lms(t.Context(), http.MethodPost, "tools/invite", map[string]any{"url": invited.URL}, &opens); err != nil {
		t.Fatal(err)
	}
	visit := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, opens.Open, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := patient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // the status says it all
		return resp.StatusCode
	}
	if status := visit(); status != http.StatusOK {
		t.Fatalf("registering: got %d", status)
	}
	if status := visit(); status < 400 {
		t.Errorf("the same address a second time: got %d", status)
	}
	var tools []struct{ ClientID, URL string }
	if err := c.lms(t.Context(), http.MethodGet, "tools", nil, &tools); err != nil {
		t.Fatal(err)
	}
	made := tools[len(tools)-1]
	if made.ClientID == c.client || made.URL != c.address {
		t.Fatalf("the newest tool is %+v; want a second one at %s", made, c.address)
	}
	if err := c.lms(t.Context(), http.MethodPost, "courses", map[string]any{"id": c.course, "tool": made.ClientID}, nil); err != nil {
		t.Fatal(err)
	}
	c.changes(t, "s2", "student", true)
	document := c.document()
	document["lms"] = []map[string]string{{"source": "itself", "context": c.course}}
	if err := c.ask(t.Context(), http.MethodPut, "courses/"+c.course, document, nil); err != nil {
		t.Fatal(err)
	}
	if status, body := c.launches(t, "s2", ""); status != http.StatusOK {
		t.Errorf("a launch: got %d: %s", status, body)
	}
}

// TestRosterIsRead is a platform that sends no hooks: who is enrolled or dropped
// there is here with the next reading of the roster.
func TestRosterIsRead(t *testing.T) {
	c := newCampus(t)
	for _, student := range []string{"s1", "s2"} {
		c.changes(t, student, "student", true)
	}
	if status, body := c.launches(t, "s2", ""); status != http.StatusOK {
		t.Fatalf("a launch: got %d: %s", status, body)
	}
	is := func(want ...string) func([]string) bool {
		return func(members []string) bool { return slices.Equal(members, want) }
	}
	// Alone, unless the minute was over just now and the roster is read already.
	c.roster(t, func(members []string) bool { return slices.Contains(members, "s2") })
	c.changes(t, "s2", "", true)
	c.changes(t, "s3", "student", true)
	c.roster(t, is("s1", "s3", "teacher"))
	if id := c.owned(t)["s2"]; id != "" {
		if e, err := c.await(t.Context(), id, "deleted"); err != nil {
			t.Errorf("dropped: %+v, %v", e, err)
		}
	}
}
