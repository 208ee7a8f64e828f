package lms

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// sis is a signed source with what it may do.
func sis(edit func(*Source)) Source {
	s := Source{Name: "sis", Kind: Generic, Secrets: []environment.Secret{environment.NewSecret(hookSecret)}}
	edit(&s)
	return s
}

func live(w *world) (n int) {
	for _, e := range w.environments() {
		if e.Desired == environment.Present {
			n++
		}
	}
	return n
}

func TestWhatASourceMayStart(t *testing.T) {
	const ada = `{"course":"de-2026","email":"ada@b.edu"}`
	for provision, want := range map[string]struct{ enrolled, started int }{
		"":                {0, 1},
		ProvisionOnLaunch: {0, 1},
		ProvisionOnEnroll: {1, 1},
		ProvisionOff:      {0, 0},
	} {
		t.Run(provision, func(t *testing.T) {
			w := newWorld(t, sis(func(s *Source) { s.AutoProvision = provision }))
			w.say("member.added", ada)
			if n := live(w); n != want.enrolled {
				t.Errorf("enrolled: %d environments; want %d", n, want.enrolled)
			}
			w.say("environment.start", ada)
			if n := live(w); n != want.started {
				t.Errorf("started: %d environments; want %d", n, want.started)
			}
			w.say("environment.end", ada)
			if n := live(w); n != 0 {
				t.Errorf("ended: %d environments; want none", n)
			}
		})
	}
}

// TestWhatHooksChangeIsAudited: what changes nothing is no entry.
func TestWhatHooksChangeIsAudited(t *testing.T) {
	const ada = `{"course":"de-2026","email":"ada@b.edu"}`
	w := newWorld(t, sis(func(*Source) {}))
	for _, kind := range []string{"member.added", "environment.start", "environment.start", "environment.end", "member.added"} {
		w.say(kind, ada)
	}
	entries, err := w.store.ReadAudit(t.Context(), environment.AuditFilter{Actor: "lms:sis", Limit: 10})
	var got []string
	for _, a := range entries {
		got = append(got, a.Via+" "+a.Action+" "+a.Outcome)
	}
	if diff := cmp.Diff([]string{"lms down ok", "lms up ok", "lms putCourse ok"}, got); diff != "" || err != nil {
		t.Errorf("newest first (-want +got)\n%s%v", diff, err)
	}
}

// TestWhoWasLaunchedIsStillTheHooks: a launch knows a member by another id of
// the platform, and hooks go on meaning the same person.
func TestWhoWasLaunchedIsStillTheHooks(t *testing.T) {
	w := newWorld(t, sis(func(*Source) {}))
	const who = `{"course":"de-2026","user":{"id":"42"}}`
	w.say("member.added", who)
	launched := environment.Member{Subject: "sis:42", LMSID: "https://school.example.edu#x"}
	if _, err := w.service.Enroll(t.Context(), admin, "de-2026", launched); err != nil {
		t.Fatal(err)
	}
	w.say("member.changed", who)
	if got := w.course().Members; len(got) != 1 || got[0].LMSID != launched.LMSID {
		t.Errorf("got %+v; want the one member with the id of the launch", got)
	}
	w.say("member.removed", who)
	if got := w.course().Members; len(got) != 0 {
		t.Errorf("got %+v; want nobody", got)
	}
}

