package standin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	oldHub      = "2024.1.1"
	newHubChart = "2026.6.0"
	token       = "22222222222222222222222222222222"
)

// withDummy are daskbot's values for a hub of before shared-password.
const withDummy = `
jupyterhub:
  hub:
    services: {daskbot: {display: false, apiToken: "` + token + `"}, weak: {apiToken: weak-weak-weak}}
    loadRoles:
      daskbot: {scopes: [read:hub, list:users, read:users:activity, read:servers, access:servers], services: [daskbot]}
      weak: {scopes: [list:users], services: [weak]}
    config:
      JupyterHub: {authenticator_class: dummy}
      DummyAuthenticator: {password: secret-secret}
  scheduling: {podPriority: {enabled: true}}
  singleuser: {serviceAccountName: daskkubernetes, cpu: {guarantee: 0.5}}
  cull: {enabled: false}
`

const withShared = `
jupyterhub:
  hub:
    services: {daskbot: {apiToken: "` + token + `"}}
    loadRoles:
      daskbot: {scopes: [list:users, read:users, servers, users:activity], services: [daskbot]}
    config:
      JupyterHub: {authenticator_class: shared-password}
      Authenticator: {allowed_users: [alice]}
      SharedPasswordAuthenticator: {user_password: secret-secret}
`

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return value
}

func TestLogin(t *testing.T) {
	for _, tt := range []struct {
		name, version, values string
		username, password    string
		want                  int
	}{
		{"dummy", oldHub, withDummy, "alice", "secret-secret", 302},
		{"any name", oldHub, withDummy, "Bob ", "secret-secret", 302},
		{"wrong password", oldHub, withDummy, "alice", "other", 403},
		{"no password", oldHub, withDummy, "alice", "", 403},
		{"no name", oldHub, withDummy, "", "secret-secret", 403},
		{"dummy as it comes", oldHub, "{}", "anybody", "anything", 302},
		{"dummy on the new chart", newHubChart, withDummy, "alice", "secret-secret", 302},
		{"shared", newHubChart, withShared, "alice", "secret-secret", 302},
		{"shared, wrong password", newHubChart, withShared, "alice", "secret-other", 403},
		{"shared, not allowed", newHubChart, withShared, "bob", "secret-secret", 403},
		{"another class", newHubChart, "jupyterhub: {hub: {config: {JupyterHub: {authenticator_class: github}}}}", "a", "b", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t, "daskhub", tt.version, "dhub", tt.values)
			browser := in.browser()
			base := in.url("proxy-public", 80)
			got := in.login(browser, base+"/hub/login", tt.username, tt.password)
			if got.status != tt.want {
				t.Fatalf("got %d; want %d: %s", got.status, tt.want, got.body)
			}
			inside := in.ask(browser, "GET", base+"/hub/api/user", "", "").status == 200
			if inside != (tt.want == 302) {
				t.Errorf("inside afterwards: %v; want %v", inside, tt.want == 302)
			}
			if users := len(in.backends.Activity(clusterID).Users); (users == 1) != (tt.want == 302) {
				t.Errorf("the hub knows %d users", users)
			}
		})
	}
}

func TestLoginNeedsTheFormsToken(t *testing.T) {
	for version, want := range map[string]int{oldHub: 302, newHubChart: 403} {
		in := install(t, "daskhub", version, "dhub", withDummy)
		response, err := in.browser().PostForm(in.url("proxy-public", 80)+"/hub/login", map[string][]string{"username": {"a"}, "password": {"secret-secret"}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: got %d; want %d", version, response.StatusCode, want)
		}
	}
}

// What a hub cannot start with leaves the proxy alone in front of nothing.
func TestHubDown(t *testing.T) {
	for name, tt := range map[string]struct{ version, values, stop string }{
		"no hub pod":                          {oldHub, withDummy, "hub"},
		"shared-password before it was there": {oldHub, withShared, ""},
		"short shared password":               {newHubChart, strings.Replace(withShared, "secret-secret", "short", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t, "daskhub", tt.version, "dhub", tt.values)
			if tt.stop != "" {
				in.stop(tt.stop)
			}
			base := in.url("proxy-public", 80)
			if got := in.get(base+"/_chp_healthz", ""); got.status != 200 || got.body != `{"status":"OK"}` {
				t.Errorf("proxy: got %+v; want it well", got)
			}
			if got := in.get(base+"/hub/health", ""); got.status != 503 || got.body != "Service Unavailable" {
				t.Errorf("hub: got %d %q; want 503 Service Unavailable", got.status, got.body)
			}
		})
	}
	in := install(t, "daskhub", oldHub, "dhub", withDummy)
	in.stop("proxy")
	if got := in.get(in.url("proxy-public", 80)+"/_chp_healthz", ""); got.status != 503 {
		t.Errorf("without a proxy: got %d; want 503", got.status)
	}
}

