package lms

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

const (
	hookSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwAA"
	oldSecret   = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	plainSecret = "a secret that every message carries"
)

// world is the hooks with a real store and service.
type world struct {
	t       *testing.T
	path    string
	log     bytes.Buffer
	store   testStore
	service *environment.Service
	hooks   *Hooks
	sources []Source
	// platforms launch people.
	platforms []environment.Platform
	roster    environment.Roster // of the configuration
	now       time.Time
	seen      map[string]int // outcomes
}

func newWorld(t *testing.T, sources ...Source) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "daskbot.db"), seen: map[string]int{},
		now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), sources: sources}
	if len(sources) == 0 {
		w.sources = []Source{{Name: "sis", Kind: Generic, Secrets: []environment.Secret{environment.NewSecret(hookSecret), environment.NewSecret(oldSecret)}}}
	}
	w.open()
	w.apply(environment.Course{ID: "de-2026", LMS: []environment.LMSBinding{{Source: "canvas", Context: "21070000000000565"}, {Source: "moodle", Context: "7"}}})
	return w
}

// testStore is a real store.
type testStore interface {
	environment.Store
	environment.Inbox
	environment.AuditLog
	Close() error
}

// open starts the parts anew on the store, as after a crash.
func (w *world) open() {
	w.t.Helper()
	if w.store != nil {
		_ = w.store.Close()
	}
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := func() time.Time { return w.now }
	w.store = storetest.At(w.t, w.path, clock)
	w.service = environment.NewService(environment.ServiceConfig{Store: w.store, Feed: &environment.Feed{}, Catalogue: catalogue{}, Roster: w.roster, Inbox: w.store, Now: clock})
	var err error
	w.hooks, err = New(Config{Sources: w.sources, Platforms: w.platforms, Commands: w.service, Inbox: w.store, Notes: w.store, Log: log, Now: clock,
		Once:    func(caller, key string) Commands { return w.service.Once(caller, key) },
		Observe: func(_, outcome string) { w.seen[outcome]++ }})
	if err != nil {
		w.t.Fatal(err)
	}
}

var admin = environment.Caller{Subject: "admin", Role: environment.RoleAdmin}

func (w *world) apply(c environment.Course) {
	w.t.Helper()
	if _, err := w.service.ApplyCourse(w.t.Context(), admin, c, 0, false); err != nil {
		w.t.Fatal(err)
	}
}

// registers is a platform that registers itself.
func (w *world) registers(p environment.Platform) {
	w.t.Helper()
	link, _, err := w.service.InvitePlatform(w.t.Context(), admin, p.Name, p.Issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	code := link.Reveal()[strings.LastIndex(link.Reveal(), "/")+1:]
	if err := w.service.RegisterPlatform(w.t.Context(), code, p); err != nil {
		w.t.Fatal(err)
	}
}

// request is one to a source, unsigned.
func (w *world) request(source, body string) *http.Request {
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/hooks/lms/"+source, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// signed is one with a Standard Webhooks signature of now.
func (w *world) signed(id, body string) *http.Request {
	r := w.request("sis", body)
	at := strconv.FormatInt(w.now.Unix(), 10)
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", at)
	r.Header.Set("webhook-signature", "v1,"+mac(hookSecret, id+"."+at+"."+body))
	return r
}

func mac(secret, content string) string {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(content))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.hooks.Handler().ServeHTTP(rec, r)
	return rec
}

func (w *world) status(r *http.Request, want int) {
	w.t.Helper()
	w.now = w.now.Add(time.Millisecond) // no two arrive at one instant
	if rec := w.serve(r); rec.Code != want {
		w.t.Errorf("got %d %s; want %d", rec.Code, rec.Body, want)
	}
}

// say sends an event of the source sis, with an id of its own, and has it
// carried out.
func (w *world) say(kind, data string) environment.Delivery {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	w.status(w.signed(environment.NewID(), fmt.Sprintf(`{"type":%q,"data":%s}`, kind, data)), http.StatusOK)
	w.work("sis")
	return w.deliveries()[0]
}

func (w *world) work(source string) {
	w.t.Helper()
	for range 2 * maxTries {
		if again, err := w.hooks.Work(w.t.Context(), source); err == nil && again == 0 {
			return
		}
	}
	w.t.Fatal("the work does not end")
}

// deliveries are those received, newest first.
func (w *world) deliveries() []environment.Delivery {
	w.t.Helper()
	all, err := w.service.Deliveries(w.t.Context(), admin, environment.DeliveryFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) course() environment.Course {
	w.t.Helper()
	c, err := w.service.CourseDocument(w.t.Context(), admin, "de-2026")
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) environments() []environment.Environment {
	w.t.Helper()
	items, _, err := w.store.Environments(w.t.Context(), environment.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

// untouched fails when anything was done.
func (w *world) untouched() {
	w.t.Helper()
	if n := len(w.deliveries()); n != 0 {
		w.t.Errorf("%d deliveries were kept; want none", n)
	}
	if n := len(w.course().Members); n != 0 {
		w.t.Errorf("%d people were enrolled; want nobody", n)
	}
}

func js(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

type catalogue struct{}

func (catalogue) Profile(name string) (environment.Profile, bool) {
	return environment.Profile{Name: name}, name == "daskhub"
}
func (c catalogue) Profiles() []environment.Profile {
	p, _ := c.Profile("daskhub")
	return []environment.Profile{p}
}
func (catalogue) DefaultProfile() string { return "daskhub" }
func (catalogue) Project() string        { return "class-project" }
func (catalogue) Policy() environment.Policy {
	return environment.Policy{TTL: 4 * time.Hour, MaxTTL: 12 * time.Hour, MaxPerOwner: 3}
}

var _ Commands = (*environment.Service)(nil)