// TestATriggerAndALaunchAreOnePerson is the documented set-up of Moodle:
// tool_trigger sends an id and an e-mail address, and the launch says the same
// id. Addresses are believed by both or by neither.
func TestATriggerAndALaunchAreOnePerson(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		for _, registered := range []bool{false, true} {
			if trusted && registered {
				continue // who registers itself is not trusted
			}
			t.Run(fmt.Sprintf("trusted %t, registered %t", trusted, registered), func(t *testing.T) {
				w := newWorld(t, Source{Name: "moodle", Kind: Moodle, Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
				p := environment.Platform{Name: "moodle", Issuer: "https://moodle.example.edu", ClientID: "c", TrustEmails: trusted}
				if registered {
					w.registers(p)
				} else {
					w.platforms = []environment.Platform{p}
					w.open()
				}
				say := func(event string) {
					r := w.request("moodle", "event="+event+"&courseid=7&userid=15&email=ada@b.edu&time="+strconv.FormatInt(w.now.Unix(), 10))
					r.Header.Set("Authorization", "Bearer "+plainSecret)
					w.status(r, http.StatusOK)
					w.work("moodle")
					w.now = w.now.Add(time.Minute)
				}
				say("member.added")
				who, err := w.service.RecogniseLaunched(t.Context(), environment.Launched{LMSID: p.Issuer + "#15", Subject: "moodle:15", Email: "ada@b.edu", EmailTrusted: trusted})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.service.Enroll(t.Context(), admin, "de-2026", environment.Member{Subject: who.Subject, Email: who.Email, LMSID: p.Issuer + "#15"}); err != nil {
					t.Fatal(err)
				}
				want := map[bool]string{false: "moodle:15", true: "ada@b.edu"}[trusted]
				if got := w.course().Subjects(); len(got) != 1 || got[0] != want {
					t.Errorf("after the launch: %q; want %s alone", got, want)
				}
				say("member.removed")
				if got := w.course().Members; len(got) != 0 {
					t.Errorf("after the removal: %+v; want nobody", got)
				}
			})
		}
	}
}

// TestAHookWithoutAnAddressMeansWhoWasLaunched: with trusted addresses a launch
// names the student by theirs, and a hook that has only the id means the same
// one.
func TestAHookWithoutAnAddressMeansWhoWasLaunched(t *testing.T) {
	w := newWorld(t, sis(func(*Source) {}))
	w.platforms = []environment.Platform{{Name: "sis", Issuer: "https://school.example.edu", TrustEmails: true}}
	w.open()
	launched := environment.Member{Subject: "ada@b.edu", Email: "ada@b.edu", LMSID: "https://school.example.edu#15"}
	if _, err := w.service.Enroll(t.Context(), admin, "de-2026", launched); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ kind, members string }{{"member.added", "ada@b.edu"}, {"member.removed", ""}} {
		w.say(step.kind, `{"course":"de-2026","user":{"id":"15"}}`)
		if got := strings.Join(w.course().Subjects(), " "); got != step.members {
			t.Errorf("%s: got %q; want %q", step.kind, got, step.members)
		}
	}
}

// TestAHookMeansWhoWasLaunchedElsewhere: a launch in one course says who an id
// is in every other, also where hooks have an id of their own, and an admin may
// give the account to somebody else. What is started is theirs.
func TestAHookMeansWhoWasLaunchedElsewhere(t *testing.T) {
	const account = "https://school.example.edu#15"
	for name, tt := range map[string]struct {
		from, id, hooks string
		joined          bool
		want            string
	}{
		"by the account's id":      {"", "15", "", false, "ada@b.edu"},
		"by an id of hooks":        {"user_id", "2107", "sis:2107", false, "ada@b.edu"},
		"by another's id of hooks": {"user_id", "2108", "sis:2107", false, "sis:2108"},
		"joined by an admin":       {"", "15", "", true, "eve"},
		"joined, an id of hooks":   {"user_id", "2107", "sis:2107", true, "eve"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sis(func(s *Source) { s.AutoProvision = ProvisionOnEnroll }))
			w.platforms = []environment.Platform{{Name: "sis", Issuer: "https://school.example.edu", TrustEmails: true, UserIDFrom: tt.from}}
			w.open()
			if _, err := w.service.RecogniseLaunched(t.Context(), environment.Launched{LMSID: account, Subject: "sis:" + tt.id, Hooks: tt.hooks, Email: "ada@b.edu", EmailTrusted: true}); err != nil {
				t.Fatal(err)
			}
			if tt.joined {
				if _, err := w.service.PutPerson(t.Context(), admin, environment.Person{Subject: "eve", LMSID: account}); err != nil {
					t.Fatal(err)
				}
			}
			who := fmt.Sprintf(`{"course":"de-2026","user":{"id":%q}}`, tt.id)
			w.say("member.added", who)
			if got, all := w.course().Subjects(), w.environments(); !slices.Equal(got, []string{tt.want}) || len(all) != 1 || all[0].Owner != tt.want {
				t.Errorf("got %q with %+v; want %s", got, all, tt.want)
			}
			w.say("member.removed", who)
			if got := w.course().Subjects(); len(got) != 0 {
				t.Errorf("after the removal: %q; want nobody", got)
			}
		})
	}
}

