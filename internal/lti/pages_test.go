package lti

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// sessionOf takes the session out of a page, as its script does.
func sessionOf(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	found := regexp.MustCompile(`data-session="([^"]+)"`).FindStringSubmatch(rec.Body.String())
	if found == nil {
		t.Fatalf("got %d %s; want a page with a session", rec.Code, rec.Body)
	}
	return found[1]
}

// ready makes what somebody was given ready, as the runner would.
func (w *world) ready(t *testing.T, owner string) environment.Environment {
	t.Helper()
	for _, e := range w.environments() {
		if e.Owner == owner {
			e.State, e.Phase, e.URL, e.Message, e.ReadyAt, e.ExpiresAt = environment.StateReady, environment.PhaseReady, "http://203.0.113.7", "Ready.", w.now, w.now.Add(4*time.Hour)
			if err := w.store.Commit(t.Context(), environment.Change{Environment: &e}); err != nil {
				t.Fatal(err)
			}
			return e
		}
	}
	t.Fatalf("%s has nothing", owner)
	return environment.Environment{}
}

func (w *world) act(session string, more url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
	form := url.Values{"session": {session}}
	for name, values := range more {
		form[name] = values
	}
	return w.send(w.tool, http.MethodPost, actPath, form)
}

func TestProgressThenTheWayIn(t *testing.T) {
	w := newWorld(t)
	first := w.launch("alice", "Learner")
	for _, part := range []string{`role="status" aria-live="polite"`, `<progress`, `<noscript><meta http-equiv="refresh"`, `lang="en"`, `data-every="2"`} {
		if !strings.Contains(first.Body.String(), part) {
			t.Errorf("the first page has no %s: %s", part, first.Body)
		}
	}
	e := w.ready(t, "canvas:alice")
	secret := e.Secrets[environment.SecretPassword].Reveal()
	session := sessionOf(t, first)
	header := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pagePath, strings.NewReader(""))
	header.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	header.Header.Set("Authorization", "Bearer "+session)
	byHeader := httptest.NewRecorder()
	w.tool.Handler().ServeHTTP(byHeader, header)
	sid := regexp.MustCompile(`url=(/lti/page/[a-z0-9]+)`).FindStringSubmatch(first.Body.String())[1]
	for name, rec := range map[string]*httptest.ResponseRecorder{
		"by header": byHeader,
		"by form":   w.send(w.tool, http.MethodPost, pagePath, url.Values{"session": {session}}),
		"by cookie": w.send(w.tool, http.MethodGet, sid, nil, first.Result().Cookies()...),
	} {
		page := rec.Body.String()
		if rec.Code != http.StatusOK || !strings.Contains(page, `href="http://203.0.113.7" target="_blank"`) || !strings.Contains(page, secret) {
			t.Errorf("%s: got %d %s; want the way in", name, rec.Code, page)
		}
		if strings.Contains(page, "http-equiv") {
			t.Errorf("%s: a page that is done refreshes", name)
		}
	}
	if rec := w.send(w.tool, http.MethodGet, sid, nil); rec.Code != http.StatusUnauthorized {
		t.Errorf("without a cookie: got %d; want 401", rec.Code)
	}
	if prof := w.launch("prof", "Instructor").Body.String(); strings.Contains(prof, secret) || !strings.Contains(prof, "canvas:alice") {
		t.Errorf("the teacher's page tells alice's password, or nothing of her: %s", prof)
	}
	w.now = w.now.Add(sessionFor)
	if rec := w.send(w.tool, http.MethodPost, pagePath, url.Values{"session": {session}}); rec.Code != http.StatusUnauthorized {
		t.Errorf("past its end: got %d; want 401", rec.Code)
	}
}

