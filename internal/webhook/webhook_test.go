package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		address string
		want    bool
	}{
		{"8.8.8.8", true}, {"2606:4700::1111", true}, {"172.15.0.1", true}, {"100.63.0.1", true},
		{"127.0.0.1", false}, {"127.8.9.1", false}, {"::1", false}, {"0.0.0.0", false}, {"::", false}, {"0.1.2.3", false},
		{"10.0.0.1", false}, {"172.16.0.1", false}, {"172.31.255.255", false}, {"192.168.1.1", false}, {"fc00::1", false}, {"fd00:ec2::254", false},
		{"169.254.169.254", false}, {"169.254.0.1", false}, {"fe80::1", false}, {"fe80::1%eth0", false}, {"fec0::1", false},
		{"100.64.0.1", false}, {"100.100.100.200", false}, {"192.0.0.192", false}, {"198.18.0.1", false},
		{"224.0.0.1", false}, {"255.255.255.255", false}, {"240.0.0.1", false}, {"ff02::1", false},
		{"::ffff:127.0.0.1", false}, {"::ffff:10.0.0.1", false}, {"::ffff:169.254.169.254", false}, {"::ffff:8.8.8.8", true},
		{"64:ff9b::7f00:1", false}, {"64:ff9b::a9fe:a9fe", false}, {"64:ff9b:1::1", false}, {"::127.0.0.1", false},
		{"2002:7f00:1::", false}, {"2001::1", false}, {"2001:db8::1", false}, {"100::1", false},
		{"10.1.2.3", true}, {"::ffff:10.1.2.3", true}, {"10.2.0.1", false}, // 10.1.0.0/16 is allowed
	} {
		g := guard{allowed: parsePrefixes("10.1.0.0/16")}
		if got := g.admits(netip.MustParseAddr(tt.address)); got != tt.want {
			t.Errorf("%s: got %t; want %t", tt.address, got, tt.want)
		}
	}
	if (guard{}).admits(netip.Addr{}) {
		t.Error("no address at all is admitted")
	}
	if (guard{only: true}).admits(netip.MustParseAddr("8.8.8.8")) {
		t.Error("without encryption a public address is admitted")
	}
}

// receiver is a program that is notified.
type receiver struct {
	mu     sync.Mutex
	got    []*http.Request
	bodies [][]byte
	answer func(w http.ResponseWriter, n int)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.got, r.bodies = append(r.got, req), append(r.bodies, body)
	n, answer := len(r.got), r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, n)
	}
}

func (r *receiver) kinds(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, body := range r.bodies {
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Type)
	}
	return all
}

// world is a Sender with a real store and service, and one receiver.
type world struct {
	t        *testing.T
	store    environment.Store
	service  *environment.Service
	sender   *Sender
	receiver *receiver
	url      string
	now      time.Time
	memory   string
	log      bytes.Buffer
}

