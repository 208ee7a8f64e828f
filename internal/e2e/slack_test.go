package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newSlackWorld is a world whose daemon is the app of a workspace of its own.
// The people's addresses are those the shipped configuration knows.
func newSlackWorld(t *testing.T) *world { t.Helper(); return newSlackClass(t, 0) }

// newSlackClass is newSlackWorld with further people, m1, m2 and so on.
func newSlackClass(t *testing.T, members int) *world { t.Helper(); return newSlackWith(t, "", members) }

// newSlackWith is newSlackClass with a configuration of its own, "" for the
// shipped one.
func newSlackWith(t *testing.T, config string, members int) *world {
	t.Helper()
	w := newUnstarted(t)
	if config != "" {
		w.config = config
	}
	w.joinSlack(t, members)
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// joinSlack makes a workspace whose app the daemon is once it is started.
func (w *world) joinSlack(t *testing.T, members int) {
	t.Helper()
	app := w.workspaceOf(t, map[string]any{"url": "http://" + w.addr, "members": members})
	w.extra = []string{"SLACK_BOT_TOKEN=" + app.BotToken, "SLACK_SIGNING_SECRET=" + app.SigningSecret, "SLACK_API_URL=" + app.API}
}

// slackApp is how to be an app.
type slackApp struct{ BotToken, AppToken, SigningSecret, API string }

// workspaceOf makes the workspace of this world, with an app of its own.
func (w *world) workspaceOf(t *testing.T, workspace map[string]any) slackApp {
	t.Helper()
	var made struct {
		App struct{ Credentials slackApp }
	}
	workspace["domain"], workspace["name"], workspace["mail"] = w.project, "A class", "sandbox-university.example"
	if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/workspaces", workspace, &made); err != nil {
		t.Fatal(err)
	}
	w.workspace = w.project
	return made.App.Credentials
}

// types is what a person types in #general. Slack must not complain of the app.
func (w *world) types(t *testing.T, person, line string) {
	t.Helper()
	var result struct{ Problem string }
	deed := map[string]any{"team": w.workspace, "user": person, "channel": "general", "text": line}
	if err := stage.sandbox.ask(t.Context(), http.MethodPost, "/slack/do/say", deed, &result); err != nil || result.Problem != "" {
		t.Fatalf("%s types %s: %v %s", person, line, err, result.Problem)
	}
}

// direct is a message of the app to one person.
type direct struct{ Text, Kind, Of string }

// told lists what the app told a person in the direct message, oldest first,
// as it reads now.
func (w *world) told(ctx context.Context, person string) ([]direct, error) {
	var all []struct {
		Text, ChannelName, Author, For string
		Metadata                       struct {
			Payload struct{ Environment, Kind string } `json:"event_payload"`
		}
	}
	query := url.Values{"team": {w.workspace}, "user": {person}}
	if err := stage.sandbox.ask(ctx, http.MethodGet, "/slack/messages?"+query.Encode(), nil, &all); err != nil {
		return nil, err
	}
	var out []direct
	for _, m := range all {
		if m.ChannelName == "directmessage" && m.Author == "daskbot" && m.For == "" {
			out = append(out, direct{m.Text, m.Metadata.Payload.Kind, m.Metadata.Payload.Environment})
		}
	}
	return out, nil
}

// wantTold waits until a person was told exactly these kinds of message, in
// this order.
func (w *world) wantTold(t *testing.T, person string, want ...string) []direct {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []direct
	var kinds []string
	err := until(ctx, "wait for what "+person+" is told", func() (bool, error) {
		all, err := w.told(ctx, person)
		if err != nil {
			return false, err
		}
		got, kinds = all, nil
		for _, m := range all {
			kinds = append(kinds, m.Kind)
		}
		return len(kinds) >= len(want), nil
	})
	if diff := cmp.Diff(want, kinds); diff != "" || err != nil {
		t.Fatalf("%v; %s was told (-want +got):\n%s", err, person, diff)
	}
	return got
}

// wantWords waits until what a person was told reads like that.
func (w *world) wantWords(t *testing.T, person string, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []direct
	err := until(ctx, "wait for the words", func() (bool, error) {
		now, err := w.told(ctx, person)
		if err != nil {
			return false, err
		}
		got = now
		return slices.EqualFunc(got, want, func(m direct, words string) bool { return strings.Contains(m.Text, words) }), nil
	})
	if err != nil {
		t.Fatalf("%v: %s reads %+v; want %q", err, person, got, want)
	}
}

