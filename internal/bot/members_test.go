package bot

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestEverybodyIsReadAgain: where Slack asked to wait, at its time, and
// otherwise before anybody's entry is old.
func TestEverybodyIsReadAgain(t *testing.T) {
	w := newWorld(t)
	w.slack.members = 1500
	calls := 0
	w.slack.strike(func(method string, rw http.ResponseWriter) bool {
		if method != "users.list" {
			return false
		}
		if calls++; calls != 2 {
			return false
		}
		rw.Header().Set("Retry-After", "20")
		rw.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	read := func(want time.Duration) {
		t.Helper()
		if got := w.bot.readAllMembers(t.Context()); got != want {
			t.Errorf("read again after %s; want %s", got, want)
		}
	}
	knows := func(user string, want bool) {
		t.Helper()
		if _, got := w.bot.api.known.get(user); got != want {
			t.Errorf("%s is known: %v; want %v", user, got, want)
		}
	}
	read(20 * time.Second)
	knows("UM0", true)
	knows("UM1400", false)
	w.now = w.now.Add(19 * time.Second)
	read(time.Second)
	knows("UM1400", false)
	w.now = w.now.Add(time.Second)
	read(membersEvery)
	knows("UM1400", true)
	if calls != 3 {
		t.Errorf("asked %d times; want to go on where Slack asked to wait", calls)
	}
	w.now = w.now.Add(membersEvery)
	read(membersEvery)
	if m, _ := w.bot.api.known.get("UM0"); w.now.Sub(m.at) != 0 {
		t.Errorf("the entry is %s old; want it new", w.now.Sub(m.at))
	}
}

// TestInstalledWorkspacesAreReadToo: from the first delivery on, and not once
// they took the app away.
func TestInstalledWorkspacesAreReadToo(t *testing.T) {
	w := installable(t, "T2")
	w.slack.members = 3
	w.install()
	api, err := w.bot.client(t.Context(), "T2")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.bot.clients.joined:
	default:
		t.Error("nobody is told that there is another workspace")
	}
	w.bot.readAllMembers(t.Context())
	if _, known := api.known.get("UM2"); !known {
		t.Error("nobody of the other workspace is known")
	}
	w.happens("T2", "app_uninstalled", `{}`)
	w.now = w.now.Add(2 * time.Hour)
	before := w.slack.calls["users.list"]
	w.bot.readAllMembers(t.Context())
	if got := w.slack.calls["users.list"] - before; got != 1 {
		t.Errorf("%d workspaces were read; want one", got)
	}
}

// TestWhoeverComesWhileEverybodyIsRead: a class that types while the daemon
// starts waits for what is being read, where nobody can be asked about alone.
func TestWhoeverComesWhileEverybodyIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := stuckWorld(t, func(r *http.Request) (int, string, string) {
			if r.URL.Path == "/users.info" {
				return http.StatusTooManyRequests, "30", ""
			}
			time.Sleep(time.Second) // of the bubble
			return http.StatusOK, "", `{"ok":true,"members":[{"id":"U5","tz":"Europe/Paris","is_email_confirmed":true,"profile":{"email":"u5@uni.edu"}}]}`
		})
		go w.bot.readMembers(t.Context(), w.bot.api)
		synctest.Wait()
		if m, err := w.bot.member(t.Context(), account{"T1", "U5"}); err != nil || m.email != "u5@uni.edu" {
			t.Errorf("got %+v, %v; want who they are", m, err)
		}
		if _, err := w.bot.member(t.Context(), account{"T1", "U6"}); environment.CodeOf(err) != environment.CodeUnavailable {
			t.Errorf("somebody who is not a member: got %v; want unavailable", err)
		}
	})
}

// TestPeopleOfOneZoneShareIt: a workspace of ten thousand has a few zones, each
// of which takes some 5 kB.
func TestPeopleOfOneZoneShareIt(t *testing.T) {
	var known directoryCache
	at := func(id, zone string, offset int) *time.Location {
		return known.put(slack.User{ID: id, TZ: zone, TZOffset: offset}, time.Time{}).zone
	}
	if a, b := at("U1", "Europe/Berlin", 3600), at("U2", "Europe/Berlin", 3600); a == nil || a != b {
		t.Errorf("got %p and %p; want one zone", a, b)
	}
	// Of a name that is not known the distance is taken, as it is then.
	for id, offset := range map[string]int{"U3": 3600, "U4": 7200} {
		if _, got := time.Unix(0, 0).In(at(id, "Mars/Olympus", offset)).Zone(); got != offset {
			t.Errorf("%s is %d seconds from UTC; want %d", id, got, offset)
		}
	}
	if zone := at("U5", "", 0); zone != nil {
		t.Errorf("got %v without a zone; want none", zone)
	}
}