func TestScopes(t *testing.T) {
	in := install(t, "daskhub", oldHub, "dhub", withDummy)
	in.set(Activity{Users: []User{{Name: "alice", LastActivity: at(noon)}}})
	base := in.url("proxy-public", 80)
	for _, tt := range []struct {
		path, token string
		status      int
		want        string
	}{
		{"/hub/api/", "", 200, `{"version":"4.0.2"}`},
		{"/hub/api/info", token, 200, `"version":"4.0.2"`},
		{"/hub/api/info", "", 403, `{"message":"Action is not authorized with current scopes; requires any of [read:hub]","status":403}`},
		{"/hub/api/info", "wrong", 403, "requires any of [read:hub]"},
		{"/hub/api/info", "weak-weak-weak", 403, "requires any of [read:hub]"},
		{"/hub/api/user", token, 200, `"scopes":["access:servers","list:users","read:hub","read:servers","read:users:activity","read:users:name"]`},
		{"/hub/api/user", "", 403, "credentials"},
		{"/hub/api/users", "weak-weak-weak", 200, `[{"admin":false,"kind":"user","name":"alice"}]`},
		{"/hub/api/users/alice", token, 200, `"last_activity":"2026-11-23T12:00:00.000000Z"`},
		{"/hub/api/users/bob", token, 404, "Not Found"},
		{"/hub/api/none", token, 404, "Not Found"},
		{"/hub/metrics", token, 403, "read:metrics"},
	} {
		got := in.get(base+tt.path, tt.token)
		if got.status != tt.status || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s with %q: got %d %s; want %d with %s", tt.path, tt.token, got.status, got.body, tt.status, tt.want)
		}
	}
}

func TestUsers(t *testing.T) {
	in := install(t, "daskhub", oldHub, "dhub", withDummy)
	base := in.url("proxy-public", 80)
	if got := in.get(base+"/hub/api/users", token); got.body != "[]" {
		t.Errorf("empty hub: got %s; want []", got.body)
	}
	in.set(Activity{Users: []User{
		{Name: "alice", LastActivity: at(noon.Add(-time.Hour)), Server: &Server{Ready: true, Started: at(noon.Add(-2 * time.Hour)), LastActivity: at(noon)}},
		{Name: "bob", LastActivity: at(noon), Server: &Server{Pending: "spawn", Started: at(noon)}},
		{Name: "carol", Server: &Server{LastActivity: at(noon)}},
	}})
	names := func(query string) string {
		var names []string
		for _, user := range decode[[]struct{ Name string }](t, in.get(base+"/hub/api/users"+query, token).body) {
			names = append(names, user.Name)
		}
		return strings.Join(names, " ")
	}
	for query, want := range map[string]string{
		"": "alice bob carol", "?state=ready": "alice", "?state=active": "alice bob", "?state=inactive": "carol",
		"?limit=1&offset=1": "bob", "?offset=9": "", "?sort=-last_activity": "alice bob carol", // 4.0.2 does not sort
	} {
		if got := names(query); got != want {
			t.Errorf("%q: got %q; want %q", query, got, want)
		}
	}
	want := map[string]any{
		"kind": "user", "name": "alice", "admin": false, "last_activity": "2026-11-23T11:00:00.000000Z",
		"servers": map[string]any{"": map[string]any{
			"name": "", "last_activity": "2026-11-23T12:00:00.000000Z", "started": "2026-11-23T10:00:00.000000Z", "pending": nil,
			"ready": true, "stopped": false, "url": "/user/alice/", "user_options": map[string]any{},
			"progress_url": "/hub/api/users/alice/server/progress",
		}},
	}
	if diff := cmp.Diff(want, decode[map[string]any](t, in.get(base+"/hub/api/users/alice", token).body)); diff != "" {
		t.Errorf("alice (-want +got):\n%s", diff)
	}
	if got := in.get(base+"/hub/api/users?include_stopped_servers=1", token).body; !strings.Contains(got, `"stopped":true`) {
		t.Errorf("carol's stopped server is missing: %s", got)
	}
	for _, query := range []string{"?state=sleepy", "?limit=x", "?offset=-1"} {
		if got := in.get(base+"/hub/api/users"+query, token); got.status != 400 {
			t.Errorf("%s: got %d; want 400", query, got.status)
		}
	}
}

