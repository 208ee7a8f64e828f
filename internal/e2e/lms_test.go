package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// campus is a world whose daemon is a tool of the emulated LMS, with a course
// there and the same course here.
type campus struct {
	*world
	address string // that people reach the daemon by
	issuer  string
	client  string
	course  string
	number  string // of the course, as Canvas and Moodle count
	secret  string // of its Standard Webhooks
}

// leaverGrace is how long what a person has outlives their place in the course.
const leaverGrace = 5 * time.Second

// newCampus starts it. The reaper comes by often, so that what ends by a
// roster's change ends within the story.
func newCampus(t *testing.T) *campus {
	t.Helper()
	w := newUnstarted(t)
	return w.campus(t, "http://"+w.addr)
}

// campus starts the daemon, which people reach at an address, as the tool of a
// course.
func (w *world) campus(t *testing.T, address string) *campus {
	t.Helper()
	w.config = hurried(t, address)
	c := &campus{world: w, address: address, course: w.project}
	tool := c.register(t)
	w.extra = []string{
		"LMS_ISSUER=" + tool.Issuer, "LMS_CLIENT_ID=" + tool.ClientID, "LMS_DEPLOYMENT=" + tool.Deployment, "LMS_AUTH_URL=" + tool.AuthURL,
		"LMS_TOKEN_URL=" + tool.TokenURL, "LMS_JWKS_URL=" + tool.JWKSURL, "LMS_EVENTS_JWKS_URL=" + tool.EventsJWKSURL,
		"LMS_HOOK_SECRET=" + tool.Secrets.Standard, "LMS_BEARER_TOKEN=" + tool.Secrets.Bearer, "LMS_MOODLE_TOKEN=" + tool.Secrets.Moodle,
	}
	if err := w.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.ask(t.Context(), http.MethodPut, "courses/"+c.course, c.document(), nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// document is the course as daskbot is told of it.
func (c *campus) document() map[string]any {
	return map[string]any{
		"id": c.course, "title": "Parallel computing", "timezone": "Europe/Paris", "profile": "dask", "staff": []string{"teacher@sandbox-university.example"},
		"policy": map[string]any{"grace": leaverGrace.String()},
		"lms": []map[string]string{
			{"source": "campus", "context": c.course}, {"source": "script", "context": c.course},
			{"source": "canvas", "context": "21070" + fmt.Sprintf("%012s", c.number)}, {"source": "moodle", "context": c.number},
		},
	}
}

// hurried is the shipped configuration with a reaper that comes by often, and
// rosters that are read each minute.
func hurried(t *testing.T, address string) string {
	t.Helper()
	shipped, err := os.ReadFile(stage.config)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "campus.yaml")
	text := strings.NewReplacer("server:\n", "server:\n  externalUrl: "+address+"\n", "\n  platforms:\n", "\n  rosterSchedule: \"* * * * *\"\n  platforms:\n",
		"\nreaper:\n", "\nreaper:\n  schedule: \"@every 2s\"\n").Replace(string(shipped))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// registered is what the LMS tells whoever registers a tool.
type registered struct {
	Issuer, ClientID, Deployment, AuthURL, TokenURL, JWKSURL, EventsJWKSURL, Inbox string
	Secrets                                                                        struct{ Standard, Bearer, Moodle, Outgoing string }
}

// register makes the daemon a tool of the LMS, and a course that uses it.
func (c *campus) register(t *testing.T) registered {
	t.Helper()
	var made struct{ Platform registered }
	if err := c.lms(t.Context(), http.MethodPost, "tools", map[string]any{"url": c.address}, &made); err != nil {
		t.Fatal(err)
	}
	c.issuer, c.client, c.secret = made.Platform.Issuer, made.Platform.ClientID, made.Platform.Secrets.Standard
	var course struct{ Number string }
	asked := map[string]any{"id": c.course, "title": "Parallel computing", "tool": c.client, "silent": true}
	if err := c.lms(t.Context(), http.MethodPost, "courses", asked, &course); err != nil {
		t.Fatal(err)
	}
	c.number = course.Number
	c.changes(t, "teacher", "teacher", true)
	return made.Platform
}

// lms sends a request of the LMS's control API.
func (c *campus) lms(ctx context.Context, method, path string, body, into any) error {
	return stage.sandbox.ask(ctx, method, "/lms/"+path, body, into)
}

// changes gives somebody a role in the course, or drops them with "".
func (c *campus) changes(t *testing.T, person, role string, silent bool) {
	t.Helper()
	body := map[string]any{"person": person, "role": role, "silent": silent}
	if err := c.lms(t.Context(), http.MethodPost, "courses/"+c.course+"/members", body, nil); err != nil {
		t.Fatal(err)
	}
}

// launches opens the tool as somebody, without a browser, and returns the
// status of the tool's answer.
func (c *campus) launches(t *testing.T, person, misbehave string) (status int, body string) {
	t.Helper()
	var out struct {
		Status int
		Body   string
	}
	if err := c.lms(t.Context(), http.MethodPost, "launches", map[string]any{"course": c.course, "person": person, "misbehave": misbehave}, &out); err != nil {
		t.Fatal(err)
	}
	return out.Status, out.Body
}

// roster waits until the course's members are as they should be.
func (c *campus) roster(t *testing.T, right func(members []string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var now []string
	err := until(ctx, "wait for the roster", func() (bool, error) {
		var course struct{ Members []struct{ Subject string } }
		if err := c.ask(ctx, http.MethodGet, "courses/"+c.course, nil, &course); err != nil {
			return false, err
		}
		now = nil
		for _, m := range course.Members {
			name, _, _ := strings.Cut(m.Subject, "@")
			now = append(now, name)
		}
		slices.Sort(now)
		return right(now), nil
	})
	if err != nil {
		t.Fatalf("%v: the members are %v", err, now)
	}
}

// owned lists what lives in the course, by owner.
func (c *campus) owned(t *testing.T) map[string]string {
	t.Helper()
	var all struct {
		Items []struct{ ID, Owner, State string }
	}
	if err := c.ask(t.Context(), http.MethodGet, "environments?course="+c.course, nil, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range all.Items {
		if e.State != "deleted" && e.State != "deleting" {
			name, _, _ := strings.Cut(e.Owner, "@")
			out[name] = e.ID
		}
	}
	return out
}

// delivered waits until the LMS has sent everything of the course, and returns
// the statuses of the last answers.
func (c *campus) delivered(t *testing.T) []int {
	t.Helper()
	var statuses []int
	err := until(t.Context(), "wait for the deliveries", func() (bool, error) {
		var all []struct {
			State    string
			Attempts []struct{ Status int }
		}
		if err := c.lms(t.Context(), http.MethodGet, "deliveries?course="+c.course, nil, &all); err != nil {
			return false, err
		}
		statuses = nil
		for _, d := range all {
			if len(d.Attempts) == 0 {
				return false, nil
			}
			statuses = append(statuses, d.Attempts[len(d.Attempts)-1].Status)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return statuses
}

// TestJoinedByHook is a student of each kind of LMS: joining starts nothing, the
// first launch does, and being dropped ends it.
func TestJoinedByHook(t *testing.T) {
	c := newCampus(t)
	var joined []string
	for i, feed := range []string{"canvas", "moodle-trigger", "moodle-hooks", "bearer", "standard"} {
		if err := c.lms(t.Context(), http.MethodPost, "courses", map[string]any{"id": c.course, "feed": feed}, nil); err != nil {
			t.Fatal(err)
		}
		login := fmt.Sprintf("%s-%d", c.course, i)
		body := map[string]any{"person": login, "name": "Student of " + feed, "email": login + "@sandbox-university.example", "role": "student"}
		if err := c.lms(t.Context(), http.MethodPost, "courses/"+c.course+"/members", body, nil); err != nil {
			t.Fatal(err)
		}
		joined = append(joined, login)
	}
	if got := c.delivered(t); !slices.Equal(got, []int{200, 200, 200, 200, 200}) {
		t.Errorf("the hooks were answered %v; want exactly 200", got)
	}
	last := joined[len(joined)-1] // whose notice has an e-mail address
	c.roster(t, func(members []string) bool { return len(members) == len(joined) })
	if got := c.owned(t); len(got) != 0 {
		t.Errorf("joining started %v; want nothing", got)
	}
	if status, body := c.launches(t, last, ""); status != http.StatusOK {
		t.Fatalf("a launch: got %d: %s", status, body)
	}
	id := c.owned(t)[last]
	if id == "" {
		t.Fatalf("after a launch %s has nothing: %v", last, c.owned(t))
	}
	if _, err := c.await(t.Context(), id, "ready"); err != nil {
		t.Fatal(err)
	}
	c.changes(t, last, "", false)
	if e, err := c.await(t.Context(), id, "deleted"); err != nil {
		t.Fatalf("dropped: %+v, %v", e, err)
	}
	if status, _ := c.launches(t, joined[0], ""); status != http.StatusOK {
		t.Errorf("another's launch after that: got %d", status)
	}
}

// TestHostileLMS is an LMS, or somebody who plays it, that lies. What is not
// proved has no effect.
func TestHostileLMS(t *testing.T) {
	c := newCampus(t)
	c.changes(t, "s1", "student", true)
	for kind, want := range map[string]int{
		"alg-none": 401, "hs256": 401, "expired": 401, "future": 401, "wrong-audience": 401, "many-audiences": 401, "wrong-issuer": 401,
		"wrong-nonce": 401, "no-nonce": 401, "unknown-key": 401, "wrong-key": 401, "tampered": 401, "wrong-state": 401, "wrong-version": 401,
		"wrong-type": 401, "wrong-target": 401, "wrong-deployment": 403, "no-deployment": 403, "no-roles": 403, "no-context": 400, "no-subject": 400, "no-state": 400,
	} {
		if status, body := c.launches(t, "s1", kind); status != want || strings.Contains(body, "jwt") || strings.Contains(body, "goroutine") {
			t.Errorf("%s: got %d; want %d: %s", kind, status, want, body)
		}
	}
	events := 0
	for feed, all := range map[string][]string{
		"standard": {"tampered", "signature", "stale", "future", "unsigned", "wrong-secret", "huge"},
		"canvas":   {"tampered", "alg-none", "hs256", "unknown-key", "wrong-key", "unsigned", "huge"},
		"bearer":   {"wrong-token", "unsigned", "huge"}, "moodle-trigger": {"wrong-token", "unsigned"}, "moodle-hooks": {"wrong-token", "unsigned"},
	} {
		for _, how := range all {
			body := map[string]any{"course": c.course, "feed": feed, "event": "enrolled", "person": "s1", "tamper": how}
			if err := c.lms(t.Context(), http.MethodPost, "events", body, nil); err != nil {
				t.Fatal(err)
			}
			events++
		}
	}
	for _, status := range c.delivered(t) {
		if status != http.StatusUnauthorized && status != http.StatusRequestEntityTooLarge {
			t.Errorf("a notice that is not proved was answered %d", status)
		}
	}
	c.roster(t, func(members []string) bool { return len(members) == 0 })
	if got := c.owned(t); len(got) != 0 {
		t.Errorf("lies started %v", got)
	}
	// A token that was good once, at a login of another's.
	if status, body := c.launches(t, "teacher", ""); status != http.StatusOK {
		t.Fatalf("an honest launch: got %d: %s", status, body)
	}
	if status, body := c.launches(t, "s1", "replayed"); status != http.StatusUnauthorized || strings.Contains(body, "Start for everybody") {
		t.Errorf("replayed: got %d: %s", status, body)
	}
	if got := c.owned(t); len(got) != 0 {
		t.Errorf("a replayed launch started %v", got)
	}
	c.roster(t, func(members []string) bool { return slices.Equal(members, []string{"teacher"}) })
	// The same notice, ten copies at once: one member.
	body := map[string]any{"course": c.course, "feed": "standard", "event": "enrolled", "person": "s1", "count": 10}
	if err := c.lms(t.Context(), http.MethodPost, "events", body, nil); err != nil {
		t.Fatal(err)
	}
	c.roster(t, func(members []string) bool { return slices.Equal(members, []string{"s1", "teacher"}) })
	for i, status := range c.delivered(t) {
		if i >= events && status != http.StatusOK {
			t.Errorf("copy %d was answered %d; want 200", i-events, status)
		}
	}
}

// TestDocumentedCurl runs the example of docs/LMS.md as it is printed.
func TestDocumentedCurl(t *testing.T) {
	for _, name := range []string{"bash", "curl", "openssl", "od"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	page, err := os.ReadFile(filepath.Join(stage.root, "docs", "LMS.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "<!-- tested: curl -->\n```bash\n")
	script, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/LMS.md has no tested example")
	}
	c := newCampus(t)
	post := func(secret string) error {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Env = append(os.Environ(), "HOOK_URL=http://"+c.addr+"/hooks/lms/campus", "HOOK_SECRET="+secret, "HOOK_COURSE="+c.course)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := post("whsec_" + strings.Repeat("A", 43) + "="); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with another secret: got %v; want a 401", err)
	}
	if err := post(c.secret); err != nil {
		t.Fatal(err)
	}
	c.roster(t, func(members []string) bool { return slices.Equal(members, []string{"ada"}) })
}
