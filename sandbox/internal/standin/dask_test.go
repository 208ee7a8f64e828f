package standin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// argonOfHello is the argon2id hash of "hello" with salt "saltsalt".
const argonOfHello = "4VyJNtu3U3ONzlYz+W1nwQ"

const withRoutes = `
scheduler:
  env:
    - {name: EXTRA_PIP_PACKAGES, value: prometheus-client}
    - {name: DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES, value: '["distributed.http.scheduler.json","distributed.http.scheduler.api"]'}
worker:
  replicas: 2
  env: [{name: EXTRA_PIP_PACKAGES, value: s3fs gcsfs}]
  resources: {limits: {cpu: 2, memory: 3G}}
jupyter:
  env:
    - {name: EXTRA_PIP_PACKAGES, value: s3fs}
    - {name: JUPYTER_TOKEN, value: a-token}
    - {name: JUPYTERLAB_ARGS, value: --config /usr/local/etc/jupyter/jupyter_notebook_config.py}
`

func TestScheduler(t *testing.T) {
	in := install(t, "dask", "2024.1.1", "dask", withRoutes)
	base := in.url("dask-scheduler", 80)
	started := fmt.Sprint(float64(noon.Add(-time.Hour).Unix()))
	for path, want := range map[string]string{
		"/health":                 "ok",
		"/json/counts.json":       `"workers":2`,
		"/json/identity.json":     `"total_threads":4`,
		"/api/v1/get_workers":     `"num_workers":2`,
		"/api/v1/adaptive_target": `{"workers":0}`,
		"/sitemap.json":           "/api/v1/check_idle",
		"/metrics":                `dask_scheduler_tasks{state="queued"} 0`,
		"/status":                 "stands in for",
	} {
		if got := in.get(base+path, ""); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s: got %d %s; want %s", path, got.status, got.body, want)
		}
	}
	if got := decode[map[string]any](t, in.get(base+"/api/v1/check_idle", "").body)["idle_since"]; fmt.Sprint(got) != started {
		t.Errorf("never used: idle since %v; want its start %v", got, started)
	}
	in.stop("worker")
	if got := in.get(base+"/json/counts.json", "").body; !strings.Contains(got, `"workers":0`) {
		t.Errorf("got %s; want no workers", got)
	}
	in.stop("scheduler")
	if got := in.get(base+"/health", ""); got.status != 503 {
		t.Errorf("without a pod: got %d; want 503", got.status)
	}
}

// The truth table of facts: what counts.json can and cannot say.
func TestSchedulerActivity(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Scheduler
		idle bool
		want map[string]any
	}{
		{"nothing", Scheduler{}, true, map[string]any{"tasks": 0.0, "processing": 0.0, "clients": 1.0, "desired_workers": 0.0}},
		{"at work", Scheduler{Processing: 2, Clients: 1}, false, map[string]any{"tasks": 2.0, "processing": 2.0, "clients": 2.0, "desired_workers": 2.0}},
		{"queued without workers", Scheduler{Tasks: 1, Queued: 1}, false, map[string]any{"tasks": 1.0, "processing": 0.0, "clients": 1.0, "desired_workers": 1.0}},
		{"results held", Scheduler{Memory: 2, Clients: 1, IdleSince: at(noon)}, true, map[string]any{"tasks": 2.0, "processing": 0.0, "clients": 2.0, "desired_workers": 1.0}},
		{"said to be busy", Scheduler{Busy: true}, false, map[string]any{"tasks": 0.0, "processing": 0.0, "clients": 1.0, "desired_workers": 1.0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t, "dask", "2026.6.0", "dask", withRoutes)
			in.set(Activity{Scheduler: &tt.s})
			base := in.url("dask-scheduler", 80)
			got := decode[map[string]any](t, in.get(base+"/json/counts.json", "").body)
			for key, want := range tt.want {
				if diff := cmp.Diff(want, got[key]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			since := decode[map[string]any](t, in.get(base+"/api/v1/check_idle", "").body)["idle_since"]
			if idle := since != nil; idle != tt.idle {
				t.Errorf("idle since %v; want idle %v", since, tt.idle)
			}
		})
	}
}

func TestSchedulerWithoutRoutes(t *testing.T) {
	in := install(t, "dask", "2024.1.1", "dask", "{}")
	base := in.url("dask-scheduler", 80)
	if got := in.get(base+"/api/v1/check_idle", ""); got.status != 404 {
		t.Errorf("got %d; want 404: the routes are off", got.status)
	}
	if got := in.get(base+"/metrics", "").body; !strings.Contains(got, "not available") {
		t.Errorf("got %s; want a comment that there are none", got)
	}
	if got := in.get(in.url("dask-scheduler", 8786), ""); got.status != 400 {
		t.Errorf("Dask's own port: got %d; want 400", got.status)
	}
}

