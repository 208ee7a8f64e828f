package lti

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestAnAddressJoinsOnlyWhereItIsTrusted(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted bool
		known   []environment.Person
		want    string // who has an environment; "" for a refusal
	}{
		{name: "not trusted, somebody has it", known: []environment.Person{{Subject: "ada", Email: "alice@example.edu"}}, want: "canvas:alice"},
		{name: "not trusted, it is somebody's name", known: []environment.Person{{Subject: "alice@example.edu"}}, want: "canvas:alice"},
		{name: "trusted, somebody has it", trusted: true, known: []environment.Person{{Subject: "ada", Email: "Alice@example.edu"}}, want: "ada"},
		{name: "trusted, it is somebody's name", trusted: true, known: []environment.Person{{Subject: "alice@example.edu"}}, want: "alice@example.edu"},
		{name: "trusted, nobody has it", trusted: true, want: "alice@example.edu"},
		{name: "trusted, of another account", trusted: true, known: []environment.Person{{Subject: "ada", Email: "alice@example.edu", LMSID: "SCHOOL#9"}}},
		{name: "trusted, of another platform", trusted: true, known: []environment.Person{{Subject: "ada", Email: "alice@example.edu", LMSID: "https://moodle.example.edu#9"}}, want: "canvas:alice"},
		{name: "trusted, so is the other one", trusted: true, known: []environment.Person{{Subject: "ada", Email: "alice@example.edu", LMSID: "https://moodle.example.edu#9"}, {Subject: "canvas:alice", LMSID: "https://moodle.example.edu#8"}}},
		{name: "trusted, two have it", trusted: true, known: []environment.Person{{Subject: "ada", Email: "alice@example.edu"}, {Subject: "bob", Email: "alice@example.edu"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.trusted = tt.trusted })
			for _, p := range tt.known {
				p.LMSID = strings.Replace(p.LMSID, "SCHOOL", w.school.url, 1)
				if err := w.store.Commit(t.Context(), environment.Change{Person: &p}); err != nil {
					t.Fatal(err)
				}
			}
			rec := w.launch("alice", "Learner")
			if tt.want == "" {
				w.wantNothing(t, rec, http.StatusForbidden)
				return
			}
			all := w.environments()
			if rec.Code != http.StatusOK || len(all) != 1 || all[0].Owner != tt.want {
				t.Fatalf("got %d %+v; want one of %s", rec.Code, all, tt.want)
			}
			p, err := w.store.PersonByLMS(t.Context(), w.school.url+"#alice")
			if err != nil || p.Subject != tt.want || strings.HasPrefix(tt.want, "canvas:") && p.Email != "" {
				t.Errorf("got %+v, %v; want %s", p, err, tt.want)
			}
		})
	}
}

// TestAnAccountStaysThePersons: the address of an account may change hands, the
// account does not.
func TestAnAccountStaysThePersons(t *testing.T) {
	w := newWorld(t, func(w *world) { w.trusted = true })
	w.launch("alice", "Learner")
	rec := w.launch("alice", "Learner", with(map[string]any{"email": "prof@example.edu"}))
	if all := w.environments(); rec.Code != http.StatusOK || len(all) != 1 || all[0].Owner != "alice@example.edu" {
		t.Errorf("got %d %+v; want alice's alone", rec.Code, all)
	}
}

// TestAnAccountIsWhomHooksMean: where the platform's own id is told, it names
// the person, and nobody is made who would be a second one.
func TestAnAccountIsWhomHooksMean(t *testing.T) {
	id := func(value any) func(map[string]any) {
		return with(map[string]any{"https://purl.imsglobal.org/spec/lti/claim/custom": map[string]any{"user_id": value}})
	}
	w := newWorld(t, func(w *world) { w.userID = "user_id" })
	for _, told := range []any{nil, true, 4.5, -42, "", "$Canvas.user.globalId", []any{"42"}} {
		w.wantNothing(t, w.launch("alice", "Learner", id(told)), http.StatusNotFound)
	}
	for range 2 { // the second time the account is known
		if rec := w.launch("alice", "Learner", id("21070000000020064")); rec.Code != http.StatusOK {
			t.Fatalf("got %d %s", rec.Code, rec.Body)
		}
	}
	if all := w.environments(); len(all) != 1 || all[0].Owner != "canvas:21070000000020064" {
		t.Errorf("got %+v; want one of the person whom hooks name so", all)
	}
}