func newWorld(t *testing.T, events ...string) *world {
	w := &world{t: t, receiver: &receiver{}, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	server := httptest.NewServer(w.receiver)
	t.Cleanup(server.Close)
	w.url = server.URL + "/hook"
	w.store = storetest.Open(t)
	clock := func() time.Time { return w.now }
	w.service = environment.NewService(environment.ServiceConfig{Store: w.store, Feed: &environment.Feed{}, Catalogue: catalogue{}, Now: clock})
	var err error
	w.sender, err = New(Config{Commands: w.service, Allowed: parsePrefixes("127.0.0.0/8"), Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.subscribe(environment.Subscription{URL: w.url, Events: events})
	return w
}

var admin = environment.Caller{Subject: "admin", Role: environment.RoleAdmin}

func (w *world) subscribe(subs ...environment.Subscription) {
	w.t.Helper()
	if _, err := w.service.ApplyCourse(w.t.Context(), admin, environment.Course{ID: "de-2026", Notifications: subs}, 0, false); err != nil {
		w.t.Fatal(err)
	}
}

// anEnvironment is one that is ready, and in the store.
func (w *world) anEnvironment() environment.Environment {
	w.t.Helper()
	e := environment.Environment{ID: environment.NewID(), Owner: environment.NewID() + "@b.edu", Course: "de-2026", Profile: "daskhub", State: environment.StateReady,
		Desired: environment.Present, URL: "https://hub.example.edu", CreatedAt: w.now, ReadyAt: w.now.Add(time.Minute),
		Secrets: environment.Secrets{environment.SecretPassword: environment.NewSecret("open sesame")}}
	if err := w.store.Commit(w.t.Context(), environment.Change{Environment: &e}); err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) tell(e environment.Environment) time.Duration {
	w.t.Helper()
	again, err := w.sender.Tell(w.t.Context(), e, w.memory, func(_ context.Context, memory string) error {
		w.memory = memory
		return nil
	})
	if err != nil {
		w.t.Fatalf("Tell: %v", err)
	}
	return again
}

// tellAll tells until there is no more to do, in virtual time.
func (w *world) tellAll(e environment.Environment) {
	w.t.Helper()
	for range 100 {
		again := w.tell(e)
		if again == 0 {
			return
		}
		w.now = w.now.Add(again)
	}
	w.t.Fatal("the telling does not end")
}

func (w *world) state() environment.SubscriptionState {
	w.t.Helper()
	s, err := w.service.SubscriptionState(w.t.Context(), "de-2026", w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestSignedAndOnceEach(t *testing.T) {
	w := newWorld(t)
	e := w.anEnvironment()
	w.tellAll(e)
	w.tellAll(e)
	e.Ending = &environment.Ending{At: w.now.Add(time.Hour), Cause: environment.EndIdle, ToldAt: w.now}
	w.tellAll(e)
	e.State, e.DeletedAt = environment.StateDeleted, w.now
	w.tellAll(e)
	w.tellAll(e)
	if diff := cmp.Diff([]string{environment.NoticeReady, environment.NoticeEnding, environment.NoticeDeleted}, w.receiver.kinds(t)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	all, err := w.service.Notifications(t.Context(), admin, "de-2026")
	if err != nil {
		t.Fatal(err)
	}
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(all[0].Secret.Reveal(), "whsec_"))
	for i, r := range w.receiver.got {
		mac := hmac.New(sha256.New, key)
		_, _ = io.WriteString(mac, r.Header.Get("webhook-id")+"."+r.Header.Get("webhook-timestamp")+"."+string(w.receiver.bodies[i]))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
			t.Errorf("signature %q; want %q", r.Header.Get("webhook-signature"), want)
		}
		if bytes.Contains(w.receiver.bodies[i], []byte("sesame")) {
			t.Errorf("a password is sent: %s", w.receiver.bodies[i])
		}
	}
}

func TestOnlyWhatIsWantedAndNotWhatWasBefore(t *testing.T) {
	w := newWorld(t, environment.NoticeFailed)
	e := w.anEnvironment()
	w.tellAll(e)
	if len(w.receiver.got) != 0 {
		t.Errorf("told %v; want only failures", w.receiver.kinds(t))
	}
	w.now = w.now.Add(time.Hour)
	w.subscribe(environment.Subscription{URL: w.url + "/new"})
	w.tellAll(e)
	if len(w.receiver.got) != 0 {
		t.Errorf("told %v; want nothing of what was before", w.receiver.kinds(t))
	}
}

// The attempts are those of the specification, with the same id each time;
// after the last the address is given up, and staff can see it.
func TestGivenUpAfterTheLast(t *testing.T) {
	w := newWorld(t)
	w.receiver.answer = func(rw http.ResponseWriter, _ int) { rw.WriteHeader(http.StatusInternalServerError) }
	e := w.anEnvironment()
	begun := w.now
	var at []time.Duration
	for range 20 {
		at = append(at, w.now.Sub(begun))
		again := w.tell(e)
		if again == 0 {
			break
		}
		w.now = w.now.Add(again)
	}
	if len(at) != 10 || len(w.receiver.got) != 10 {
		t.Fatalf("%d attempts at %v; want 10", len(w.receiver.got), at)
	}
	sum := time.Duration(0)
	for i, wait := range waits {
		sum += wait
		if at[i+1] < sum || at[i+1] > sum*11/10+time.Second {
			t.Errorf("attempt %d after %s; want %s and up to a tenth", i+2, at[i+1], sum)
		}
	}
	ids := map[string]bool{}
	for _, r := range w.receiver.got {
		ids[r.Header.Get("webhook-id")] = true
	}
	if len(ids) != 1 {
		t.Errorf("%d ids; want one", len(ids))
	}
	if s := w.state(); s.DisabledAt.IsZero() || !strings.Contains(s.Reason, "500") {
		t.Errorf("got %+v; want it given up with the reason", s)
	}
	events, err := w.store.Events(t.Context(), e.ID, 0, 0)
	if err != nil || !slices.ContainsFunc(events, func(ev environment.Event) bool {
		return ev.Type == environment.EventMuted && ev.Message == "" && strings.Contains(ev.Detail, "--resume")
	}) {
		t.Errorf("events: %v, %v; want staff told", events, err)
	}
	w.tellAll(w.anEnvironment())
	if len(w.receiver.got) != 10 {
		t.Error("something was sent although it was given up")
	}
	w.receiver.answer = nil
	if _, err := w.service.ResumeNotifications(t.Context(), admin, "de-2026"); err != nil {
		t.Fatal(err)
	}
	w.tellAll(e)
	if len(w.receiver.got) != 11 || !w.state().DisabledAt.IsZero() {
		t.Error("resumed, nothing is sent")
	}
}

func TestGone(t *testing.T) {
	w := newWorld(t)
	w.receiver.answer = func(rw http.ResponseWriter, _ int) { rw.WriteHeader(http.StatusGone) }
	w.tellAll(w.anEnvironment())
	if len(w.receiver.got) != 1 || w.state().DisabledAt.IsZero() {
		t.Errorf("%d attempts, %+v; want one, and no more", len(w.receiver.got), w.state())
	}
}

func TestTakenInTheEnd(t *testing.T) {
	w := newWorld(t)
	w.receiver.answer = func(rw http.ResponseWriter, n int) {
		if n < 3 {
			rw.Header().Set("Retry-After", "3600")
			rw.WriteHeader(http.StatusTooManyRequests)
		}
	}
	begun := w.now
	w.tellAll(w.anEnvironment())
	if len(w.receiver.got) != 3 || w.now.Sub(begun) < 2*time.Hour || !w.state().FailingSince.IsZero() {
		t.Errorf("%d attempts in %s, %+v; want three, as far apart as was asked for", len(w.receiver.got), w.now.Sub(begun), w.state())
	}
}

// A receiver that sends us elsewhere, or whose name leads to ourselves, is not
// followed.
func TestNowhereElse(t *testing.T) {
	inner := &receiver{}
	private := httptest.NewServer(inner)
	defer private.Close()
	w := newWorld(t)
	w.receiver.answer = func(rw http.ResponseWriter, _ int) {
		rw.Header().Set("Location", private.URL)
		rw.WriteHeader(http.StatusTemporaryRedirect)
	}
	e := w.anEnvironment()
	w.tell(e)
	if len(inner.got) != 0 || !strings.Contains(w.state().Reason, "redirects are not followed") {
		t.Errorf("got %+v, and %d where it led; want it not followed", w.state(), len(inner.got))
	}
	for _, address := range []string{strings.Replace(private.URL, "127.0.0.1", "localhost", 1), private.URL, strings.Replace(private.URL, "http:", "https:", 1),
		strings.Replace(private.URL, "127.0.0.1", "2130706433", 1), strings.Replace(private.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		t.Run(address, func(t *testing.T) {
			w := newWorld(t)
			w.sender.client, w.sender.plain = guard{}.client(), guard{only: true}.client()
			w.url = address
			w.subscribe(environment.Subscription{URL: address})
			w.tell(w.anEnvironment())
			if len(inner.got) != 0 || w.state().FailingSince.IsZero() {
				t.Errorf("%d arrived, %+v; want none", len(inner.got), w.state())
			}
			if strings.Contains(w.state().Reason, "127.0.0.1") {
				t.Errorf("the reason tells addresses: %s", w.state().Reason)
			}
		})
	}
}

// TestWhatIsNotEncryptedIsNotSent: to a public address, however its scheme is
// written. Here the loopback stands for what is public.
func TestWhatIsNotEncryptedIsNotSent(t *testing.T) {
	for _, scheme := range []string{"http:", "HTTP:", "hTTp:"} {
		w := newWorld(t)
		w.sender.client, w.sender.plain = guard{allowed: parsePrefixes("127.0.0.0/8")}.client(), guard{only: true}.client()
		w.url = strings.Replace(w.url, "http:", scheme, 1)
		w.subscribe(environment.Subscription{URL: w.url})
		w.tell(w.anEnvironment())
		if len(w.receiver.got) != 0 || w.state().FailingSince.IsZero() {
			t.Errorf("%s: %d arrived, %+v; want none", scheme, len(w.receiver.got), w.state())
		}
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.receiver.answer = func(rw http.ResponseWriter, _ int) {
		chunk := bytes.Repeat([]byte("x"), 64<<10)
		for range 1000 {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
	}
	w.tellAll(w.anEnvironment())
	if len(w.receiver.got) != 1 || !w.state().FailingSince.IsZero() {
		t.Errorf("got %d, %+v; want it taken", len(w.receiver.got), w.state())
	}
}

// One receiver that is down takes nothing from another.
func TestEachForItself(t *testing.T) {
	w := newWorld(t)
	good := &receiver{}
	server := httptest.NewServer(good)
	defer server.Close()
	w.receiver.answer = func(rw http.ResponseWriter, _ int) { rw.WriteHeader(http.StatusBadGateway) }
	w.subscribe(environment.Subscription{URL: w.url}, environment.Subscription{URL: server.URL})
	w.tell(w.anEnvironment())
	if len(good.got) != 1 {
		t.Errorf("the good one was told %d times; want once", len(good.got))
	}
}

func TestWhatCannotBeAnAddress(t *testing.T) {
	w := newWorld(t)
	for _, address := range []string{"", "ftp://example.edu", "https://", "https://user:secret@example.edu", "https://example.edu/#x", "javascript:alert(1)",
		"https://exаmple.edu", "https://example.edu/\nHost: x", "//example.edu", "https:example.edu"} {
		c := environment.Course{ID: "other", Notifications: []environment.Subscription{{URL: address}}}
		if _, err := w.service.ApplyCourse(t.Context(), admin, c, 0, true); environment.CodeOf(err) != environment.CodeInvalid {
			t.Errorf("%q: got %v; want it refused", address, err)
		}
	}
}

type catalogue struct{}

func (catalogue) Profile(name string) (environment.Profile, bool) {
	return environment.Profile{Name: name}, name == "daskhub"
}
func (catalogue) Profiles() []environment.Profile { return nil }
func (catalogue) DefaultProfile() string          { return "daskhub" }
func (catalogue) Project() string                 { return "class-project" }
func (catalogue) Policy() environment.Policy      { return environment.Policy{} }