func TestButtons(t *testing.T) {
	w := newWorld(t)
	alice := w.launch("alice", "Learner")
	w.launch("bob", "Learner")
	prof := sessionOf(t, w.launch("prof", "Instructor"))
	a, b := w.ready(t, "canvas:alice"), w.ready(t, "canvas:bob")
	student := sessionOf(t, alice)
	state := func(id string) environment.State {
		e, err := w.store.Environment(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return e.State
	}
	for name, tt := range map[string]struct {
		session string
		form    url.Values
	}{
		"somebody else's":       {student, url.Values{"do": {"down"}, "environment": {b.ID}, "sure": {"yes"}}},
		"not sure":              {student, url.Values{"do": {"down"}, "environment": {a.ID}}},
		"the class's":           {student, url.Values{"do": {"class-down"}, "sure": {"yes"}}},
		"the class's, not sure": {prof, url.Values{"do": {"class-down"}}},
		"none":                  {prof, url.Values{"do": {"drop"}}},
	} {
		rec := w.act(tt.session, tt.form)
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "Not done:") || state(a.ID) != environment.StateReady || state(b.ID) != environment.StateReady {
			t.Errorf("%s: got %d %s; want a refusal on the page", name, rec.Code, rec.Body)
		}
	}
	// Another site can send the cookie, but not the session.
	forged := w.send(w.tool, http.MethodPost, actPath, url.Values{"do": {"down"}, "environment": {a.ID}, "sure": {"yes"}}, alice.Result().Cookies()...)
	if forged.Code != http.StatusUnauthorized || state(a.ID) != environment.StateReady {
		t.Errorf("forged: got %d, %s; want 401 and nothing done", forged.Code, state(a.ID))
	}
	if rec := w.act(student, url.Values{"do": {"down"}, "environment": {a.ID}, "sure": {"yes"}}); state(a.ID) != environment.StateDeleting {
		t.Errorf("her own: got %s after %d %s; want deleting", state(a.ID), rec.Code, rec.Body)
	}
	if rec := w.act(prof, url.Values{"do": {"class-down"}, "sure": {"yes"}}); state(b.ID) != environment.StateDeleting || !strings.Contains(rec.Body.String(), "1 ended") {
		t.Errorf("the class: got %s after %s; want deleting", state(b.ID), rec.Body)
	}
	if rec := w.act(prof, url.Values{"do": {"up"}, "view": {"own"}}); !strings.Contains(rec.Body.String(), "Back to the class") {
		t.Errorf("the teacher's own: got %s", rec.Body)
	}
	if rec := w.act(prof, url.Values{"do": {"class-up"}}); !strings.Contains(rec.Body.String(), "Done: 2 started, 1 existing.") {
		t.Errorf("start for everybody: got %s", rec.Body)
	}
}

// TestWhatEndedHidesNothing: somebody who made a second one from elsewhere, which
// ended, has the first: the page shows it, and a launch makes no third.
func TestWhatEndedHidesNothing(t *testing.T) {
	for _, state := range []environment.State{environment.StateDeleted, environment.StateFailed} {
		w := newWorld(t)
		w.launch("alice", "Learner")
		first := w.ready(t, "canvas:alice")
		w.now = w.now.Add(time.Hour)
		second := environment.Environment{ID: "second", Owner: first.Owner, Course: first.Course, Profile: "dask", Recipe: first.Recipe, State: state, Desired: environment.Absent,
			CreatedAt: w.now, PhaseSince: w.now}
		if err := w.store.Commit(t.Context(), environment.Change{Environment: &second}); err != nil {
			t.Fatal(err)
		}
		first.Profile, first.Version = "daskhub-shared", first.Version+1 // what a launch would ask for is another one
		if err := w.store.Commit(t.Context(), environment.Change{Environment: &first}); err != nil {
			t.Fatal(err)
		}
		if rec := w.launch("alice", "Learner"); !strings.Contains(rec.Body.String(), `href="http://203.0.113.7" target="_blank"`) || len(w.environments()) != 2 {
			t.Errorf("%s: got %s with %d environments; want the first, and no third", state, rec.Body, len(w.environments()))
		}
	}
}

