package bot

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestOnlyVerifiedBytesCount(t *testing.T) {
	w := newWorld(t)
	body := slashBody("U1", "up", "1.1")
	click := url.Values{"payload": {`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"trigger_id":"2.2","actions":[{"action_id":"stop","value":"x"}]}`}}
	stale := w.request("/slack/commands", body)
	stale.Header.Set("X-Slack-Request-Timestamp", "1531420618")
	stale.Header.Set("X-Slack-Signature", sign("1531420618", body))
	wrong := w.request("/slack/commands", body)
	wrong.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
	other := w.request("/slack/commands", body)
	other.Body = http.NoBody
	unsigned := w.request("/slack/commands", body)
	unsigned.Header.Del("X-Slack-Signature")
	for name, tt := range map[string]struct {
		r    *http.Request
		want int
	}{
		"stale":                         {stale, http.StatusUnauthorized},
		"wrong signature":               {wrong, http.StatusUnauthorized},
		"another body":                  {other, http.StatusUnauthorized},
		"unsigned":                      {unsigned, http.StatusUnauthorized},
		"1 MB":                          {w.request("/slack/commands", strings.Repeat("x", 1<<20)), http.StatusRequestEntityTooLarge},
		"payload in the query":          {w.request("/slack/interactions?"+click.Encode(), body), http.StatusBadRequest},
		"no user":                       {w.request("/slack/commands", "text=up"), http.StatusBadRequest},
		"an event without an id":        {w.request("/slack/events", `{"type":"event_callback","event":{}}`), http.StatusBadRequest},
		"another method":                {httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/slack/commands", nil), http.StatusMethodNotAllowed},
		"an unknown kind of event":      {w.request("/slack/events", `{"type":"event_callback","team_id":"T1","event_id":"E1","event":{"type":"x"}}`), http.StatusOK},
		"an unknown kind of click":      {w.request("/slack/interactions", url.Values{"payload": {`{"type":"shortcut","team":{"id":"T1"},"user":{"id":"U1"}}`}}.Encode()), http.StatusOK},
		"a signed click on what is not": {w.request("/slack/interactions", click.Encode()), http.StatusOK},
	} {
		if rec := w.serve(tt.r); rec.Code != tt.want {
			t.Errorf("%s: got %d %s; want %d", name, rec.Code, rec.Body, tt.want)
		}
	}
	if got := w.environments(); len(got) != 0 {
		t.Errorf("got %d environments; want none", len(got))
	}
}

func TestNoSecretMeansNobodyIsBelieved(t *testing.T) {
	w := newWorld(t)
	w.bot.signingSecret = environment.Secret{}
	if rec := w.serve(w.request("/slack/commands", slashBody("U1", "up", "1.1"))); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d; want 503", rec.Code)
	}
}

func TestURLVerification(t *testing.T) {
	w := newWorld(t)
	rec := w.serve(w.request("/slack/events", `{"type":"url_verification","challenge":"abc"}`))
	if got := strings.TrimSpace(rec.Body.String()); rec.Code != http.StatusOK || got != `{"challenge":"abc"}` {
		t.Errorf("got %d %s; want the challenge", rec.Code, got)
	}
}

// TestCertificateCheck: Slack's look at the certificate is answered with nothing,
// but only when it is Slack's.
func TestCertificateCheck(t *testing.T) {
	w := newWorld(t)
	const check = "token=x&ssl_check=1"
	if rec := w.serve(w.request("/slack/commands", check)); rec.Code != http.StatusOK || rec.Body.Len() != 0 {
		t.Errorf("got %d %q; want 200 and nothing", rec.Code, rec.Body)
	}
	unsigned := w.request("/slack/commands", check)
	unsigned.Header.Del("X-Slack-Signature")
	if rec := w.serve(unsigned); rec.Code != http.StatusUnauthorized {
		t.Errorf("unsigned: got %d; want 401", rec.Code)
	}
	if rec := w.serve(w.request("/slack/commands", "token=x&ssl_check=0")); rec.Code != http.StatusBadRequest {
		t.Errorf("neither a check nor a command: got %d; want 400", rec.Code)
	}
}

func TestOneDeliveryCountsOnce(t *testing.T) {
	w := newWorld(t)
	up := slashBody("U1", "up", "1.1")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if rec := w.serve(w.request("/slack/commands", up)); rec.Code != http.StatusOK {
				t.Errorf("got %d; want 200", rec.Code)
			}
		})
	}
	both.Wait()
	made := w.environments()
	if len(made) != 1 {
		t.Fatalf("got %d environments; want 1", len(made))
	}
	// An extension adds, so that a second delivery of one would show.
	extend := slashBody("U1", "extend 1h", "1.2")
	for range 3 {
		w.deliver(extend)
	}
	if got := w.environments()[0].Spec.TTL; got != 5*time.Hour {
		t.Errorf("three deliveries of one extension: it lives for %s; want 5h", got)
	}
	// After down, the first `up` delivered again must not make another one.
	w.say("U1", "down")
	w.deliver(up)
	if got := w.environments(); len(got) != 1 {
		t.Errorf("got %d environments; want 1", len(got))
	}
}