// TestAHookAndATrustedAddressAreOneStudent: a hook without an address makes a
// member whom the launch knows better.
func TestAHookAndATrustedAddressAreOneStudent(t *testing.T) {
	for name, come := range map[string]func(*world){
		"a launch": func(w *world) { w.launch("alice", "Learner") },
		"a roster": func(w *world) {
			w.launch("prof", "Instructor")
			w.school.pages = [][]membership{{person("alice", "Alice", "Learner")}}
			_ = w.tool.SyncRosters(w.t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.trusted = true })
			hook := environment.Caller{Subject: "lms:canvas", Role: environment.RoleStaff, Courses: []string{"de-2026"}, Via: environment.ViaLMS}
			for range 2 { // also when the hook comes after the launch
				if _, err := w.service.Enroll(t.Context(), hook, "de-2026", environment.Member{Subject: "canvas:alice", LMSID: "canvas:alice"}); err != nil {
					t.Fatal(err)
				}
				come(w)
				got := slices.DeleteFunc(w.subjects(), func(s string) bool { return s == "prof@example.edu" })
				if !slices.Equal(got, []string{"alice@example.edu"}) {
					t.Errorf("got %q; want alice once", got)
				}
			}
		})
	}
}

// TestHooksLearnWhoTheirIdsAre: an id of hooks that a launch carries means
// whoever has the account.
func TestHooksLearnWhoTheirIdsAre(t *testing.T) {
	w := newWorld(t, func(w *world) { w.trusted, w.userID = true, "user_id" })
	p := environment.Platform{Name: "canvas", Issuer: w.school.url, UserIDFrom: "user_id"}
	id := with(map[string]any{claimOf + "custom": map[string]any{"user_id": "21070000000020064"}})
	for i, want := range []string{"", "alice@example.edu", "alice@example.edu"} {
		who, err := w.service.WhomHooksMean(t.Context(), p, "21070000000020064")
		if err != nil || who.Subject != want {
			t.Errorf("after %d launches: got %+v, %v; want %q", i, who, err, want)
		}
		if rec := w.launch("alice", "Learner", id); rec.Code != http.StatusOK {
			t.Fatalf("got %d %s", rec.Code, rec.Body)
		}
	}
	w.put(environment.Person{Subject: "ada", LMSID: w.school.url + "#alice"})
	if who, err := w.service.WhomHooksMean(t.Context(), p, "21070000000020064"); err != nil || who.Subject != "ada" {
		t.Errorf("after an admin joined them: got %+v, %v; want ada", who, err)
	}
}

// TestTwoPeopleAreJoined: an admin says that an account is somebody's whom
// daskbot knows already. Launches and rosters go on, and the course has them
// once.
func TestTwoPeopleAreJoined(t *testing.T) {
	for name, cleared := range map[string]bool{"in one step": false, "taken away first": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if rec := w.launch("alice", "Learner"); rec.Code != http.StatusOK {
				t.Fatalf("got %d %s", rec.Code, rec.Body)
			}
			if cleared {
				w.put(environment.Person{Subject: "canvas:alice"})
			}
			w.put(environment.Person{Subject: "ada", Email: "ada@example.edu", LMSID: w.school.url + "#alice"})
			w.school.pages = [][]membership{{person("bob", "Bob", "Learner"), person("alice", "Alice", "Learner")}}
			for _, step := range []func(){
				func() {
					if rec := w.launch("alice", "Learner"); rec.Code != http.StatusOK {
						t.Errorf("got %d %s", rec.Code, rec.Body)
					}
				},
				func() {
					if err := w.tool.SyncRosters(t.Context()); err != nil {
						t.Error(err)
					}
				},
			} {
				step()
				if m, ok := w.course().Member("ada"); !ok || m.LMSID != w.school.url+"#alice" || slices.Contains(w.subjects(), "canvas:alice") {
					t.Errorf("got %+v; want ada alone with the account", w.course().Members)
				}
			}
			if left := w.course().Left; len(left) != 1 || left[0].Reason != "Joined with ada." {
				t.Errorf("left: %+v", left)
			}
			for _, e := range w.environments() {
				if e.Owner == "canvas:alice" && e.CourseEnd == nil {
					t.Error("nothing ends what the other one had")
				}
			}
			if len(w.subjects()) != 2 {
				t.Errorf("got %q; want bob, too", w.subjects())
			}
		})
	}
}

// put is an admin's PUT /people/{subject}.
func (w *world) put(p environment.Person) {
	w.t.Helper()
	if _, err := w.service.PutPerson(w.t.Context(), admin, p); err != nil {
		w.t.Fatal(err)
	}
}

