package bot

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "up dask")
	id := w.environments()[0].ID
	for _, tt := range []struct{ user, text, want string }{
		{"U1", "status", "waiting for its turn"},
		{"U1", "", "You have 1 environment."},
		{"U1", "open", "cannot be opened"},
		{"U1", "why", "waiting for its turn"},
		{"U1", "extend 9h", "more than the 4h"},
		{"U1", "scale 99", "choose 0 to 8"},
		{"U1", "packages add xgboost", "`xgboost`"},
		{"U1", "packages remove nothing", "is not among"},
		{"U1", "cost", "An estimate"},
		{"U1", "link", "`u1@uni.edu`, a student"},
		{"U1", "up nosuch", "There is no profile"},
		{"U1", "up in nosuch", "There is no course"},
		{"U1", "up for <@U2|b>", "only ask for environments of your own"},
		{"U2", "status", "You have no environment"},
		{"U2", "status " + id, "is not yours"},
		{"U2", "down " + id, "is not yours"},
		{"U2", "open " + id, "is not yours"},
		{"U2", "list", "nothing running"},
		{"UTEACHER", "list", "u1@uni.edu in ml"},
		{"UTEACHER", "open " + id, "Only the owner"},
		{"UTEACHER", "up dask for <@U2|b>", "for u2@uni.edu is on its way"},
		{"U1", "class status", "for the staff of ml"},
		{"U1", "class up", "for the staff of ml"},
		{"UTEACHER", "class status", "Looking"},
		{"UTEACHER", "class status nosuch", "for the staff of nosuch"},
		{"U2", "up dask", "there already"},
		{"UTEACHER", "down " + id, "being deleted"},
	} {
		if got := w.say(tt.user, tt.text); !strings.Contains(got, tt.want) {
			t.Errorf("%s: /dask %s: got %q; want %q", tt.user, tt.text, got, tt.want)
		}
	}
}

func TestWhatSlackRefusesIsSaidInWords(t *testing.T) {
	for refusal, want := range map[string]string{
		"user_not_found":     "pick the name from the list",
		"expired_trigger_id": "click the button again",
		"msg_too_long":       "tell whoever runs daskbot",
	} {
		got := environment.MessageOf(translate("users.info", slack.SlackErrorResponse{Err: refusal}))
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %q; want %q", refusal, got, want)
		}
	}
}

func TestSeveralEnvironmentsNeedAName(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "up dask")
	w.say("U1", "up daskhub")
	if got := w.say("U1", "down"); !strings.Contains(got, "Say which") {
		t.Errorf("got %q; want a question", got)
	}
	if got := w.say("U1", "down daskhub"); !strings.Contains(got, "being deleted") {
		t.Errorf("got %q; want the one of that profile gone", got)
	}
}

// TestWhatIsThereIsFoundBehindWhatEnded: however many newer ones came and went.
func TestWhatIsThereIsFoundBehindWhatEnded(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "up daskhub")
	id := w.environments()[0].ID
	for range mostEnded + 1 {
		w.now = w.now.Add(time.Hour)
		w.say("U1", "up dask")
		w.become(w.environments()[0].ID, func(e *environment.Environment) {
			e.State, e.Desired, e.Phase, e.DeletedAt = environment.StateDeleted, environment.Absent, environment.PhaseGone, w.now
		})
	}
	w.opens(w.bot, "U1")
	if home := w.slack.homes["U1"]; !strings.Contains(home, id) {
		t.Errorf("the home does not show it: %s", home)
	}
	for _, text := range []string{"", "status", "why", "extend 1h", "down daskhub"} {
		if got := w.say("U1", text); !strings.Contains(got, id) {
			t.Errorf("/dask %s: got %q; want %s", text, got, id)
		}
	}
	// Once nothing is there, the last one that ended is meant.
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, w.now
	})
	last := w.environments()[0].ID
	if got := w.say("U1", "status"); last == id || !strings.Contains(got, last) {
		t.Errorf("got %q; want %s, which was made last", got, last)
	}
	w.now = w.now.Add(25 * time.Hour)
	if got := w.say("U1", "status"); !strings.Contains(got, "You have no environment") {
		t.Errorf("a day later: got %q; want none", got)
	}
}

func TestStrangersAreRefusedUnlessAdmitted(t *testing.T) {
	w := newWorld(t)
	w.bot.admit = false
	got := w.say("U1", "up")
	if !strings.Contains(got, "u1@uni.edu") || !strings.Contains(got, "`T1:U1`") {
		t.Errorf("got %q; want the address tried and the id to hand over", got)
	}
	ann := environment.Person{Subject: "ann", Email: "U1@uni.edu"}
	if err := w.store.Commit(t.Context(), environment.Change{Person: &ann}); err != nil {
		t.Fatal(err)
	}
	if got := w.say("U1", "link"); !strings.Contains(got, "`ann`") {
		t.Errorf("got %q; want the person with that address", got)
	}
}