// TestWhatAHookStartsIsThePersons: who is known by an address and called
// otherwise has what is started for the address, on the roster or not.
func TestWhatAHookStartsIsThePersons(t *testing.T) {
	for _, kind := range []string{"member.added", "environment.start"} {
		w := newWorld(t, sis(func(s *Source) { s.AutoProvision = ProvisionOnEnroll }))
		if _, err := w.service.PutPerson(t.Context(), admin, environment.Person{Subject: "ada", Email: "ada@b.edu"}); err != nil {
			t.Fatal(err)
		}
		const who = `{"course":"de-2026","user":{"id":"15","email":"ada@b.edu"}}`
		w.say(kind, who)
		if all := w.environments(); len(all) != 1 || all[0].Owner != "ada" {
			t.Errorf("%s: got %+v; want one of ada", kind, all)
		}
		w.say("environment.end", who)
		if n := live(w); n != 0 {
			t.Errorf("%s: %d environments go on; want none", kind, n)
		}
	}
}

// TestASubjectInCapitals: who was put on the roster by a name in capitals leaves
// by the same name, and what is started meanwhile is theirs.
func TestASubjectInCapitals(t *testing.T) {
	w := newWorld(t, sis(func(s *Source) { s.AutoProvision = ProvisionOnEnroll }))
	const who = `{"course":"de-2026","user":{"subject":"Ada@B.edu"}}`
	w.say("member.added", who)
	w.say("environment.start", who)
	if got, all := w.course().Subjects(), w.environments(); !slices.Equal(got, []string{"ada@b.edu"}) || len(all) != 1 || all[0].Owner != "ada@b.edu" {
		t.Errorf("got %q with %+v; want ada, with one", got, all)
	}
	w.say("environment.end", who)
	if n := live(w); n != 0 {
		t.Errorf("%d environments go on; want none", n)
	}
	w.say("member.removed", who)
	if got := w.course().Subjects(); len(got) != 0 {
		t.Errorf("after the removal: %q; want nobody", got)
	}
}

// TestAHookDropsWhomAListHas: somebody whom a list named by the address leaves
// by the id.
func TestAHookDropsWhomAListHas(t *testing.T) {
	w := newWorld(t, sis(func(*Source) {}))
	w.platforms = []environment.Platform{{Name: "sis", Issuer: "https://school.example.edu", TrustEmails: true}}
	w.open()
	if _, err := w.service.RecogniseLaunched(t.Context(), environment.Launched{LMSID: "https://school.example.edu#15", Subject: "sis:15", Email: "ada@b.edu", EmailTrusted: true}); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"ada@b.edu", "bob@b.edu"} {
		if _, err := w.service.Enroll(t.Context(), admin, "de-2026", environment.Member{Email: email}); err != nil {
			t.Fatal(err)
		}
	}
	w.say("member.removed", `{"course":"de-2026","user":{"id":"15","email":"bob@b.edu"}}`) // the account counts, not the address
	if got := w.course().Subjects(); !slices.Equal(got, []string{"bob@b.edu"}) {
		t.Errorf("got %q; want bob alone", got)
	}
}

// TestAnAddressThatAnybodyCouldChoose: who took somebody's address in the
// platform is not that member, and takes nobody along when they leave.
func TestAnAddressThatAnybodyCouldChoose(t *testing.T) {
	w := newWorld(t, sis(func(*Source) {}))
	w.platforms = []environment.Platform{{Name: "sis"}}
	w.open()
	if _, err := w.service.Enroll(t.Context(), admin, "de-2026", environment.Member{Email: "prof@b.edu", Role: environment.MemberStaff}); err != nil {
		t.Fatal(err)
	}
	const mallory = `{"course":"de-2026","user":{"id":"13","email":"prof@b.edu"}}`
	for _, step := range []struct{ kind, members string }{{"member.added", "prof@b.edu sis:13"}, {"member.removed", "prof@b.edu"}} {
		w.say(step.kind, mallory)
		if got := strings.Join(w.course().Subjects(), " "); got != step.members {
			t.Errorf("%s: got %q; want %q", step.kind, got, step.members)
		}
	}
	w.say("member.added", `{"course":"de-2026","email":"bob@b.edu"}`) // without an id the address is all there is
	if got := strings.Join(w.course().Subjects(), " "); got != "prof@b.edu bob@b.edu" {
		t.Errorf("got %q", got)
	}
}

func TestTeachersAreMembersWithoutAnEnvironment(t *testing.T) {
	w := newWorld(t, sis(func(s *Source) { s.AutoProvision = ProvisionOnEnroll }))
	w.say("member.added", `{"course":"de-2026","user":{"email":"prof@b.edu"},"role":"http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"}`)
	if got := w.course().Members; live(w) != 0 || len(got) != 1 || got[0].Role != environment.MemberStaff {
		t.Errorf("%d environments, %+v; want a member of staff without one", live(w), got)
	}
	w.say("member.updated", `{"course":"de-2026","email":"prof@b.edu","name":"Prof"}`) // says nothing of the role
	if got := w.course().Members[0]; got.Role != environment.MemberStaff || got.Name != "Prof" {
		t.Errorf("got %+v; want still staff", got)
	}
}

