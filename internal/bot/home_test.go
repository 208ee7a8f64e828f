package bot

import (
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// opens the home of the bot, as Slack tells it.
func (w *world) opens(b *Bot, user string) {
	w.t.Helper()
	if err := b.onEvent(w.t.Context(), event{id: environment.NewID(), kind: "app_home_opened", tab: "home", from: account{"T1", user}}); err != nil {
		w.t.Fatal(err)
	}
	b.publishStale(w.t.Context())
}

// TestHomesFollowOnEveryReplica: what happens on one replica shows on the homes
// that were opened on another, the owner's at once and the staff's soon after.
func TestHomesFollowOnEveryReplica(t *testing.T) {
	w := newWorld(t)
	feed := &environment.Feed{}
	other := w.newBot()
	stop := feed.Listen(other.environmentChanged)
	defer stop()
	w.say("U3", "up")
	w.now = w.now.Add(time.Minute)
	w.opens(other, "U1")
	w.opens(other, "U2")
	w.opens(other, "UTEACHER")
	id := w.upped()
	shows := func(user, what string, want bool) {
		t.Helper()
		if got := strings.Contains(w.slack.homes[user], what); got != want {
			t.Errorf("the home of %s shows %q: %v; want %v: %s", user, what, got, want, w.slack.homes[user])
		}
	}
	published := w.slack.calls["views.publish"]
	feed.Publish(id)
	other.publishStale(t.Context())
	shows("U1", id, true)
	shows("UTEACHER", id, false)
	if got := w.slack.calls["views.publish"] - published; got != 1 {
		t.Errorf("%d homes were published; want only the owner's", got)
	}
	w.now = w.now.Add(staffEvery)
	other.publishStale(t.Context())
	shows("UTEACHER", id, true)
	shows("U2", id, false)

	edit, ev := ready(w)
	w.become(id, edit, ev)
	w.now = w.now.Add(time.Minute)
	feed.Publish("") // some may have been missed
	other.publishStale(t.Context())
	shows("U1", "is ready", true)
	shows("UTEACHER", "is ready", true)
}

// wantHome says what must be on somebody's home, and what must not.
func (w *world) wantHome(user, there, not string) {
	w.t.Helper()
	if home := w.slack.homes[user]; !strings.Contains(home, there) || not != "" && strings.Contains(home, not) {
		w.t.Errorf("the home of %s: want %q and not %q: %s", user, there, not, home)
	}
}

// homesAnew lets every home be published that something happened to, on each of
// some replicas.
func (w *world) homesAnew(subjects []string, replicas ...*Bot) {
	for _, b := range replicas {
		for _, subject := range subjects {
			b.homeChanged(subject)
		}
		w.now = w.now.Add(time.Minute)
		b.publishStale(w.t.Context())
	}
}

// TestAHomeIsOfWhomTheAccountBelongsTo: once an account was joined to somebody
// else, what the former one has is not shown there, whichever replica the home
// was opened on and whatever happens to either.
func TestAHomeIsOfWhomTheAccountBelongsTo(t *testing.T) {
	w := newWorld(t)
	other := w.newBot()
	theirs := w.upped()
	w.opens(w.bot, "U1")
	w.opens(other, "U1")
	w.wantHome("U1", theirs, "")
	code, _, err := w.service.LinkCode(t.Context(), environment.Caller{Subject: "ann", Role: environment.RoleStudent}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	w.say("U1", "link "+code.Reveal())
	for range 2 { // one to learn whose it is
		w.homesAnew(nil, w.bot)
	}
	w.wantHome("U1", "You have none", theirs)

	w.say("U1", "up dask")
	anns := w.environments()[0].ID
	both := []string{"u1@uni.edu", "ann"}
	w.homesAnew(both, w.bot)
	w.wantHome("U1", anns, theirs)
	w.homesAnew(both, other) // which learns it only now
	w.homesAnew(both, other)
	w.wantHome("U1", anns, theirs)
	for range 10 { // in whatever order they are gone through
		w.opens(w.bot, "U1")
		w.homesAnew(both, w.bot)
		w.wantHome("U1", anns, theirs)
	}
}

// TestAHomeWhoseAccountIsTakenAway: an admin gives a person another account; the
// former one is shown nothing of theirs any more, and the new one is.
func TestAHomeWhoseAccountIsTakenAway(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.opens(w.bot, "U1")
	w.wantHome("U1", id, "")
	p, err := w.store.Person(t.Context(), "u1@uni.edu")
	if err != nil {
		t.Fatal(err)
	}
	p.SlackID = "T1:U9"
	if err := w.store.Commit(t.Context(), environment.Change{Person: &p}); err != nil {
		t.Fatal(err)
	}
	w.homesAnew([]string{p.Subject}, w.bot)
	w.wantHome("U1", "no longer linked", id)
	w.opens(w.bot, "U9")
	w.wantHome("U9", id, "")
	w.homesAnew([]string{p.Subject}, w.bot)
	w.wantHome("U1", "no longer linked", id)
	if n := len(w.bot.homes.seen); n != 1 {
		t.Errorf("%d homes are kept up to date; want one", n)
	}
}

// TestAnAccountIsOnePersonsWhateverItsSpelling: an admin may leave out the team
// of a Slack account. Whoever has it by one spelling loses it when it is given
// to somebody by the other, and is told nothing there any more.
func TestAnAccountIsOnePersonsWhateverItsSpelling(t *testing.T) {
	admin := environment.Caller{Subject: "root", Role: environment.RoleAdmin}
	put := func(w *world, subject, slackID string) {
		t.Helper()
		if _, err := w.service.PutPerson(t.Context(), admin, environment.Person{Subject: subject, SlackID: slackID}); err != nil {
			t.Fatal(err)
		}
	}
	join := func(w *world, subject string) {
		t.Helper()
		code, _, err := w.service.LinkCode(t.Context(), environment.Caller{Subject: subject, Role: environment.RoleStudent}, subject)
		if err != nil {
			t.Fatal(err)
		}
		w.say("U1", "link "+code.Reveal())
	}
	for name, c := range map[string]struct{ had, given string }{
		"with its team, then without": {"T1:U1", "U1"},
		"without its team, then with": {"U1", "T1:U1"},
		"without its team, by a code": {"U1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			put(w, "bob", c.had)
			id := w.upped()
			if c.given != "" {
				put(w, "ann", c.given)
			} else {
				join(w, "ann")
			}
			if got := w.say("U1", "link"); !strings.Contains(got, "ann") {
				t.Errorf("got %q; want ann", got)
			}
			edit, ev := ready(w)
			w.become(id, edit, ev)
			w.settle(w.bot, id)
			if told := w.slack.texts("D1"); len(told) > 0 {
				t.Errorf("the account is told of bob's: %q", told)
			}
		})
	}
	t.Run("of somebody, who joins it by a code", func(t *testing.T) {
		w := newWorld(t)
		put(w, "ann", "U1")
		join(w, "ann")
		if p, err := w.store.Person(t.Context(), "ann"); err != nil || p.SlackID != "T1:U1" {
			t.Errorf("got %q, %v; want the account with its team", p.SlackID, err)
		}
	})
	t.Run("of another team", func(t *testing.T) {
		w := newWorld(t)
		put(w, "bob", "T2:U1")
		put(w, "ann", "T1:U1")
		if p, err := w.store.Person(t.Context(), "bob"); err != nil || p.SlackID != "T2:U1" {
			t.Errorf("got %q, %v; want bob to keep what is another's", p.SlackID, err)
		}
	})
}