// troubled lets Slack misbehave in one way for a while.
func (w *world) troubled(t *testing.T, kind, delay string, meanwhile func()) {
	t.Helper()
	if err := stage.sandbox.addFault(t.Context(), w.project, map[string]any{"kind": kind, "delay": delay}); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	if err := stage.sandbox.forgetFaults(t.Context(), w.project); err != nil {
		t.Fatal(err)
	}
}

// TestSlackInTrouble: Slack answers 429, then 500, then not at all, while
// environments come and go. The work goes on, and in the end each thing was
// told once. -slow makes each trouble last a minute.
func TestSlackInTrouble(t *testing.T) {
	t.Parallel()
	w := newSlackWorld(t)
	w.types(t, "s1", "/dask")
	long := 10 * time.Second
	if *slow {
		long = time.Minute
	}
	lasts := func() {
		if err := pause(t.Context(), long); err != nil {
			t.Fatal(err)
		}
	}
	id := ""
	w.troubled(t, "slack-429", "2s", func() {
		w.types(t, "s1", "/dask up dask")
		id, _ = w.only(t, "s1")
		w.mustAwait(t, id, "ready")
		lasts()
		w.wantTold(t, "s1")
	})
	w.troubled(t, "slack-500", "", lasts)
	w.troubled(t, "slack-hang", "2s", lasts)
	w.wantTold(t, "s1", "progress", "ready")
	w.wantWords(t, "s1", "is ready. It ends", "is ready. It ends")

	w.troubled(t, "slack-hang", "2s", func() {
		w.types(t, "s1", "/dask down")
		w.mustAwait(t, id, "deleted")
	})
	w.troubled(t, "slack-500", "", lasts)
	w.troubled(t, "slack-429", "2s", lasts)
	w.wantTold(t, "s1", "progress", "ready", "ended")
	w.wantWords(t, "s1", "is deleted. You asked for that.", "was ready. It is deleted.", "has ended. You asked for that.")
	lasts()
	w.wantTold(t, "s1", "progress", "ready", "ended")
}

func (w *world) mustAwait(t *testing.T, id, state string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := w.await(ctx, id, state); err != nil {
		t.Fatal(err)
	}
}

// TestToldOnceThoughKilled kills the daemon at random moments while students
// and a class come and go, and while Slack now and then takes a message without
// saying so: each person is told each thing once.
func TestToldOnceThoughKilled(t *testing.T) {
	t.Parallel()
	w := newSlackWorld(t)
	people := []string{"s1", "s2", "s3"}
	for _, person := range append(people, "teacher") {
		w.types(t, person, "/dask")
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	d := &deaths{world: w, random: rand.New(rand.NewPCG(*seed, 1))}

	for _, person := range people {
		w.types(t, person, "/dask up dask")
	}
	w.types(t, "teacher", "/dask class up demo")
	d.die(t, 8)
	for _, person := range people {
		id, _ := w.only(t, person)
		w.mustAwait(t, id, "ready")
		w.wantTold(t, person, "progress", "ready")
	}
	w.wantTold(t, "teacher", "class")
	w.wantWords(t, "teacher", "*demo* is started: 3 being made.")

	for _, person := range people {
		w.types(t, person, "/dask down")
	}
	w.types(t, "teacher", "/dask class down demo")
	d.die(t, 8)
	for _, person := range people {
		w.wantTold(t, person, "progress", "ready", "ended")
		w.wantWords(t, person, "is deleted. You asked for that.", "was ready. It is deleted.", "has ended. You asked for that.")
	}
	w.wantWords(t, "teacher", "*demo* is started: 3 being made.", "*demo* is ended: 3 being deleted.")
	if err := pause(t.Context(), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	w.wantTold(t, "teacher", "class", "class")
	for _, person := range people {
		w.wantTold(t, person, "progress", "ready", "ended")
	}
}

// deaths kills a daemon at random moments.
type deaths struct {
	*world
	random *rand.Rand
}

// die kills it so often and leaves it running. Most moments are soon after the
// start, when it catches up on what it has to tell.
func (d *deaths) die(t *testing.T, times int) {
	t.Helper()
	for i := range times {
		if i%2 == 0 {
			lost := map[string]any{"kind": "slack-lost", "method": "chat.postMessage", "times": 1, "delay": "1s"}
			if err := stage.sandbox.addFault(t.Context(), d.project, lost); err != nil {
				t.Fatal(err)
			}
		}
		if err := pause(t.Context(), time.Duration(d.random.ExpFloat64()*float64(500*time.Millisecond))); err != nil {
			t.Fatal(err)
		}
		if err := d.kill9(); err != nil {
			t.Fatal(err)
		}
		if err := d.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
