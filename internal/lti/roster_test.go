package lti

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func person(id, name, role string) membership {
	return membership{Status: "Active", UserID: id, Name: name, Email: id + "@example.edu", Roles: []string{courseRoles + "#" + role}}
}

func (w *world) subjects() []string {
	w.t.Helper()
	s := w.course().Subjects()
	slices.Sort(s)
	return s
}

func TestRostersAgree(t *testing.T) {
	w := newWorld(t)
	w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas", Context: "ctx-1"}}, Members: []environment.Member{{Subject: "guest@example.edu"}}})
	w.launch("prof", "Instructor")
	w.launch("alice", "Learner")
	gone := person("alice", "Alice", "Learner")
	gone.Status = "Inactive"
	w.school.pages = [][]membership{
		{person("prof", "Prof", "Instructor"), person("bob", "$Person.name.full", "Learner")},
		{person("carol", "Carol", "Learner"), gone, {UserID: "m", Roles: []string{courseRoles + "#Mentor"}}, {Roles: []string{"Learner"}}},
	}
	for range 2 { // the second time there is nothing to do
		if err := w.tool.SyncRosters(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"canvas:bob", "canvas:carol", "canvas:prof", "guest@example.edu"}
		if diff := cmp.Diff(want, w.subjects()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if m, _ := w.course().Member("canvas:bob"); m.Name != "" || m.Role != environment.MemberStudent {
		t.Errorf("bob is %+v; want a student without a name", m)
	}
	if all := w.environments(); len(all) != 1 {
		t.Errorf("got %d environments; want alice's alone: rosters start nothing", len(all))
	}
}

// TestRostersThatAreNotBelieved: nobody joins or leaves by half a roster.
func TestRostersThatAreNotBelieved(t *testing.T) {
	full := func(n int) []membership {
		var page []membership
		for i := range n {
			page = append(page, person(fmt.Sprintf("s%d", i), "", "Learner"))
		}
		return page
	}
	for name, edit := range map[string]func(*school){
		"the platform is away": func(s *school) { s.down = true },
		"empty":                func(s *school) { s.pages = [][]membership{{}} },
		"most are missing":     func(s *school) { s.pages = [][]membership{full(3)} },
		"it goes on elsewhere": func(s *school) {
			s.pages, s.next = [][]membership{full(1), {}}, func(int) string { return "https://elsewhere.example.edu/roster" }
		},
		"it goes on for ever": func(s *school) {
			s.pages, s.next = [][]membership{full(1), {}}, func(int) string { return s.url + "/roster?page=0" }
		},
		"a page breaks off": func(s *school) {
			s.pages, s.next = [][]membership{full(1), {}}, func(int) string { return s.url + "/none" }
		},
		"more than there can be": func(s *school) { s.pages = [][]membership{full(largestRoster + 1)} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.launch("prof", "Instructor")
			w.school.pages = [][]membership{append(full(15), person("prof", "Prof", "Instructor"))}
			if err := w.tool.SyncRosters(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := w.subjects()
			edit(w.school)
			if err := w.tool.SyncRosters(t.Context()); err == nil {
				t.Error("got no error")
			}
			if diff := cmp.Diff(before, w.subjects()); diff != "" || len(before) != 16 {
				t.Errorf("the roster changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestSectionsAreOneCourse: a course here is two courses there, each with a
// roster of its own. Nobody is dropped for being in the other one, nor when one
// of them cannot be read.
func TestSectionsAreOneCourse(t *testing.T) {
	w := newWorld(t)
	w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas", Context: "ctx-1"}, {Source: "canvas", Context: "ctx-2"}}})
	second := with(map[string]any{claimOf + "context": map[string]string{"id": "ctx-2"},
		"https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": map[string]any{"context_memberships_url": w.school.url + "/roster2"}})
	third := with(map[string]any{claimOf + "context": map[string]string{"id": "ctx-2"}, "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": nil})
	w.launch("alice", "Learner")
	w.launch("bob", "Learner", second)
	w.launch("bob", "Learner", third) // from a link that does not say where the roster is: known all the same
	w.launch("alice", "Learner")
	w.school.pages = [][]membership{{person("alice", "Alice", "Learner"), person("carol", "Carol", "Learner")}}
	w.school.second = []membership{person("bob", "Bob", "Learner"), person("carol", "Carol", "Learner")}
	for _, step := range []struct {
		what   string
		edit   func()
		fails  bool
		people []string
	}{
		{"both are read", func() {}, false, []string{"canvas:alice", "canvas:bob", "canvas:carol"}},
		{"carol leaves one", func() { w.school.pages[0] = w.school.pages[0][:1] }, false, []string{"canvas:alice", "canvas:bob", "canvas:carol"}},
		{"the second is away", func() { w.school.away, w.school.second = true, nil }, true, []string{"canvas:alice", "canvas:bob", "canvas:carol"}},
		{"carol left both", func() { w.school.away, w.school.second = false, []membership{person("bob", "Bob", "Learner")} }, false, []string{"canvas:alice", "canvas:bob"}},
		{"the second is another course now", func() {
			w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas", Context: "ctx-1"}}, Members: w.course().Members})
		}, false, []string{"canvas:alice"}},
	} {
		step.edit()
		if err := w.tool.SyncRosters(t.Context()); (err != nil) != step.fails {
			t.Errorf("%s: got %v", step.what, err)
		}
		if diff := cmp.Diff(step.people, w.subjects()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
}

// TestASectionWithoutARoster: who is only in a course whose roster the platform
// does not tell is not dropped by the roster of another.
func TestASectionWithoutARoster(t *testing.T) {
	w := newWorld(t)
	w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas"}}})
	w.launch("alice", "Learner")
	w.launch("bob", "Learner", with(map[string]any{claimOf + "context": map[string]string{"id": "ctx-2"}, "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": nil}))
	w.school.pages = [][]membership{{person("alice", "Alice", "Learner"), person("carol", "Carol", "Learner")}}
	if err := w.tool.SyncRosters(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"canvas:alice", "canvas:bob", "canvas:carol"}, w.subjects()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRostersNotedBefore: an older version noted one roster for a course.
func TestRostersNotedBefore(t *testing.T) {
	w := newWorld(t)
	old, err := json.Marshal(map[string]rosterSource{"de-2026": {Issuer: w.school.url, ClientID: clientID, URL: w.school.url + "/roster"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Commit(t.Context(), environment.Change{Note: &environment.Note{Key: rosterNote, Value: string(old)}}); err != nil {
		t.Fatal(err)
	}
	w.school.pages = [][]membership{{person("alice", "Alice", "Learner")}}
	if err := w.tool.SyncRosters(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"canvas:alice"}, w.subjects()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.launch("alice", "Learner")
	all, _, err := w.tool.rosters(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("after a launch there are %v, %v; want one, told by its context", all, err)
	}
	for _, source := range all {
		if source.Context != "ctx-1" || source.Course != "de-2026" {
			t.Errorf("got %+v", source)
		}
	}
}

// TestOddRosters: whoever is told twice is one person, and nobody is kept out
// by how others are written.
func TestOddRosters(t *testing.T) {
	w := newWorld(t, func(w *world) { w.trusted = true })
	w.launch("prof", "Instructor")
	twin := func(id, email, name string) membership {
		m := person(id, name, "Learner")
		m.Email = email
		return m
	}
	w.school.pages = [][]membership{{
		person("prof", "Prof", "Instructor"),
		twin("bob", "bob@example.edu", "Bob"), twin("bob", "bob@example.edu", "Bob \u202egnp.exe"), twin("bob", "other@example.edu", "Robert"), // one id
		twin("b2", "BOB@example.edu", "Bob 2"), // another account with the same address
		twin("zoë", "zoe\u0301@example.edu", "Zoe\u0308 \u200b𝒜"), twin("zoe\u0308", "", "Zoë, put together otherwise"),
		twin("rtl\u202e", "", "\u0000"), twin(strings.Repeat("x", 300), "", "too long"), twin("tab\tid", "", strings.Repeat("n", 10_000)),
		twin("a\nb", "a@b\nc", "<script>alert(1)</script>"),
	}}
	for range 2 {
		if err := w.tool.SyncRosters(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, m := range w.course().Members {
		if seen[m.LMSID] || seen[strings.ToLower(m.Subject)] {
			t.Errorf("%+v is there twice", m)
		}
		seen[m.LMSID], seen[strings.ToLower(m.Subject)] = true, true
		if environment.ValidSubject("", m.Subject) != nil || strings.ContainsAny(m.Name+m.Email, "\x00\u202e\u200b\n") {
			t.Errorf("%+v is not fit to be shown", m)
		}
	}
	bob, _ := w.course().Member("bob@example.edu")
	if bob.Name != "Bob" || bob.LMSID != w.school.url+"#bob" {
		t.Errorf("bob is %+v; want what was told first", bob)
	}
	if n := len(w.environments()); n != 0 {
		t.Errorf("%d environments; want none", n)
	}
}

// TestARosterOf100000: it is given up before it is taken over, and quickly.
func TestARosterOf100000(t *testing.T) {
	w := newWorld(t)
	w.launch("alice", "Learner")
	page := make([]membership, 5000)
	for range 20 {
		w.school.pages = append(w.school.pages, page)
	}
	for i := range page {
		page[i] = membership{UserID: fmt.Sprint("bomb-", i), Roles: []string{"Learner"}}
	}
	if err := w.tool.SyncRosters(t.Context()); err == nil || !strings.Contains(err.Error(), "20000") {
		t.Errorf("got %v; want it given up", err)
	}
	if diff := cmp.Diff([]string{"canvas:alice"}, w.subjects()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := w.school.asked["/roster"]; n > 5 {
		t.Errorf("%d pages were asked for; want no more than there is room for", n)
	}
}

func TestNextPage(t *testing.T) {
	at, err := url.Parse("https://lms.example.edu/roster?page=1")
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		`<https://lms.example.edu/roster?of=a,b&page=2>; rel="next"`:            "https://lms.example.edu/roster?of=a,b&page=2",
		`</roster?page=2>;rel=next`:                                             "https://lms.example.edu/roster?page=2",
		`<https://a/1>; rel="first", <https://a/2>; title="x"; rel="last next"`: "https://a/2",
		`<https://a/1>; rel="prev"`:                                             "",
		`rel="next"`:                                                            "",
		``:                                                                      "",
	} {
		if got := nextPage(at, strings.Split(header, "\n")); got != want {
			t.Errorf("%q: got %q; want %q", header, got, want)
		}
	}
}