// TestOtherDeliveriesCountOnceToo: a click, a form and an event that come twice
// do what they do once.
func TestOtherDeliveriesCountOnceToo(t *testing.T) {
	w, id := readied(t)
	end := func() time.Time { return w.environments()[0].ExpiresAt }
	before := end()
	extend := clickBody("U1", actionExtend1, id, "", "7.7")
	for range 2 {
		w.interact(extend)
	}
	if got := end().Sub(before); got != time.Hour {
		t.Errorf("a click that came twice added %s; want 1h", got)
	}
	form := extendBody(id, "1h")
	for range 2 {
		if answer := w.interact(form); answer != "" {
			t.Errorf("got %s; want the form closed", answer)
		}
	}
	if got := end().Sub(before); got != 2*time.Hour {
		t.Errorf("a form that came twice added %s; want another hour", got-time.Hour)
	}
	w.finish()
	posted := w.slack.calls["chat.postMessage"]
	hello := `{"type":"event_callback","team_id":"T1","event_id":"Ev7","event":{"type":"message","channel_type":"im","channel":"D2","user":"U2","text":"hello"}}`
	for range 2 {
		if rec := w.serve(w.request("/slack/events", hello)); rec.Code != http.StatusOK {
			t.Errorf("got %d; want 200", rec.Code)
		}
	}
	w.finish()
	if got := w.slack.calls["chat.postMessage"] - posted; got != 1 {
		t.Errorf("a message that came twice was answered %d times; want once", got)
	}
}

// TestAProjectCommandCountsOnce: one that is delivered again changes nothing
// that was decided since, and asks the cloud nothing.
func TestAProjectCommandCountsOnce(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "link")
	put := func(project string) {
		t.Helper()
		p, err := w.store.Person(t.Context(), "u1@uni.edu")
		if err != nil {
			t.Fatal(err)
		}
		p.Project = project
		if err := w.store.Commit(t.Context(), environment.Change{Person: &p}); err != nil {
			t.Fatal(err)
		}
	}
	paid := func() string {
		t.Helper()
		p, err := w.store.Person(t.Context(), "u1@uni.edu")
		if err != nil {
			t.Fatal(err)
		}
		return p.Project
	}
	put("my-class-2026")
	unlink := slashBody("U1", "project none", "1.1")
	var both sync.WaitGroup
	for range 4 {
		both.Go(func() {
			if rec := w.serve(w.request("/slack/commands", unlink)); !strings.Contains(rec.Body.String(), "no longer linked") {
				t.Errorf("got %s; want it unlinked", rec.Body)
			}
		})
	}
	both.Wait()
	if got := paid(); got != "" || len(w.bot.later) != 0 {
		t.Errorf("got the project %q, and %d put off; want none, before it is acknowledged", got, len(w.bot.later))
	}
	put("my-other-2026")
	if got := w.deliver(unlink); !strings.Contains(got, "my-other-2026") || paid() != "my-other-2026" {
		t.Errorf("delivered again: got %q and the project %q; want what was linked since", got, paid())
	}
	link := slashBody("U1", "project my-class-2026", "1.2")
	for range 3 {
		w.deliver(link)
	}
	if got := len(w.bot.later); got != 1 {
		t.Errorf("a link that came three times is carried out %d times; want once", got)
	}
}

func TestAcknowledgedWhileSlackHangs(t *testing.T) {
	w := newWorld(t)
	w.say("U1", "link") // known from now on
	w.slack.strike(func(_ string, rw http.ResponseWriter) bool {
		rw.WriteHeader(http.StatusInternalServerError)
		return true
	})
	if got := w.say("U1", "up"); !strings.Contains(got, "on its way") {
		t.Errorf("somebody known, while Slack is down: got %q", got)
	}
	if got := w.say("U2", "up"); !strings.Contains(got, "nothing was done") {
		t.Errorf("a stranger, while Slack is down: got %q", got)
	}
}

// TestAClassStarts: a class asks for an environment and how it is within
// seconds, hours after Slack last said who everybody is; everybody is
// acknowledged in time and nothing is lost.
func TestAClassStarts(t *testing.T) {
	w := newWorld(t)
	const people = 150
	w.slack.members = people
	w.bot.readMembers(t.Context(), w.bot.api)
	w.now = w.now.Add(2 * time.Hour)
	var mu sync.Mutex
	var took []time.Duration
	say := func(user, text string) {
		r := w.request("/slack/commands", slashBody(user, text, user+text))
		start := time.Now()
		rec := w.serve(r)
		d := time.Since(start)
		mu.Lock()
		defer mu.Unlock()
		took = append(took, d)
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "Your *daskhub*") {
			t.Errorf("%s: got %d %s", text, rec.Code, rec.Body)
		}
	}
	var all sync.WaitGroup
	room := make(chan struct{}, 4)
	for i := range people {
		room <- struct{}{}
		all.Go(func() {
			user := "UM" + strconv.Itoa(i)
			say(user, "up")
			say(user, "status")
			<-room
		})
	}
	all.Wait()
	n, err := w.store.CountLive(t.Context(), "", "")
	if n != people || err != nil {
		t.Errorf("got %d environments, %v; want %d", n, err, people)
	}
	slices.Sort(took)
	t.Logf("acknowledged: p50 %s, p99 %s, longest %s", took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	// Not the slowest: that one says when this machine had no time for anybody.
	if half := took[len(took)/2]; half > 3*time.Second {
		t.Errorf("half of the acknowledgements took more than %s; want less than 3s", half)
	}
}