func TestAClassIsStartedOnce(t *testing.T) {
	w := newWorld(t)
	w.say("member.added", `{"course":"de-2026","members":[{"email":"a@b.edu"},{"email":"b@b.edu"}]}`)
	d := w.say("class.start", `{"course":"de-2026"}`)
	if d.State != environment.DeliveryDone {
		t.Fatalf("%s: %s", d.State, d.Reason)
	}
	first, err := w.store.Replay(t.Context(), "lms", d.ID) // written with the order, so that there is one
	if err != nil {
		t.Fatal(err)
	}
	d.State, d.SettledAt = environment.DeliveryWaiting, time.Time{} // as after a crash
	if err := w.store.Settle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Minute)
	w.work("sis")
	again, err := w.store.Replay(t.Context(), "lms", d.ID)
	if err != nil || !again.At.Equal(first.At) || w.deliveries()[0].State != environment.DeliveryDone {
		t.Errorf("ordered at %s and again at %s, %v; want once", first.At, again.At, err)
	}
}

func TestTheEndOfACourseIsAnnounced(t *testing.T) {
	w := newWorld(t)
	d := w.say("course.ended", `{"course":"de-2026"}`)
	end := w.course().EndsAt
	if d.State != environment.DeliveryDone || end.Before(w.now.Add(23*time.Hour)) || end.After(w.now.Add(25*time.Hour)) {
		t.Errorf("%s %s, ends at %s; want in a day", d.State, d.Reason, end)
	}
	w.now = w.now.Add(time.Hour)
	w.say("course.ended", `{"course":"de-2026"}`)
	if !w.course().EndsAt.Equal(end) {
		t.Errorf("said again, it ends at %s; want %s", w.course().EndsAt, end)
	}
}

// TestTheEndOfACourseOfTheFileIsAnnounced: nothing ends at once, and what the
// file says about the end holds.
func TestTheEndOfACourseOfTheFileIsAnnounced(t *testing.T) {
	w := newWorld(t, sis(func(*Source) {}))
	configured := environment.Course{ID: "ml", Title: "ML", Origin: environment.OriginConfiguration, File: "daskbot.yaml",
		Members: []environment.Member{{Subject: "ann@b.edu", Email: "ann@b.edu", Role: environment.MemberStudent}}}
	w.roster = file{configured}
	w.open()
	w.say("environment.start", `{"course":"ml","email":"ann@b.edu"}`)
	d := w.say("course.ended", `{"course":"ml"}`)
	c, err := w.service.CourseDocument(t.Context(), admin, "ml")
	if err != nil || d.State != environment.DeliveryDone || c.EndsAt.Before(w.now.Add(23*time.Hour)) || c.EndsAt.After(w.now.Add(25*time.Hour)) {
		t.Errorf("%s %s, ends at %s, %v; want in a day", d.State, d.Reason, c.EndsAt, err)
	}
	if e := w.environments()[0]; e.Desired != environment.Present {
		t.Error("it was ended at once")
	}
	w.say("member.added", `{"course":"ml","email":"ada@b.edu"}`) // what is kept beside the file is written again
	if again, err := w.service.CourseDocument(t.Context(), admin, "ml"); err != nil || !again.EndsAt.Equal(c.EndsAt) {
		t.Errorf("after another change it ends at %s, %v; want %s", again.EndsAt, err, c.EndsAt)
	}
	configured.EndsAt = w.now.Add(30 * 24 * time.Hour)
	w.roster = file{configured}
	w.open()
	d = w.say("course.ended", `{"course":"ml"}`)
	if c, err = w.service.CourseDocument(t.Context(), admin, "ml"); err != nil || !c.EndsAt.Equal(configured.EndsAt) || !strings.Contains(d.Reason, "configuration file") {
		t.Errorf("%s, ends at %s, %v; want the file's end", d.Reason, c.EndsAt, err)
	}
}

