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