// TestAnAccountIsOnePersons: whoever an admin gives it to has it, and nobody else;
// the rest of whoever had it stays.
func TestAnAccountIsOnePersons(t *testing.T) {
	w := newWorld(t)
	school := w.school.url + "#alice"
	has := func(subject string, want environment.Person) {
		t.Helper()
		got, err := w.service.Person(t.Context(), admin, subject)
		if err != nil || got.SlackID != want.SlackID || got.LMSID != want.LMSID || got.Email != want.Email {
			t.Errorf("%s: got %+v, %v; want %+v", subject, got, err, want)
		}
	}
	w.put(environment.Person{Subject: "ada", SlackID: "U1", Email: "ada@example.edu"})
	w.put(environment.Person{Subject: "bob", LMSID: school})
	w.put(environment.Person{Subject: "carol", SlackID: "U1", LMSID: school, Email: "carol@example.edu"})
	has("ada", environment.Person{Email: "ada@example.edu"})
	has("bob", environment.Person{})
	has("carol", environment.Person{SlackID: "U1", LMSID: school, Email: "carol@example.edu"})
	w.put(environment.Person{Subject: "dave", SlackID: "U1", LMSID: school})
	has("carol", environment.Person{Email: "carol@example.edu"})
	has("dave", environment.Person{SlackID: "U1", LMSID: school})
	w.put(environment.Person{Subject: "dave", SlackID: "U2", LMSID: school}) // another of their own
	has("dave", environment.Person{SlackID: "U2", LMSID: school})
}

// TestAnAccountOfSlackIsOnePersons: also where Slack names it with its workspace,
// and an admin by the user's id alone.
func TestAnAccountOfSlackIsOnePersons(t *testing.T) {
	for _, given := range []string{"U1", "T1:U1"} {
		w := newWorld(t)
		for _, known := range []string{"T1:U1", "U1"} {
			w.put(environment.Person{Subject: "ada", SlackID: known})
			w.put(environment.Person{Subject: "carol", SlackID: given})
			ada, err := w.service.Person(t.Context(), admin, "ada")
			who, failed := w.service.Recognise(t.Context(), "T1:U1")
			if err != nil || failed != nil || ada.SlackID != "" || who.Subject != "carol" {
				t.Errorf("%s after %s: got %+v, %v, and ada has %q, %v; want carol alone", given, known, who, failed, ada.SlackID, err)
			}
		}
		for _, subject := range []string{"carol", "dave"} { // who has it may say so once more
			code, _, err := w.service.LinkCode(t.Context(), admin, subject)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := w.service.LinkSlack(t.Context(), "T1:U1", code.Reveal()); err != nil || p.Subject != subject || p.SlackID != "T1:U1" {
				t.Errorf("%s: got %+v, %v; want %s with the account", given, p, err, subject)
			}
		}
		if carol, err := w.service.Person(t.Context(), admin, "carol"); err != nil || carol.SlackID != "" {
			t.Errorf("%s: got %+v, %v; want nothing left of it", given, carol, err)
		}
	}
}

// TestTwoPeopleWithOneAccount: a store from before has them. They are left out,
// and keep nobody else out.
func TestTwoPeopleWithOneAccount(t *testing.T) {
	w := newWorld(t)
	w.launch("prof", "Instructor")
	for _, subject := range []string{"ada", "bob"} {
		if err := w.store.Commit(t.Context(), environment.Change{Person: &environment.Person{Subject: subject, LMSID: w.school.url + "#alice"}}); err != nil {
			t.Fatal(err)
		}
	}
	w.school.pages = [][]membership{{person("alice", "Alice", "Learner"), person("carol", "Carol", "Learner"), person("prof", "Prof", "Instructor")}}
	if err := w.tool.SyncRosters(t.Context()); err != nil {
		t.Error(err)
	}
	if got := w.subjects(); !slices.Equal(got, []string{"canvas:carol", "canvas:prof"}) {
		t.Errorf("got %q", got)
	}
	if _, err := w.service.PutPerson(t.Context(), admin, environment.Person{Subject: "dave", LMSID: w.school.url + "#alice"}); environment.CodeOf(err) != environment.CodeConflict {
		t.Errorf("a third: got %v; want a conflict", err)
	}
}