// TestStartsThatComeTooLate: a class is not started in the night because a
// message about the morning came then.
func TestStartsThatComeTooLate(t *testing.T) {
	for ago, want := range map[time.Duration]environment.DeliveryState{5 * time.Hour: environment.DeliveryDone, 7 * time.Hour: environment.DeliveryIgnored} {
		for _, kind := range []string{"environment.start", "class.start"} {
			w := newWorld(t)
			body := fmt.Sprintf(`{"type":%q,"timestamp":%q,"data":{"course":"de-2026","email":"ada@b.edu"}}`, kind, w.now.Add(-ago).Format(time.RFC3339))
			w.status(w.signed(environment.NewID(), body), http.StatusOK)
			w.work("sis")
			if d := w.deliveries()[0]; d.State != want {
				t.Errorf("%s of %s ago: %s %s; want %s", kind, ago, d.State, d.Reason, want)
			}
			w.status(w.signed(environment.NewID(), fmt.Sprintf(`{"type":%q,"data":{"course":"de-2026","email":"ada@b.edu"}}`, kind)), http.StatusOK)
			w.now = w.now.Add(ago) // daskbot was away meanwhile
			w.work("sis")
			if d := w.deliveries()[0]; d.State != want {
				t.Errorf("%s received %s ago: %s %s; want %s", kind, ago, d.State, d.Reason, want)
			}
		}
	}
}

func TestCoursesAreMadeWhereThatIsWanted(t *testing.T) {
	w := newWorld(t, sis(func(s *Source) { s.CreateCourses = true }))
	for range 2 {
		if d := w.say("course.created", `{"course":{"id":"4711","name":"Big\u202eData"}}`); d.State != environment.DeliveryDone {
			t.Fatalf("%s: %s", d.State, d.Reason)
		}
	}
	c, err := w.service.CourseByLMS(t.Context(), "sis", "4711")
	if err != nil || c.ID != "sis-4711" || c.Title != "BigData" || len(c.Members) != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
	w.say("member.added", `{"course":"4711","email":"ada@b.edu"}`)
	if c, _ = w.service.CourseByLMS(t.Context(), "sis", "4711"); len(c.Members) != 1 {
		t.Errorf("members: %+v; want one", c.Members)
	}
	if d := w.say("course.created", `{"course":"de-2026"}`); d.State != environment.DeliveryParked { // somebody else's
		t.Errorf("%s %s; want an existing course left alone", d.State, d.Reason)
	}
}

func TestCourseIDsDoNotCollide(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, pair := range [][2]string{{long + "1", long + "2"}, {"7", "8"}} {
		a, b := courseID("canvas", pair[0]), courseID("canvas", pair[1])
		if a == b || environment.ValidCourse(a) != nil || environment.ValidCourse(b) != nil {
			t.Errorf("%q and %q become %q and %q", pair[0], pair[1], a, b)
		}
	}
}

// file is a configuration that defines one course.
type file struct{ environment.Course }

func (f file) Class(_ context.Context, id string) (environment.Course, error) {
	if id != f.ID {
		return environment.Course{}, environment.Errorf(environment.CodeNotFound, "There is none.")
	}
	return f.Course, nil
}

func (f file) Classes(context.Context) ([]environment.Course, error) {
	return []environment.Course{f.Course}, nil
}

func TestACourseOfTheFileFollowsThePlatform(t *testing.T) {
	w := newWorld(t, sis(func(*Source) {}))
	w.roster = file{environment.Course{ID: "ml", Title: "ML", Origin: environment.OriginConfiguration, File: "daskbot.yaml",
		Members: []environment.Member{{Subject: "ann@b.edu", Email: "ann@b.edu", Role: environment.MemberStudent}}}}
	w.open()
	for _, step := range []struct{ kind, who, says, members string }{
		{"member.added", "ada@b.edu", "is on the roster.", "ann@b.edu ada@b.edu"},
		{"member.added", "ann@b.edu", "already", "ann@b.edu ada@b.edu"},
		{"member.removed", "ann@b.edu", "configuration file", "ann@b.edu ada@b.edu"},
		{"member.removed", "ada@b.edu", "off the roster", "ann@b.edu"},
	} {
		d := w.say(step.kind, `{"course":"ml","email":"`+step.who+`"}`)
		c, err := w.service.CourseDocument(t.Context(), admin, "ml")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.Subjects(), " "); got != step.members || d.State != environment.DeliveryDone || !strings.Contains(d.Reason, step.says) {
			t.Errorf("%s of %s: members %q, %s: %s; want %q, saying %q", step.kind, step.who, got, d.State, d.Reason, step.members, step.says)
		}
	}
}
