package standin

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// connect serves a port of a pod that a label names and returns where, or ""
// when the connection is refused.
func (in *installed) connect(selector string, port int32) string {
	in.Helper()
	list, err := in.client.CoreV1().Pods(namespace).List(in.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil || len(list.Items) == 0 {
		in.Fatalf("pods %s: %v, %v", selector, list.Items, err)
	}
	handler, err := in.backends.Port(in.Context(), clusterID, in.client, &list.Items[0], port)
	if errors.Is(err, ErrRefused) {
		return ""
	}
	if err != nil {
		in.Fatal(err)
	}
	server := httptest.NewServer(handler)
	in.Cleanup(server.Close)
	return server.URL
}

// withServer adds alice's server as the hub would have started it.
func (in *installed) withServer(started time.Time) {
	in.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "jupyter-alice", Namespace: namespace,
		Labels:      map[string]string{"app": "jupyterhub", "component": "singleuser-server", "release": "dhub"},
		Annotations: map[string]string{usernameAnnotation: "alice"}}}
	makeReady(pod)
	if _, err := in.client.CoreV1().Pods(namespace).Create(in.Context(), pod, metav1.CreateOptions{}); err != nil {
		in.Fatal(err)
	}
	in.set(Activity{Users: []User{{Name: "alice", LastActivity: &started, Server: &Server{
		Ready: true, Pod: pod.Name, Started: &started, LastActivity: &started,
		Kernels: []Kernel{{ExecutionState: "busy", LastActivity: &started}}, Terminals: []Terminal{{LastActivity: &started}},
	}}}})
}

func TestPortsOfAHub(t *testing.T) {
	in := install(t, "daskhub", oldHub, "dhub", withDummy)
	in.withServer(noon)
	for _, tt := range []struct {
		selector    string
		port        int32
		path, token string
		status      int
		body        string
	}{
		{"component=hub", 8081, "/hub/api/", "", 200, "version"},
		{"component=hub", 8081, "/hub/api/users", token, 200, "alice"},
		{"component=hub", 8081, "/hub/api/users", "", 403, ""},
		{"component=hub", 8081, "/user/alice/api/kernels", token, 404, ""},
		{"component=hub", 8081, "/_chp_healthz", "", 404, ""},
		{"component=proxy", 8000, "/_chp_healthz", "", 200, "OK"},
		{"component=singleuser-server", 8888, "/user/alice/api/status", token, 200, "last_activity"},
		{"component=singleuser-server", 8888, "/user/alice/api/kernels?no_track_activity=1", token, 200, "busy"},
		{"component=singleuser-server", 8888, "/user/alice/api/terminals?no_track_activity=1", token, 200, "last_activity"},
		{"component=singleuser-server", 8888, "/user/alice/api/kernels", "wrong", 403, ""},
		{"component=singleuser-server", 8888, "/user/bob/api/status", token, 404, ""},
		{"component=singleuser-server", 8888, "/hub/api/users", token, 404, ""},
	} {
		got := in.get(in.connect(tt.selector, tt.port)+tt.path, tt.token)
		if got.status != tt.status || !strings.Contains(got.body, tt.body) {
			t.Errorf("%s:%d%s: got %d %s; want %d and %q", tt.selector, tt.port, tt.path, got.status, got.body, tt.status, tt.body)
		}
	}
	for selector, port := range map[string]int32{"component=hub": 8888, "component=singleuser-server": 22} {
		if got := in.connect(selector, port); got != "" {
			t.Errorf("%s:%d: it is connected; want it refused", selector, port)
		}
	}
}

// Past the proxy nothing is activity that the server does not track.
func TestLookingPastTheProxyIsNoActivity(t *testing.T) {
	started := noon.Add(-2 * time.Hour)
	for path, moves := range map[string]bool{
		"/user/alice/api/status": false, "/user/alice/api": false, "/user/alice/api/kernels?no_track_activity=1": false,
		"/user/alice/api/kernels": true, "/user/alice/lab": true,
	} {
		in := install(t, "daskhub", oldHub, "dhub", withDummy)
		in.withServer(started)
		if got := in.get(in.connect("component=singleuser-server", 8888)+path, token); got.status != 200 {
			t.Errorf("%s: got %d; want 200", path, got.status)
		}
		if moved := !in.backends.Activity(clusterID).Users[0].LastActivity.Equal(started); moved != moves {
			t.Errorf("%s: activity moved %v; want %v", path, moved, moves)
		}
	}
}

func TestPortsOfADaskInstallation(t *testing.T) {
	in := install(t, "dask", "2024.1.1", "dask", withRoutes)
	in.set(Activity{Scheduler: &Scheduler{Processing: 3}, Jupyter: &Server{Ready: true, Kernels: []Kernel{{ExecutionState: "busy"}}}})
	for path, want := range map[string]string{
		"/health": "ok", "/json/counts.json": `"processing":3`, "/json/identity.json": "Scheduler-", "/api/v1/check_idle": `"idle_since":null`,
	} {
		if got := in.get(in.connect("component=scheduler", 8787)+path, ""); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s: got %d %s; want %s", path, got.status, got.body, want)
		}
	}
	notebook := in.connect("component=jupyter", 8888)
	if got := in.get(notebook+"/api/kernels?no_track_activity=1", "a-token"); !strings.Contains(got.body, "busy") {
		t.Errorf("kernels: got %d %s; want a busy one", got.status, got.body)
	}
	if got := in.get(notebook+"/api/kernels", ""); got.status != 403 {
		t.Errorf("kernels without a token: got %d; want 403", got.status)
	}
}

func TestFaultsOfHubAndScheduler(t *testing.T) {
	down := ""
	faults := func(point, _ string) bool { return point == down }
	hub, dask := install(t, "daskhub", oldHub, "dhub", withDummy), install(t, "dask", "2024.1.1", "dask", "{}")
	hub.backends.fault, dask.backends.fault = faults, faults
	direct, proxied := hub.connect("component=hub", 8081), hub.url("proxy-public", 80)
	for _, down = range []string{"hub", ""} {
		want := map[string]int{"hub": 503, "": 200}[down]
		for _, base := range []string{direct, proxied} {
			if got := hub.get(base+"/hub/api/", ""); got.status != want {
				t.Errorf("fault %q: got %d; want %d", down, got.status, want)
			}
		}
	}
	if got := hub.get(proxied+"/_chp_healthz", ""); got.status != 200 {
		t.Errorf("the proxy of a hub that is down: got %d; want 200", got.status)
	}
	for _, down = range []string{"scheduler", ""} {
		if refused := dask.connect("component=scheduler", 8787) == ""; refused != (down != "") {
			t.Errorf("fault %q: refused %v", down, refused)
		}
	}
}