// TestARosterKeepsNobodyOut: what a document says of an address is no reason to
// refuse whom the platform launches, and none to take them for that member.
func TestARosterKeepsNobodyOut(t *testing.T) {
	for _, tt := range []struct {
		name, email, want string
		members           []environment.Member
	}{
		{"another member's address", "alice@example.edu", "alice@example.edu", []environment.Member{{Subject: "alice", Email: "alice@example.edu"}}},
		{"an address with other letters", "älice@example.edu", "canvas:alice", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.trusted = true })
			w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas", Context: "ctx-1"}}, Members: tt.members})
			for range 2 {
				if rec := w.launch("alice", "Learner", with(map[string]any{"email": tt.email})); rec.Code != http.StatusOK {
					t.Fatalf("got %d %s", rec.Code, rec.Body)
				}
			}
			m, ok := w.course().Member(tt.want)
			if all := w.environments(); !ok || m.Email != "" || m.LMSID != w.school.url+"#alice" || len(all) != 1 || all[0].Owner != tt.want {
				t.Errorf("got %+v, %+v; want %s without an address", w.course().Members, all, tt.want)
			}
			for _, old := range tt.members {
				if got, _ := w.course().Member(old.Subject); got.Email != old.Email || got.LMSID != "" {
					t.Errorf("got %+v; want %s as before", got, old.Subject)
				}
			}
		})
	}
}

// TestAnIdThatIsANumber: Canvas writes the ids of its people as JSON numbers,
// with more digits than a float holds.
func TestAnIdThatIsANumber(t *testing.T) {
	for told, want := range map[any]string{json.Number("21070000000020064"): "canvas:21070000000020064", json.Number("98765432109876543"): "canvas:98765432109876543", 42: "canvas:42"} {
		w := newWorld(t, func(w *world) { w.userID = "user_id" })
		rec := w.launch("alice", "Learner", with(map[string]any{claimOf + "custom": map[string]any{"user_id": told}}))
		if all := w.environments(); rec.Code != http.StatusOK || len(all) != 1 || all[0].Owner != want {
			t.Errorf("%v: got %d %+v; want one of %s", told, rec.Code, all, want)
		}
	}
}

// TestParametersThatAreNone: some platforms write an empty list for no
// parameters.
func TestParametersThatAreNone(t *testing.T) {
	for _, none := range []any{[]any{}, "", 0, json.RawMessage("null")} {
		if rec := newWorld(t).launch("alice", "Learner", with(map[string]any{claimOf + "custom": none})); rec.Code != http.StatusOK {
			t.Errorf("%v: got %d %s; want a launch", none, rec.Code, rec.Body)
		}
	}
}

// TestAnAddressThatOnlyLooksTheSame: in lower case the sign for kelvin is a k.
func TestAnAddressThatOnlyLooksTheSame(t *testing.T) {
	w := newWorld(t, func(w *world) { w.trusted = true })
	w.put(environment.Person{Subject: "mike", Email: "mike@example.edu"})
	rec := w.launch("alice", "Learner", with(map[string]any{"email": "mi\u212ae@example.edu"}))
	if all := w.environments(); rec.Code != http.StatusOK || len(all) != 1 || all[0].Owner != "canvas:alice" {
		t.Errorf("got %d %+v; want one of a person of their own", rec.Code, all)
	}
}

func TestAnOddAccountGetsAName(t *testing.T) {
	w := newWorld(t)
	if rec := w.launch("a b/ü", "Learner"); rec.Code != http.StatusOK {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	owner := w.environments()[0].Owner
	if err := environment.ValidSubject("", owner); err != nil {
		t.Errorf("got %q: %v", owner, err)
	}
	w.launch("a b/ü", "Learner")
	if n := len(w.environments()); n != 1 {
		t.Errorf("got %d; want one and the same", n)
	}
}

func TestRoles(t *testing.T) {
	for name, want := range map[string]environment.Role{
		courseRoles + "#Learner":                      environment.RoleStudent,
		courseRoles + "/Learner#GuestLearner":         environment.RoleStudent,
		courseRoles + "#Instructor":                   environment.RoleStaff,
		courseRoles + "/Instructor#TeachingAssistant": environment.RoleStaff,
		courseRoles + "#Mentor":                       "",
		courseRoles + "X#Instructor":                  "",
		courseRoles + "/Mentor#Instructor":            "",
		"Instructor":                                  environment.RoleStaff,
		"Learner":                                     environment.RoleStudent,
		"http://purl.imsglobal.org/vocab/lis/v2/system/person#Administrator": "",
		"": "",
	} {
		if got := role([]string{name}); got != want {
			t.Errorf("%q: got %q; want %q", name, got, want)
		}
	}
	if got := role([]string{"Learner", courseRoles + "#Instructor"}); got != environment.RoleStaff {
		t.Errorf("both: got %q; want staff", got)
	}
}
