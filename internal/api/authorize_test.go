package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store/storetest"
)

// who are the callers, in the order of the table's columns: nobody, a student
// of another course, the owner, staff of the owner's course, staff of another,
// an admin.
var who = []string{"", "stranger", "owner", "staff", "other", "admin"}

// The rows that operations share: a refusal, or 0 for being allowed to ask.
var (
	anyone   = []int{401, 0, 0, 0, 0, 0}
	theirs   = []int{401, 404, 0, 0, 404, 0}
	secret   = []int{401, 404, 0, 403, 404, 0}
	byStaff  = []int{401, 403, 403, 0, 404, 0} // a student's refusal says nothing: it comes before the look
	identity = []int{401, 404, 0, 404, 404, 0}
	teachers = []int{401, 403, 403, 0, 0, 0}
	ofCourse = []int{401, 404, 404, 0, 404, 0}
	// A course is made by whoever is its staff, and deleted by admins.
	byAnyStaff = []int{401, 403, 403, 0, 403, 0}
	secretly   = []int{401, 404, 404, 403, 404, 0}
	admins     = []int{401, 403, 403, 403, 403, 0}
)

// operation is one of the description's, with what may be sent to it.
type operation struct {
	body  string
	wants []int
}

// operations say who may do what, for every operation of the description: a
// new one fails the test until it is here.
var operations = map[string]operation{
	"audit": {"", admins}, "queue": {"", admins}, "tokens": {"", admins}, "revokeToken": {"", admins}, "deleteOrphans": {`{"dryRun":true}`, teachers},
	"createToken": {`{"role":"student","subject":"x"}`, admins},
	"hooks":       {"", admins}, "retryHook": {"", admins},
	"invitePlatform": {`{"name":"moodle","platform":"https://moodle.example.edu"}`, admins}, "platforms": {"", admins}, "removePlatform": {"", admins},

	"get": {"", theirs}, "events": {"", theirs}, "logs": {"", theirs}, "down": {"", theirs}, "upgrade": {"", theirs},
	"extend": {`{"duration":"1h"}`, theirs}, "scale": {`{"workers":1}`, theirs}, "packages": {`{"add":["dask-ml"]}`, theirs}, "keep": {`{"for":"1h"}`, theirs},
	"credentials": {"", secret}, "kubeconfig": {"", secret}, "protect": {`{}`, byStaff},
	"up": {`{"owner":"owner","course":"c1","profile":"dask"}`, []int{401, 403, 0, 0, 403, 0}},

	"person": {"", identity}, "putPerson": {`{"project":""}`, identity}, "slackCode": {"", identity},

	"list": {"", anyone}, "me": {"", anyone}, "profiles": {"", anyone}, "checkProject": {"", anyone},
	"costs": {"", anyone}, "courses": {"", anyone}, // what the caller may see of them
	"course": {"", ofCourse}, "courseUp": {"", ofCourse}, "courseDown": {"", ofCourse}, "members": {"", ofCourse},
	"putMembers": {`{"members":[]}`, ofCourse}, "notifications": {"", ofCourse}, "resumeNotifications": {"", ofCourse},
	"putCourse": {`{"id":"c1"}`, byAnyStaff}, "deleteCourse": {"", secretly},
	"orphans": {"", teachers}, "reaperRun": {`{"dryRun":true}`, teachers},
	"reaperPlan": {"", teachers}, "reaperPause": {"", teachers}, "reaperResume": {"", teachers},
}

// TestEveryRoleOnEveryOperation asks each operation as each role over a real
// service and store.
func TestEveryRoleOnEveryOperation(t *testing.T) {
	described := map[string]bool{}
	for _, o := range all(newBench(t).Server) {
		described[o.id] = true
		op, listed := operations[o.id]
		if !listed {
			t.Errorf("%s (%s %s) is not in the table: say who may do it", o.id, o.method, o.path)
			continue
		}
		got := make([]int, len(who))
		h := newHall(t)
		for i, caller := range who { // an admin is last: what they do may leave nothing
			got[i] = h.ask(t, caller, o, op.body)
		}
		if diff := cmp.Diff(op.wants, got); diff != "" {
			t.Errorf("%s as %q (-want +got)\n%s", o.id, who, diff)
		}
	}
	for id := range operations {
		if !described[id] {
			t.Errorf("%s is in the table and not in the description", id)
		}
	}
}

type route struct{ id, method, path string }

// all are the operations of the description.
func all(s *Server) []route {
	var routes []route
	for path, item := range s.api.OpenAPI().Paths {
		add := func(method, id string) { routes = append(routes, route{id, method, path}) }
		if item.Get != nil {
			add(http.MethodGet, item.Get.OperationID)
		}
		if item.Put != nil {
			add(http.MethodPut, item.Put.OperationID)
		}
		if item.Post != nil {
			add(http.MethodPost, item.Post.OperationID)
		}
		if item.Delete != nil {
			add(http.MethodDelete, item.Delete.OperationID)
		}
	}
	slices.SortFunc(routes, func(a, b route) int { return strings.Compare(a.id, b.id) })
	return routes
}

