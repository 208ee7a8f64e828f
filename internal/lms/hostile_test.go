package lms

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

const added = `{"type":"member.added","data":{"course":"de-2026","user":{"email":"ada@b.edu","name":"Ada"}}}`

// What is not proved is refused, keeps nothing and does nothing.
func TestStandardWebhooksThatProveNothing(t *testing.T) {
	for name, spoil := range map[string]func(w *world, r *http.Request) *http.Request{
		"no signature": func(_ *world, r *http.Request) *http.Request { r.Header.Del("webhook-signature"); return r },
		"no id":        func(_ *world, r *http.Request) *http.Request { r.Header.Del("webhook-id"); return r },
		"no timestamp": func(_ *world, r *http.Request) *http.Request { r.Header.Del("webhook-timestamp"); return r },
		"another id":   func(_ *world, r *http.Request) *http.Request { r.Header.Set("webhook-id", "other"); return r },
		"an odd time":  func(_ *world, r *http.Request) *http.Request { r.Header.Set("webhook-timestamp", "now"); return r },
		"a long id": func(_ *world, r *http.Request) *http.Request {
			r.Header.Set("webhook-id", strings.Repeat("x", 300))
			return r
		},
		"stale": func(w *world, r *http.Request) *http.Request {
			w.now = w.now.Add(5*time.Minute + time.Second)
			return r
		},
		"from tomorrow": func(w *world, r *http.Request) *http.Request { w.now = w.now.Add(-24 * time.Hour); return r },
		"another time, same signature": func(w *world, r *http.Request) *http.Request {
			r.Header.Set("webhook-timestamp", fmt.Sprint(w.now.Add(time.Minute).Unix()))
			return r
		},
		"tampered": func(w *world, r *http.Request) *http.Request {
			other := w.request("sis", strings.Replace(added, "ada@", "eve@", 1))
			other.Header = r.Header
			return other
		},
		"another secret": func(_ *world, r *http.Request) *http.Request {
			r.Header.Set("webhook-signature", "v1,"+mac("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), "x"))
			return r
		},
		"an unknown version": func(_ *world, r *http.Request) *http.Request {
			r.Header.Set("webhook-signature", strings.Replace(r.Header.Get("webhook-signature"), "v1,", "v2,", 1))
			return r
		},
		"the right one behind many": func(_ *world, r *http.Request) *http.Request {
			r.Header.Set("webhook-signature", strings.Repeat("v1,AAAA ", 1000)+r.Header.Get("webhook-signature"))
			return r
		},
		"the secret itself": func(w *world, _ *http.Request) *http.Request {
			r := w.request("sis", added)
			r.Header.Set("Authorization", "Bearer "+hookSecret)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.status(spoil(w, w.signed("msg_1", added)), http.StatusUnauthorized)
			w.untouched()
			if strings.Contains(w.log.String(), "whsec_") || strings.Contains(w.log.String(), "ada@") {
				t.Errorf("the log tells a secret or the message: %s", &w.log)
			}
		})
	}
}

// The example of the specification's own libraries, and secrets and keys that
// are being rotated.
func TestStandardWebhooksThatProve(t *testing.T) {
	v, err := newStandard([]environment.Secret{environment.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwAA")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !v.signed([]byte("a"), "v1,xyz v1,"+mac("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwAA", "a")) {
		t.Error("the second of two signatures, and only that, is right: want it taken")
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Source{Name: "sis", Kind: Generic, Secrets: []environment.Secret{environment.NewSecret(oldSecret), environment.NewSecret(hookSecret)},
		PublicKeys: []string{"whpk_" + base64.StdEncoding.EncodeToString(public)}})
	w.status(w.signed("by the second secret", added), http.StatusOK)
	r := w.signed("by the key", added)
	content := fmt.Sprintf("by the key.%d.%s", w.now.Unix(), added)
	r.Header.Set("webhook-signature", "v1,AAAA v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(content))))
	w.status(r, http.StatusOK)
	// An HMAC under the public key is no signature.
	r = w.signed("confused", added)
	r.Header.Set("webhook-signature", "v1,"+mac("whsec_"+base64.StdEncoding.EncodeToString(public), fmt.Sprintf("confused.%d.%s", w.now.Unix(), added)))
	w.status(r, http.StatusUnauthorized)
	if n := len(w.deliveries()); n != 2 {
		t.Errorf("%d were kept; want 2", n)
	}
}

func TestASourceWithoutASecretIsRefused(t *testing.T) {
	for _, s := range []Source{
		{Kind: Generic}, {Kind: Generic, Secrets: []environment.Secret{{}}}, {Kind: Generic, Secrets: []environment.Secret{environment.NewSecret("whsec_c2hvcnQ=")}},
		{Kind: Moodle}, {Kind: Bearer, Secrets: []environment.Secret{environment.NewSecret("short")}}, {Kind: Canvas}, {Kind: "other"},
		{Kind: Generic, PublicKeys: []string{"whpk_AAAA"}},
	} {
		if err := Check(s); err == nil {
			t.Errorf("%+v is taken; want it refused", s)
		} else if strings.Contains(err.Error(), "short") && s.Kind == Bearer && strings.Contains(err.Error(), `"short"`) {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

func TestReplayedIsCountedAndDoneOnce(t *testing.T) {
	w := newWorld(t)
	start := `{"type":"environment.start","data":{"course":"de-2026","email":"ada@b.edu"}}`
	for range 60 { // an LMS that repeats for an hour, each time signed anew
		w.status(w.signed("msg_1", start), http.StatusOK)
		w.work("sis")
		w.now = w.now.Add(time.Minute)
	}
	all := w.deliveries()
	if len(all) != 1 || all[0].Copies != 59 || all[0].State != environment.DeliveryDone {
		t.Errorf("got %+v; want one delivery with 59 copies", all)
	}
	if n := len(w.environments()); n != 1 {
		t.Errorf("%d environments; want 1", n)
	}
	if w.seen[Accepted] != 1 || w.seen[Copied] != 59 {
		t.Errorf("counted %v", w.seen)
	}
}

func TestTwoIdenticalAtOnce(t *testing.T) {
	w := newWorld(t)
	w.hooks.Observe = func(string, string) {}
	var all sync.WaitGroup
	for range 20 {
		r := w.signed("msg_1", `{"type":"environment.start","data":{"course":"de-2026","email":"ada@b.edu"}}`)
		all.Go(func() {
			if rec := w.serve(r); rec.Code != http.StatusOK {
				t.Errorf("got %d; want 200", rec.Code)
			}
		})
	}
	all.Wait()
	w.work("sis")
	if got := w.deliveries(); len(got) != 1 || len(w.environments()) != 1 {
		t.Errorf("%d deliveries, %d environments; want one effect", len(got), len(w.environments()))
	}
}

// Killed between receipt and action: the next process carries it out. Killed
// between action and the note of it: it is carried out again, without effect.
func TestKilledInBetween(t *testing.T) {
	w := newWorld(t)
	w.status(w.signed("msg_1", `{"type":"environment.start","data":{"course":"de-2026","email":"ada@b.edu"}}`), http.StatusOK)
	w.open()
	w.work("sis")
	if n := len(w.environments()); n != 1 {
		t.Fatalf("%d environments; want 1", n)
	}
	first := w.environments()[0]
	if _, _, err := w.service.Down(t.Context(), admin, first.ID, 0); err != nil {
		t.Fatal(err)
	}
	d := w.deliveries()[0]
	d.State, d.SettledAt = environment.DeliveryWaiting, time.Time{}
	if err := w.store.Settle(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.work("sis")
	if n := len(w.environments()); n != 1 {
		t.Errorf("%d environments; want the first alone, which somebody ended meanwhile", n)
	}
}

func TestBodiesThatAreTooMuch(t *testing.T) {
	w := newWorld(t)
	w.status(w.signed("msg_1", strings.Repeat(" ", maxBody+1)), http.StatusRequestEntityTooLarge)
	w.untouched()
	r := w.request("sis", added)
	r.Method = http.MethodGet
	w.status(r, http.StatusMethodNotAllowed)
	w.status(w.request("nobody", added), http.StatusNotFound)
	r = w.request("sis", added)
	r.URL.Path = "/hooks/other/sis"
	w.status(r, http.StatusNotFound)
}

// A roster bomb starts nothing, is bounded, and keeps out nobody else.
func TestRosterBomb(t *testing.T) {
	w := newWorld(t)
	var members []map[string]string
	for i := range 5000 {
		members = append(members, map[string]string{"email": fmt.Sprintf("s%d@b.edu", i%4000)})
	}
	d := w.say("member.added", js(map[string]any{"course": "de-2026", "members": members}))
	if d.State != environment.DeliveryDone || !strings.Contains(d.Reason, "Only the first 500") {
		t.Errorf("got %s %q; want the bound told", d.State, d.Reason)
	}
	if n := len(w.course().Members); n != maxPeople {
		t.Errorf("%d members; want %d", n, maxPeople)
	}
	if n := len(w.environments()); n != 0 {
		t.Errorf("%d environments; want none", n)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	w := newWorld(t, Source{Name: "sis", Kind: Generic, Secrets: []environment.Secret{environment.NewSecret(hookSecret)}, PerMinute: 60})
	for i := range 6 {
		w.status(w.signed(fmt.Sprint(i), added), http.StatusOK)
	}
	r := w.serve(w.signed("7", added))
	if r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v; want 429 with Retry-After", r.Code, r.Header())
	}
}

// Names that pretend to be others' are refused or shown as they are.
func TestOddUnicode(t *testing.T) {
	w := newWorld(t)
	for _, email := range []string{"аda@b.edu" /* a Cyrillic letter */, "ada\u202e@b.edu.evil", "ada@b.edu\u0000", "ＡＤＡ@b.edu", "ada@b.edu\nBcc: x@y.z", "\xff\xfe@b.edu"} {
		d := w.say("member.added", js(map[string]any{"course": "de-2026", "email": email}))
		for _, m := range w.course().Members {
			if m.Email != "ada@b.edu" && m.Email != "ada@b.edu.evil" {
				t.Errorf("%q made %+v (%s %s)", email, m, d.State, d.Reason)
			}
		}
	}
	w.say("member.added", `{"course":"de-2026","user":{"id":"9","name":"\u202eevil\u0007 \ud83d\ude00 Z͑ͫ\u2028\u0000"}}`)
	for _, m := range w.course().Members {
		if strings.ContainsAny(m.Name, "\u202e\u0007\u2028\u0000") {
			t.Errorf("the name %q can change how a page reads", m.Name)
		}
	}
}

func TestTheSameAddressTwiceIsOneMember(t *testing.T) {
	w := newWorld(t)
	for _, email := range []string{"Ada@B.edu", "ada@b.edu", " ADA@b.EDU "} {
		w.say("enrollment.created", js(map[string]any{"course": "de-2026", "email": email}))
	}
	if got := w.course().Members; len(got) != 1 || got[0].Subject != "ada@b.edu" {
		t.Errorf("members: %+v; want one", got)
	}
}

// A delivery that cannot be carried out is parked, told, and stands in
// nobody's way; mended, it can be tried again.
func TestPoisonIsParked(t *testing.T) {
	w := newWorld(t)
	for i, body := range []string{"not json at all", `{"type":`, `[1,2]`, `{"data":{}}`, `{"type":"member.added","data":{"course":"de-2026"}}`, "\x00\xff"} {
		w.status(w.signed(fmt.Sprint("poison", i), body), http.StatusOK)
	}
	w.status(w.signed("good", added), http.StatusOK)
	w.work("sis")
	parked := 0
	for _, d := range w.deliveries() {
		if d.State == environment.DeliveryParked && d.Reason != "" {
			parked++
		}
	}
	if parked != 6 || len(w.course().Members) != 1 {
		t.Errorf("%d parked, %d members; want 6 parked and the good one done", parked, len(w.course().Members))
	}
	if w.seen["parked"] != 6 || w.seen["done"] != 1 {
		t.Errorf("counted %v", w.seen)
	}
}

func TestAPanicIsParkedAfterBoundedTries(t *testing.T) {
	w := newWorld(t)
	w.hooks.Commands = panics{w.service}
	w.status(w.signed("poison", added), http.StatusOK)
	w.work("sis")
	if d := w.deliveries()[0]; d.State != environment.DeliveryParked || d.Tries != maxTries || strings.Contains(d.Reason, "boom") {
		t.Errorf("got %s after %d tries, %q; want it parked without internals", d.State, d.Tries, d.Reason)
	}
	w.hooks.Commands = w.service
	if _, err := w.service.RetryDelivery(t.Context(), admin, w.deliveries()[0].ID); err != nil {
		t.Fatal(err)
	}
	w.work("sis")
	if d := w.deliveries()[0]; d.State != environment.DeliveryDone || len(w.course().Members) != 1 {
		t.Errorf("tried again: %s, %d members; want it done", d.State, len(w.course().Members))
	}
}

func TestUnknownEventsAreAcceptedAndIgnored(t *testing.T) {
	w := newWorld(t)
	for _, d := range []environment.Delivery{w.say("quiz.submitted", `{}`), w.say("member.added", `{"course":"another","email":"ada@b.edu"}`), w.say("course.created", `{"course":"new"}`)} {
		if d.State != environment.DeliveryIgnored || d.Reason == "" {
			t.Errorf("%s: got %s %q; want it ignored with the reason", d.Type, d.State, d.Reason)
		}
	}
	if len(w.course().Members) != 0 {
		t.Error("somebody was enrolled")
	}
}

// A source that is for one course speaks of no other, whatever it says.
func TestASourceForOneCourse(t *testing.T) {
	w := newWorld(t, Source{Name: "sis", Kind: Generic, Secrets: []environment.Secret{environment.NewSecret(hookSecret)}, Course: "other"})
	w.apply(environment.Course{ID: "other"})
	if d := w.say("member.added", `{"course":"de-2026","email":"ada@b.edu"}`); d.State != environment.DeliveryIgnored {
		t.Errorf("got %s %q; want it ignored", d.State, d.Reason)
	}
	if d := w.say("member.added", `{"email":"ada@b.edu"}`); d.State != environment.DeliveryDone {
		t.Errorf("got %s %q; want it done in its own course", d.State, d.Reason)
	}
	if len(w.course().Members) != 0 {
		t.Error("somebody was enrolled in the wrong course")
	}
}

func TestFormsAreNotTakenForSignatures(t *testing.T) {
	w := newWorld(t, Source{Name: "b", Kind: Bearer, Secrets: []environment.Secret{environment.NewSecret(plainSecret)}})
	r := w.request("b", url.Values{"token": {plainSecret}, "event": {"member.added"}}.Encode())
	w.status(r, http.StatusUnauthorized) // only Moodle's is in the body
	w.untouched()
}

// panics fails in a way nobody thought of.
type panics struct{ Commands }

func (panics) CourseByLMS(context.Context, string, string) (environment.Course, error) { panic("boom") }