func TestPagination(t *testing.T) {
	in := install(t, "daskhub", newHubChart, "dhub", withDummy)
	in.set(Activity{Users: []User{{Name: "a", LastActivity: at(noon)}, {Name: "b"}, {Name: "c", LastActivity: at(noon.Add(time.Hour))}}})
	request, err := http.NewRequestWithContext(t.Context(), "GET", in.url("proxy-public", 80)+"/hub/api/users?limit=2&sort=-last_activity", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/jupyterhub-pagination+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got struct {
		Items      []struct{ Name string }
		Pagination struct {
			Offset, Limit, Total int
			Next                 *struct {
				Offset, Limit int
				URL           string
			}
		} `json:"_pagination"`
	}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 2 || got.Items[0].Name != "c" || got.Items[1].Name != "a" {
		t.Errorf("got %v; want c and a", got.Items)
	}
	if got.Pagination.Total != 3 || got.Pagination.Next == nil || got.Pagination.Next.Offset != 2 || !strings.Contains(got.Pagination.Next.URL, "offset=2") {
		t.Errorf("got %+v; want a next page at 2 of 3", got.Pagination)
	}
}

func TestSpawn(t *testing.T) {
	in := install(t, "daskhub", oldHub, "dhub", withDummy)
	base, browser := in.url("proxy-public", 80), in.browser()
	in.login(browser, base+"/hub/login", "alice", "secret-secret")
	if got := in.ask(browser, "GET", base+"/hub/spawn", "", ""); got.status != 200 || !strings.Contains(got.body, "starting up") {
		t.Fatalf("got %d %s; want a page that waits", got.status, got.body)
	}
	pod, err := in.client.CoreV1().Pods(namespace).Get(t.Context(), "jupyter-alice", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := pod.Spec.SchedulerName + " " + pod.Spec.PriorityClassName + " " + pod.Spec.ServiceAccountName; got != "dhub-user-scheduler dhub-default-priority daskkubernetes" {
		t.Errorf("pod has %s", got)
	}
	if got := pod.Spec.Containers[0].Resources.Requests; got.Cpu().String() != "500m" || got.Memory().String() != "1Gi" {
		t.Errorf("pod asks for %v", got)
	}
	claim, err := in.client.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "claim-alice", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := claim.Spec.Resources.Requests.Storage().String(); got != "10Gi" {
		t.Errorf("home is %s; want 10Gi", got)
	}
	if got := in.get(base+"/hub/api/users?state=active", token).body; !strings.Contains(got, `"pending":"spawn"`) {
		t.Errorf("got %s; want it pending", got)
	}
	makeReady(pod)
	if _, err := in.client.CoreV1().Pods(namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := in.ask(browser, "GET", base+"/hub/spawn", "", ""); got.status != 302 || got.header.Get("Location") != "/user/alice/" {
		t.Errorf("got %d to %s; want the server", got.status, got.header.Get("Location"))
	}
	if got := in.ask(browser, "GET", base+"/user/alice/", "", ""); got.status != 200 || !strings.Contains(got.body, "stands in for") {
		t.Errorf("got %d %s; want the stand-in's page", got.status, got.body)
	}
	if err := in.client.CoreV1().Pods(namespace).Delete(t.Context(), "jupyter-alice", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := in.get(base+"/hub/api/users?state=active", token).body; got != "[]" {
		t.Errorf("without its pod: got %s; want no active server", got)
	}
}

func TestServersAPI(t *testing.T) {
	in := install(t, "daskhub", newHubChart, "dhub", withShared)
	base := in.url("proxy-public", 80)
	do := func(method, path, body string, want int) {
		t.Helper()
		if got := in.ask(http.DefaultClient, method, base+path, token, body); got.status != want {
			t.Errorf("%s %s: got %d %s; want %d", method, path, got.status, got.body, want)
		}
	}
	do("POST", "/hub/api/users/alice/server", "", 202)
	do("DELETE", "/hub/api/users/alice/server", "", 400)
	in.set(Activity{Users: []User{{Name: "alice", Server: &Server{Ready: true, Started: at(noon), LastActivity: at(noon)}}}})
	do("POST", "/hub/api/users/alice/server", "", 201)
	do("POST", "/hub/api/users/alice/activity", `{"servers":{"":{"last_activity":"2026-11-23T13:00:00Z"}},"last_activity":"2026-11-23T11:00:00Z"}`, 200)
	if got := in.get(base+"/hub/api/users/alice", token).body; strings.Count(got, "2026-11-23T13:00:00.000000Z") != 2 {
		t.Errorf("got %s; want both at 13:00", got)
	}
	do("POST", "/hub/api/users/alice/activity", "{", 400)
	do("POST", "/hub/api/users/bob/activity", "{}", 404)
	do("DELETE", "/hub/api/users/alice/server", "", 204)
	do("DELETE", "/hub/api/users/bob/server", "", 404)
	do("POST", "/hub/api/users/bob", "", 403)
}

// A probe through the proxy is activity; the hub's own API is not.
func TestWhatCountsAsActivity(t *testing.T) {
	started := noon.Add(-2 * time.Hour)
	for _, tt := range []struct {
		path, token string
		status      int
		moves       bool
	}{
		{"/hub/api/users", token, 200, false},
		{"/hub/api/users/alice", token, 200, false},
		{"/user/alice/api/kernels", token, 200, true},
		{"/user/alice/api/kernels?no_track_activity=1", token, 200, true},
		{"/user/alice/api/kernels", "wrong", 403, false},
		{"/user/alice/api", "", 200, true},
		{"/user/bob/api/kernels", token, 424, false},
	} {
		in := install(t, "daskhub", oldHub, "dhub", withDummy)
		server := &Server{Ready: true, Started: &started, LastActivity: &started, Kernels: []Kernel{{ExecutionState: "busy", LastActivity: &started, Connections: 1}}}
		in.set(Activity{Users: []User{{Name: "alice", LastActivity: &started, Server: server}}})
		got := in.get(in.url("proxy-public", 80)+tt.path, tt.token)
		if got.status != tt.status {
			t.Errorf("%s: got %d; want %d", tt.path, got.status, tt.status)
		}
		if strings.Contains(tt.path, "kernels") && got.status == 200 && !strings.Contains(got.body, `"execution_state":"busy"`) {
			t.Errorf("%s: got %s; want a busy kernel", tt.path, got.body)
		}
		alice := in.backends.Activity(clusterID).Users[0]
		if moved := alice.LastActivity.Equal(noon) && alice.Server.LastActivity.Equal(noon); moved != tt.moves {
			t.Errorf("%s: activity moved %v; want %v", tt.path, moved, tt.moves)
		}
	}
}

func TestCulling(t *testing.T) {
	long := noon.Add(-2 * time.Hour)
	for values, want := range map[string]bool{withDummy: true, strings.Replace(withDummy, "cull: {enabled: false}", "cull: {timeout: 3600}", 1): false} {
		in := install(t, "daskhub", oldHub, "dhub", values)
		in.set(Activity{Users: []User{{Name: "alice", Server: &Server{Ready: true, Started: &long, LastActivity: &long}}}})
		if got := in.get(in.url("proxy-public", 80)+"/hub/api/users?state=ready", token).body != "[]"; got != want {
			t.Errorf("server runs: %v; want %v", got, want)
		}
	}
}

// A hub installed anew has a new database.
func TestNewInstallationKnowsNobody(t *testing.T) {
	in := install(t, "daskhub", oldHub, "dhub", withDummy)
	base := in.url("proxy-public", 80)
	reinstall := func(uid string) {
		secret, err := in.client.CoreV1().Secrets(namespace).Get(t.Context(), "hub", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		secret.UID = types.UID(uid)
		if _, err := in.client.CoreV1().Secrets(namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	reinstall("1")
	in.login(in.browser(), base+"/hub/login", "alice", "secret-secret")
	if got := in.get(base+"/hub/api/users", token).body; !strings.Contains(got, "alice") {
		t.Errorf("got %s; want alice", got)
	}
	reinstall("2")
	if got := in.get(base+"/hub/api/users", token).body; got != "[]" {
		t.Errorf("got %s; want nobody", got)
	}
}

func TestLoginSendsNobodyElsewhere(t *testing.T) {
	for next, want := range map[string]string{"/hub/home": "/hub/home", "//evil.example": "/hub/spawn", "https://evil.example": "/hub/spawn", `/\evil.example`: "/hub/spawn"} {
		in := install(t, "daskhub", oldHub, "dhub", withDummy)
		got := in.login(in.browser(), in.url("proxy-public", 80)+"/hub/login?next="+strings.ReplaceAll(next, `\`, "%5C"), "alice", "secret-secret")
		if location := got.header.Get("Location"); location != want {
			t.Errorf("next=%s: sent to %s; want %s", next, location, want)
		}
	}
}