// hall is a daemon's API over a real service, with one environment of owner in
// the course c1, which staff teaches.
type hall struct {
	server *Server
	tokens map[string]string
	id     string
	commit func(context.Context, environment.Change) error
}

func newHall(t *testing.T) *hall {
	t.Helper()
	s := storetest.Open(t)
	service := environment.NewService(environment.ServiceConfig{Store: s, Feed: &environment.Feed{}, Catalogue: shelf{}, Clusters: sky{}, Workloads: ground{},
		Roster: lectures{}, Inbox: s, Installation: "test"})
	server, err := New(Config{Service: service, Audit: s, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test",
		Sweep: func(context.Context, bool, bool) (Swept, error) { return Swept{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{server: server, tokens: map[string]string{}, id: "kq7wm2xd", commit: s.Commit}
	admin := environment.Caller{Subject: "admin", Role: environment.RoleAdmin}
	for subject, role := range map[string]environment.Role{"stranger": environment.RoleStudent, "owner": environment.RoleStudent,
		"staff": environment.RoleStaff, "other": environment.RoleStaff, "admin": environment.RoleAdmin} {
		course := map[string]string{"staff": "c1", "other": "c2"}[subject]
		_, secret, err := service.CreateToken(t.Context(), admin, role, subject, course)
		if err != nil {
			t.Fatal(err)
		}
		h.tokens[subject] = secret.Reveal()
	}
	e := environment.Environment{ID: h.id, Owner: "owner", Course: "c1", Profile: "dask", Recipe: shelf{}.Profiles()[0], Desired: environment.Present,
		State: environment.StateReady, Phase: environment.PhaseReady, URL: "http://203.0.113.7", CreatedAt: time.Now(), ReadyAt: time.Now(),
		ExpiresAt: time.Now().Add(time.Hour), Generation: 1, ObservedGeneration: 1, Secrets: environment.Secrets{"password": environment.NewSecret("x")}}
	if err := s.Commit(t.Context(), environment.Change{Environment: &e}); err != nil {
		t.Fatal(err)
	}
	return h
}

// ask returns the status of a refusal, 0 when the caller may ask.
func (h *hall) ask(t *testing.T, caller string, o route, body string) int {
	t.Helper()
	id := h.id
	if strings.Contains(o.path, "/courses/") {
		id = "c1"
	}
	target := strings.NewReplacer("{id}", id, "{subject}", "owner", "{project}", "class-2026", "{name}", "none").Replace(o.path)
	r := httptest.NewRequestWithContext(t.Context(), o.method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if caller != "" {
		r.Header.Set("Authorization", "Bearer "+h.tokens[caller])
	}
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	switch w.Code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		if caller == "admin" && w.Code == http.StatusNotFound {
			return 0 // an admin may ask for what does not exist
		}
		return w.Code
	case http.StatusInternalServerError:
		t.Errorf("%s as %q: %s", o.id, caller, w.Body)
	}
	return 0
}

// shelf holds one profile.
type shelf struct{}

func (shelf) Profile(name string) (environment.Profile, bool) {
	return shelf{}.Profiles()[0], name == "dask"
}
func (shelf) Profiles() []environment.Profile {
	return []environment.Profile{{Name: "dask", Placement: environment.Dedicated, Packages: true,
		Workers: environment.Workers{Max: 4}, Releases: []environment.Release{{Name: "dask", Chart: "dask"}}}}
}
func (shelf) DefaultProfile() string { return "dask" }
func (shelf) Project() string        { return "class-2026" }
func (shelf) Policy() environment.Policy {
	return environment.Policy{TTL: time.Hour, MaxTTL: 4 * time.Hour, MaxPerOwner: 3, Extension: time.Hour}
}

// lectures are two courses.
type lectures struct{}

func (lectures) Class(_ context.Context, id string) (environment.Course, error) {
	staff := map[string]string{"c1": "staff", "c2": "other"}[id]
	if staff == "" {
		return environment.Course{}, environment.Errorf(environment.CodeNotFound, "There is no such course.")
	}
	return environment.Course{ID: id, Timezone: "UTC", Staff: []string{staff}}, nil
}

func (l lectures) Classes(ctx context.Context) ([]environment.Course, error) {
	one, _ := l.Class(ctx, "c1")
	two, _ := l.Class(ctx, "c2")
	return []environment.Course{one, two}, nil
}

// sky and ground answer what is asked of cloud and clusters after somebody was
// allowed to ask.
type sky struct{ environment.Clusters }

func (sky) Allowed(context.Context, string) error { return nil }
func (sky) Target(context.Context, environment.Cluster) (environment.Target, error) {
	return environment.Target{Key: "c"}, nil
}

type ground struct{ environment.Workloads }

func (ground) Logs(context.Context, environment.Target, environment.Plan, string, int, io.Writer) error {
	return nil
}
func (ground) Kubeconfig(context.Context, environment.Target, environment.Plan) ([]byte, error) {
	return []byte("kind: Config"), nil
}