// TestLinkedByCode: a code is good once, for a while, and for one account.
func TestLinkedByCode(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "up") // known by the e-mail address until now
	ann := environment.Caller{Subject: "ann", Role: environment.RoleStudent}
	code := func() string {
		c, _, err := w.service.LinkCode(t.Context(), ann, "ann")
		if err != nil {
			t.Fatal(err)
		}
		return c.Reveal()
	}
	old, good := code(), ""
	w.now = w.now.Add(16 * time.Minute)
	good = code()
	for _, tt := range []struct{ user, text, want string }{
		{"U1", "link " + old, "not good"},
		{"U1", "link wxyz-wxyz-wxyz", "not good"},
		{"U1", "link " + good, "knows you as `ann`"},
		{"U1", "link " + good, "knows you as `ann`"}, // the same delivery once more
		{"U2", "link " + good, "not good"},
		{"U1", "link", "`ann`"},
		{"U1", "status", "You have no environment"},
		{"U2", "link " + code(), "linked to another Slack account"},
	} {
		if got := w.say(tt.user, tt.text); !strings.Contains(got, tt.want) {
			t.Errorf("%s: /dask %s: got %q; want %q", tt.user, tt.text, got, tt.want)
		}
	}
	if _, _, err := w.service.LinkCode(t.Context(), ann, "bob"); err == nil {
		t.Error("got a code for somebody else; want a refusal")
	}
}

// TestACodeDeliveredTwiceAtOnce: whichever is first, both say that it worked.
func TestACodeDeliveredTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		subject := "ann-" + environment.NewID()
		code, _, err := w.service.LinkCode(t.Context(), environment.Caller{Subject: subject, Role: environment.RoleStudent}, subject)
		if err != nil {
			t.Fatal(err)
		}
		body := slashBody("U"+subject, "link "+code.Reveal(), "1."+subject)
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				if rec := w.serve(w.request("/slack/commands", body)); !strings.Contains(rec.Body.String(), "knows you as") {
					t.Errorf("got %s; want linked", rec.Body)
				}
			})
		}
		both.Wait()
	}
}

// TestTimeOfDayNeedsAZone: a wrong zone would end it at the wrong hour.
func TestTimeOfDayNeedsAZone(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "link")
	w.bot = w.newBot() // which has not asked about U1 yet
	w.slack.strike(func(_ string, rw http.ResponseWriter) bool {
		rw.WriteHeader(http.StatusInternalServerError)
		return true
	})
	if got := w.say("U1", "up until 18:00"); !strings.Contains(got, "time zone") || len(w.environments()) != 0 {
		t.Errorf("got %q and %d environments; want a refusal", got, len(w.environments()))
	}
	if got := w.say("U1", "up for 3h"); !strings.Contains(got, "on its way") {
		t.Errorf("got %q; want what needs no zone", got)
	}
}

// TestAnUntilThatIsRefusedIsSaidInTheAskersTime: with what is allowed, and what
// can be asked for instead.
func TestAnUntilThatIsRefusedIsSaidInTheAskersTime(t *testing.T) {
	w := newWorld(t)
	w.now = time.Date(2026, 11, 24, 16, 30, 0, 0, time.UTC) // 17:30 in Paris
	for text, want := range map[string]string{
		"up dask until tomorrow 23:59": "Wed 25 Nov 2026 23:59 CET is more than the allowed 12h away: until Wed 25 Nov 2026 05:30 CET at the latest. For example, ask for it for 12h",
		"up dask until 17:32":          "Tue 24 Nov 2026 17:32 CET is not far enough in the future: it is Tue 24 Nov 2026 17:30 CET now",
	} {
		if got := w.say("U1", text); !strings.HasPrefix(got, want) {
			t.Errorf("/dask %s: got %q; want %q", text, got, want)
		}
	}
	for _, text := range []string{"up dask until tomorrow 05:30", "up daskhub for 12h"} {
		if got := w.say("U1", text); !strings.Contains(got, "on its way") {
			t.Errorf("/dask %s: got %q; want what was offered", text, got)
		}
	}
}

// audits remembers entries.
type audits struct{ all []environment.Audited }

func (a *audits) AppendAudit(_ context.Context, e environment.Audited) error {
	a.all = append(a.all, e)
	return nil
}

func (*audits) ReadAudit(context.Context, environment.AuditFilter) ([]environment.Audited, error) {
	return nil, nil
}

// TestEveryChangeIsAudited: also those that come another way than commands.
func TestEveryChangeIsAudited(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.become(id, func(e *environment.Environment) {
		e.State, e.Failure = environment.StateFailed, &environment.Failure{Message: "No.", At: w.now}
	})
	log := &audits{}
	w.bot.audit = log
	w.click("U1", actionRetry, id, "")
	code, _, err := w.service.LinkCode(t.Context(), environment.Caller{Subject: "ann", Role: environment.RoleStudent}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	w.say("U2", "link wxyz-wxyz-wxyz")
	w.say("U2", "link "+code.Reveal())
	var got []string
	for _, e := range log.all {
		got = append(got, strings.Join([]string{e.Actor, e.Action, e.Object, e.Outcome}, " "))
	}
	want := []string{"u1@uni.edu up " + id + " ok", " link T1:U2 not_found", "ann link T1:U2 ok"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
}

// TestAnOwnerInCapitals: whoever is named by an address is the one whom Slack
// knows by it.
func TestAnOwnerInCapitals(t *testing.T) {
	w := newWorld(t)
	w.say("UTEACHER", "up dask for U1@Uni.edu in ml")
	envs := w.environments()
	if len(envs) != 1 || envs[0].Owner != "u1@uni.edu" {
		t.Fatalf("got %+v; want one of u1@uni.edu", envs)
	}
	if got := w.say("U1", "status"); !strings.Contains(got, envs[0].ID) {
		t.Errorf("got %q; want %s", got, envs[0].ID)
	}
}