func TestJupyterLogin(t *testing.T) {
	config := "--config /usr/local/etc/jupyter/jupyter_notebook_config.py"
	for _, tt := range []struct {
		name, values, password string
		want                   int
	}{
		{"default password is not read", "{}", "dask", 401},
		{"default password, read", "jupyter: {env: [{name: JUPYTERLAB_ARGS, value: " + config + "}]}", "dask", 302},
		{"wrong password", "jupyter: {env: [{name: JUPYTERLAB_ARGS, value: " + config + "}]}", "desk", 401},
		{"no password", "jupyter: {env: [{name: JUPYTERLAB_ARGS, value: " + config + "}]}", "", 401},
		{"token for password", "jupyter: {env: [{name: JUPYTER_TOKEN, value: a-token}]}", "a-token", 302},
		{"argon2", `jupyter: {password: "argon2:$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$` + argonOfHello + `", env: [{name: JUPYTERLAB_ARGS, value: ` + config + "}]}", "hello", 302},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t, "dask", "2024.1.1", "dask", tt.values)
			base, browser := in.url("dask-jupyter", 80), in.browser()
			if got := in.ask(browser, "GET", base+"/lab", "", ""); got.status != 302 {
				t.Errorf("before the login: got %d; want 302", got.status)
			}
			if got := in.login(browser, base+"/login", "", tt.password); got.status != tt.want {
				t.Errorf("got %d; want %d", got.status, tt.want)
			}
			if got := in.ask(browser, "GET", base+"/lab", "", "").status == 200; got != (tt.want == 302) {
				t.Errorf("inside: %v; want %v", got, tt.want == 302)
			}
		})
	}
}

func TestJupyterAPI(t *testing.T) {
	in := install(t, "dask", "2024.1.1", "dask", withRoutes)
	in.set(Activity{Jupyter: &Server{Ready: true, LastActivity: at(noon.Add(-time.Hour)), Terminals: []Terminal{{}}, Kernels: []Kernel{{ExecutionState: "idle"}}}})
	base := in.url("dask-jupyter", 80)
	for _, tt := range []struct {
		path, token string
		status      int
		moves       bool
	}{
		{"/api", "", 200, false},
		{"/api/kernels", "", 403, false},
		{"/api/kernels", "other", 403, false},
		{"/api/status", "a-token", 200, false},
		{"/api/kernels?no_track_activity=1", "a-token", 200, false},
		{"/api/terminals?no_track_activity=1&token=a-token", "", 200, false},
		{"/api/contents", "a-token", 501, false},
		{"/api/kernels", "a-token", 200, true},
	} {
		before := in.backends.Activity(clusterID).Jupyter.LastActivity
		if got := in.get(base+tt.path, tt.token); got.status != tt.status {
			t.Errorf("%s: got %d; want %d", tt.path, got.status, tt.status)
		}
		if moved := !in.backends.Activity(clusterID).Jupyter.LastActivity.Equal(*before); moved != tt.moves {
			t.Errorf("%s: activity moved %v; want %v", tt.path, moved, tt.moves)
		}
	}
}

func TestPackages(t *testing.T) {
	in := install(t, "dask", "2024.1.1", "dask", withRoutes)
	got := decode[map[string]given](t, in.get(in.url("dask-jupyter", 80)+"/sandbox/packages", "").body)
	want := map[string]given{
		"jupyter":   {Pods: 1, Packages: []string{"s3fs"}},
		"scheduler": {Pods: 1, Packages: []string{"prometheus-client"}},
		"worker":    {Pods: 2, Packages: []string{"s3fs", "gcsfs"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The operator's clusters have labels of their own.
func TestOperatorsScheduler(t *testing.T) {
	in := install(t, "dask", "2024.1.1", "dask", "{}")
	selector := map[string]string{"dask.org/cluster-name": "simple", "dask.org/component": "scheduler"}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "simple-scheduler", Namespace: namespace, Labels: selector}}
	service.Spec = corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{{Name: "http-dashboard", Port: 8787}}}
	if _, err := in.client.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"scheduler", "worker"} {
		labels := map[string]string{"dask.org/cluster-name": "simple", "dask.org/component": component, "dask.org/workergroup-name": "simple-default"}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "simple-" + component, Namespace: namespace, Labels: labels}}
		makeReady(pod)
		if _, err := in.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := in.get(in.url("simple-scheduler", 8787)+"/json/counts.json", ""); !strings.Contains(got.body, `"workers":1`) {
		t.Errorf("got %d %s; want its one worker", got.status, got.body)
	}
}