// Nobody goes on teaching on a page that is open already.
func TestWhoTeachesNoLongerLosesTheClassAtOnce(t *testing.T) {
	for name, drop := range map[string]func(*world) error{
		"a student now": func(w *world) error {
			_, err := w.service.Enroll(t.Context(), admin, "de-2026", environment.Member{Subject: "canvas:prof", Role: environment.MemberStudent})
			return err
		},
		"off the roster": func(w *world) error {
			_, err := w.service.Unenroll(t.Context(), admin, "de-2026", "canvas:prof", "")
			return err
		},
		"the course is gone": func(w *world) error { return w.service.DeleteCourse(t.Context(), admin, "de-2026", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.launch("alice", "Learner")
			prof := sessionOf(t, w.launch("prof", "Instructor"))
			look := func() string {
				return w.send(w.tool, http.MethodPost, pagePath, url.Values{"session": {prof}}).Body.String()
			}
			if page := look(); !strings.Contains(page, "canvas:alice") {
				t.Fatalf("before: got %s; want the class", page)
			}
			if err := drop(w); err != nil {
				t.Fatal(err)
			}
			if page := look(); strings.Contains(page, "canvas:alice") || strings.Contains(page, "Back to the class") || !strings.Contains(page, "Your Dask environment") {
				t.Errorf("after: got %s; want their own page", page)
			}
			for _, do := range []string{"class-up", "class-down"} {
				if page := w.act(prof, url.Values{"do": {do}, "sure": {"yes"}}).Body.String(); !strings.Contains(page, "Not done:") || strings.Contains(page, "canvas:alice") {
					t.Errorf("%s: got %s; want a refusal", do, page)
				}
			}
			for _, e := range w.environments() {
				if e.Desired != environment.Present || e.Owner != "canvas:alice" {
					t.Errorf("%s of %s is %s; want what alice had, and no more", e.ID, e.Owner, e.State)
				}
			}
		})
	}
}

func TestASessionOfAnotherKindOpensNothing(t *testing.T) {
	w := newWorld(t)
	sealed, err := w.tool.seal(t.Context(), forLogin, session{Subject: "canvas:alice", Role: environment.RoleStaff, Course: "de-2026", Until: w.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{sealed, w.login().state, "", "e30.e30"} {
		if rec := w.act(s, url.Values{"do": {"class-up"}}); rec.Code != http.StatusUnauthorized {
			t.Errorf("%q: got %d; want 401", clip(s), rec.Code)
		}
	}
}

func TestNamesAreShownAsText(t *testing.T) {
	w := newWorld(t)
	rec := w.launch("alice", "Learner", with(map[string]any{"name": "Zoë \u202egnp.exe\u0000 <script>alert(1)</script>", "email": "$Person.email.primary"}))
	if rec.Code != http.StatusOK {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	m, _ := w.course().Member("canvas:alice")
	if want := "Zoë gnp.exe <script>alert(1)</script>"; m.Name != want || m.Email != "" {
		t.Errorf("got %q, %q; want %q and no address", m.Name, m.Email, want)
	}
	if page := w.launch("prof", "Instructor").Body.String(); strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Errorf("the class page holds the name as it is: %s", page)
	}
}

func TestALimitIsToldOnThePage(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"a", "b", "c"} {
		w.apply(environment.Course{ID: "c-" + id, Members: []environment.Member{{Subject: "canvas:alice"}}})
		if _, _, err := w.service.Up(t.Context(), admin, environment.Request{Owner: "canvas:alice", Course: "c-" + id}); err != nil {
			t.Fatal(err)
		}
	}
	rec := w.launch("alice", "Learner")
	if page := rec.Body.String(); rec.Code != http.StatusOK || !strings.Contains(page, "No more can be made") || !strings.Contains(page, `value="up">Start one`) {
		t.Errorf("got %d %s; want the limit, and a way to try again", rec.Code, page)
	}
}

// TestStaffSeeWhatIsToBeMended: an address that notifications are not sent to
// any more is told on the class page, and nowhere to students.
func TestStaffSeeWhatIsToBeMended(t *testing.T) {
	w := newWorld(t)
	const address = "https://hooks.example.edu/daskbot"
	w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas", Context: "ctx-1"}}, Notifications: []environment.Subscription{{URL: address}, {URL: address + "2"}}})
	state, err := w.service.SubscriptionState(t.Context(), "de-2026", address)
	if err != nil {
		t.Fatal(err)
	}
	state.DisabledAt, state.Reason = w.now, "It answers 500."
	if err := w.service.KeepSubscriptionState(t.Context(), state, ""); err != nil {
		t.Fatal(err)
	}
	const says = "Notifications to " + address + " are not sent any more: It answers 500."
	if page := w.launch("prof", "Instructor").Body.String(); !strings.Contains(page, says) || strings.Contains(page, address+"2") {
		t.Errorf("the class page does not say it: %s", page)
	}
	if page := w.launch("alice", "Learner").Body.String(); strings.Contains(page, address) {
		t.Errorf("a student is told: %s", page)
	}
	if _, err := w.service.ResumeNotifications(t.Context(), admin, "de-2026"); err != nil {
		t.Fatal(err)
	}
	if page := w.launch("prof", "Instructor").Body.String(); strings.Contains(page, address) {
		t.Errorf("resumed, it still says so: %s", page)
	}
}
